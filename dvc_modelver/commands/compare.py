"""`compare`: versions, stages, branches, commits and the work tree side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.core.comparison import Bytes, Comparison, Facts, Point, compare, flat_environment
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Output, Scalar, Source
from dvc_modelver.core.names import near
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.trees import Tree, name_filter
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, ModelverError, NotFound
from dvc_modelver.gitio.objects import CommitTree

if TYPE_CHECKING:
    # What only files that have to be parsed need is imported there: a remembered answer does without (60 ms).
    from dvc_modelver.commands.cardfacts import CardSource
    from dvc_modelver.core.descriptions import Feature, Signature
    from dvc_modelver.core.recipe import Recipe

WORK_TREE = (".", "workspace")
_AT_ONCE = 100
"""Points whose files are held in memory together."""
_FEW = 8
"""Of so many points `git ls-tree` lists the files of each; of more, one listing is kept of the trees they share."""
_DESCRIBED = 16
"""Of more points no model's bytes are looked at."""
_MAX_DESCRIBED = 16 * 1024 * 1024
"""Bytes of the largest model that is hashed and looked at for its signature."""
_MAX_NOTES = 20
_CACHE = "compare-1"
"""Bump it when the meaning of a field of `Facts` changes."""
_OWN = name_filter(("dvc.yaml", "dvc.lock", ".gitignore", "*.dvc"))
"""Files whose content the rows show in other words."""


def compare_points(project: Project, references: Sequence[str]) -> Comparison:
    """The points that `references` name; a single one with the work tree.

    A reference is `NAME@V`, `NAME@latest`, `NAME#STAGE`, a bare NAME, a branch, tag or commit, or `.` or `workspace`
    for the work tree.  The model at those that name none is that of the others, else the only one declared.

    Raises:
        NotFound: no such model, version, stage, branch, tag or commit, or none of the points declares the model.
        BadInput: nobody can say which model is meant, or a file of a point cannot be read.
        DataError: a version's tag is not what its name says, or a commit is not in this clone.
    """
    texts = [*references, WORK_TREE[1]] if len(references) == 1 else list(references)
    if not texts:
        raise BadInput("nothing to compare is named", hint="modelver compare NAME@V NAME@latest")
    places = [_place(project, text) for text in texts]
    with AtHand(project) as at_hand:
        reader = _Reader(project, places, at_hand)
        points = list(reader.points())
        if all(point.facts.artifact is None for point in points):
            name = points[0].name
            raise NotFound(f"no model {name} is declared at {_listed(texts)}", hint="modelver list")
        others = reader.other_files(points)
        return compare(points, project.config.metrics, other_files=others, notes=_few(reader.notes))


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _few(notes: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(notes))
    more = [f"and {len(unique) - _MAX_NOTES} more like these"] if len(unique) > _MAX_NOTES else []
    return [*unique[:_MAX_NOTES], *more]


# Which points ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a reference names."""

    ref: str
    name: str | None = None
    version: Version | None = None
    commit: str | None = None
    """None for the work tree."""
    recorded: str | None = None
    """The artifact's path as the version's record has it."""
    card: str | None = None
    """The card's path as the version's record has it."""


def _place(project: Project, text: str) -> _Place:
    """A model, version or stage when it names one, else what Git takes it for."""
    if text in WORK_TREE:
        return _Place(ref=text, commit=project.head if project.repository.root is None else None)
    reference: Reference | None = None
    try:
        reference = project.resolve(text)
        return _version(project, text, reference)
    except (BadInput, NotFound) as error:
        commit = project.objects.commit(text)
        if commit is not None:
            return _Place(ref=text, commit=commit)
        if reference is not None or "@" in text or "#" in text:
            raise
        raise _unknown(project, text) from error


def _version(project: Project, text: str, reference: Reference) -> _Place:
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    ref = model.release_ref(version)
    record = model.refuse_unsound(ref).record
    return _Place(
        ref=text,
        name=model.name,
        version=version,
        commit=ref.target,
        recorded=record.path if record is not None else None,
        card=record.card.path if record is not None and record.card is not None else None,
    )


def _unknown(project: Project, text: str) -> NotFound:
    heads = project.repository.git.text("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/").split("\n")
    names = (*project.registry.models, *(artifact.name for artifact in project.declared.artifacts))
    known = {*names, *filter(None, heads)}
    return NotFound(
        f"there is no model, branch, tag or commit {text}", hint=near(text, known) or "modelver list shows the models"
    )


# What they say --------------------------------------------------------------------------------------------------


class _Reader:
    """Reads the places; what several of them share is read once."""

    def __init__(self, project: Project, places: Sequence[_Place], at_hand: AtHand) -> None:
        self.project = project
        self.places = places
        self.at_hand = at_hand
        self.notes: list[str] = []
        self._listings: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._signatures: dict[str, Signature | None] = {}
        self._described: set[str | None] = set()
        self._paths: tuple[str, ...] = ()

    def points(self) -> Iterator[Point]:
        name = self._name
        known: dict[tuple[str, str | None], Facts] = {}
        for start in range(0, len(self.places), _AT_ONCE):
            some = self.places[start : start + _AT_ONCE]
            for place in some:
                key = place.name or name, place.commit
                remembered = self._remembered(place, key[0]) if key not in known else None
                if remembered is not None:
                    known[key] = remembered
            missing = [place for place in some if (place.name or name, place.commit) not in known]
            if len(missing) > _FEW:
                commits = [place.commit for place in missing if place.commit is not None]
                self.project.objects.read_ahead(commits, self._ahead(missing[0]))
            for at, place in enumerate(some, start):
                key = place.name or name, place.commit
                if key not in known:
                    known[key] = self._facts(place, key[0])
                self.project.around.progress(at + 1, len(self.places), place.ref)
                yield Point(ref=place.ref, name=key[0], version=place.version, commit=place.commit, facts=known[key])

    @cached_property
    def _name(self) -> str:
        """The model at places that name none."""
        names = tuple(dict.fromkeys(place.name for place in self.places if place.name is not None))
        if len(names) == 1 or (names and all(place.name is not None for place in self.places)):
            return names[0]
        if not names:
            from dvc_modelver.commands.cardtext import has_card
            from dvc_modelver.dvcio.project import declared

            trees = (self._tree(place) for place in self.places)
            for tree in trees:
                found = tuple(one.name for one in declared(tree).artifacts if has_card(one))
                if len(found) == 1:
                    return found[0]
                names = tuple(dict.fromkeys((*names, *found)))
        if not names:
            raise NotFound("no model is declared here", hint="modelver init declares models")
        raise BadInput(
            f"which model is meant: {_listed(names)}?", hint=f"name one of its versions, as in {names[0]}@latest"
        )

    def _tree(self, place: _Place) -> Tree:
        if place.commit is None:
            return self._work_tree
        if len(self.places) > _FEW:
            return _SharedTree(self.project, place.commit, self._listings)
        return self.project.tree(place.commit)

    @cached_property
    def _work_tree(self) -> Tree:
        from dvc_modelver.commands.worktrees import work_tree

        return work_tree(self.project)

    def _ahead(self, place: _Place) -> tuple[str, ...]:
        """What is read of one place is what will be read of all."""
        if not self._paths:
            name = place.name or self._name
            facts = self._facts(place, name)
            self.notes.clear()
            folder = name.rpartition(":")[0]
            own = (f"{folder}/{file}" if folder else file for file in ("dvc.yaml", "dvc.lock"))
            others = (*facts.metrics, *facts.params, self.project.config.cards.path_of(name))
            self._paths = tuple(dict.fromkeys((*own, *self._tree(place).files("*.dvc"), *others)))
        return self._paths

    def _facts(self, place: _Place, name: str) -> Facts:
        from dvc_modelver.dvcio.project import declared_one

        tree = self._tree(place)
        try:
            one = declared_one(tree, name)
            if one is None and place.recorded is not None:
                one = Declared(name=name, file="dvc.yaml", path=place.recorded)
            if one is None:
                self.notes.append(f"{place.ref} declares no model {name}")
                return Facts()
            before = len(self.notes)
            facts = self._read(place, tree, one)
            if len(self.notes) == before and place.commit is not None:
                self._remember(place, name, facts)
            return facts
        except BadInput as error:
            raise BadInput(f"{place.ref}: {error.message}", hint=error.hint) from None

    def _read(self, place: _Place, tree: Tree, one: Declared) -> Facts:
        from dvc_modelver.commands.cardfacts import TreeReader
        from dvc_modelver.dvcio.recipe import own_params

        reader = TreeReader(self.project, tree, self.at_hand)
        source = reader.source(one)
        params, metrics = reader.params(one), reader.metrics(one)
        self.notes += [f"{place.ref}: {problem.problem}" for problem in (*params.problems, *metrics.problems)]
        artifact, recipe = source.artifact, source.recipe
        if artifact.problem is not None:
            self.notes.append(f"{place.ref}: {artifact.problem}")
        steps = (*recipe.steps, *recipe.evaluation)
        task = one.meta.get("task")
        return Facts(
            metrics=metrics.values,
            params=params.values,
            own_params=own_params(params.values, recipe),
            data=_data(recipe),
            code={found.output.path: found.output.digest for found in recipe.code},
            stages={step.name: step.cmd for step in steps},
            environment=self._environment(place, source),
            artifact=artifact,
            task=task if isinstance(task, str) else None,
            origin=recipe.origin.rev_lock if recipe.origin is not None else None,
            signature=self._signature(place, source),
        )

    def _environment(self, place: _Place, source: CardSource) -> Mapping[str, Scalar] | None:
        found, _, absent = source.environment
        self.notes += [f"{place.ref}: {path} is in DVC's cache, and not at hand" for path in absent]
        if found is not None:
            return flat_environment(found.recorded, found.file, found.digest)
        return None if absent else {}

    # The signature ----------------------------------------------------------------------------------------------

    def _signature(self, place: _Place, source: CardSource) -> Signature | None:
        """A version's card was written when it was released; elsewhere a card may be of an earlier model."""
        ways = [self._from_model, self._from_card]
        for way in reversed(ways) if place.version is not None else ways:
            found = way(place, source)
            if found is not None:
                return _comparable(found)
        return None

    def _from_card(self, place: _Place, source: CardSource) -> Signature | None:
        for path in dict.fromkeys(filter(None, (place.card, self.project.config.cards.path_of(source.declared.name)))):
            entry = source.tree.entry(path)
            if entry is not None:
                key = entry.oid or path
                if key not in self._signatures:
                    self._signatures[key] = _said(source.tree.read(path))
                return self._signatures[key]
        return None

    def _from_model(self, place: _Place, source: CardSource) -> Signature | None:
        if not self._is_small(source.artifact) or not source.model_at_hand:
            return None
        from dvc_modelver.cards.facts import CardFacts
        from dvc_modelver.cards.generate import Need

        with suppress(ModelverError):
            facts = CardFacts(declared=source.declared, artifact=source.artifact)
            model = source.complete(facts, [Need.MODEL]).model
            self._described.add(place.commit)
            return model.signature if model is not None else None
        return None

    # What is remembered -----------------------------------------------------------------------------------------

    def _remembered(self, place: _Place, name: str) -> Facts | None:
        """What was read of that commit before; None when nothing was, or more can be known today."""
        row = read_remembered(self._memory(place.commit, name)) if place.commit is not None else None
        if row is None or row.get("for") != self._circumstances(place, name):
            return None
        facts = _from_row(row)
        if facts is None or row.get("described") or (facts.signature is not None and place.version is not None):
            return facts
        return None if self._may_describe(facts.artifact) else facts

    def _remember(self, place: _Place, name: str, facts: Facts) -> None:
        row = {**asdict(facts), "for": self._circumstances(place, name), "described": place.commit in self._described}
        write_remembered(self._memory(place.commit or "", name), row)

    def _may_describe(self, artifact: ArtifactFacts | None) -> bool:
        """Whether the model is small, and its bytes are in the cache."""
        output = artifact.output if artifact is not None else None
        if output is None or output.digest is None or not self._is_small(artifact):
            return False
        from dvc_modelver.dvcio.cache import output_id

        cache = self.at_hand.cache_of(output.root) if output.digest.startswith("md5:") else None
        return cache is not None and cache.exists(output_id(output))

    def _is_small(self, artifact: ArtifactFacts | None) -> bool:
        size = artifact.size if artifact is not None else None
        return len(self.places) <= _DESCRIBED and size is not None and size <= _MAX_DESCRIBED

    def _circumstances(self, place: _Place, name: str) -> list[object]:
        """On what the facts depend besides the commit."""
        card = self.project.config.cards.path_of(name)
        return [name, card, place.card, place.recorded, place.version is not None]

    def _memory(self, commit: str, name: str) -> Path:
        return self.project.state_dir / "cache" / _CACHE / f"{commit}-{name.encode().hex()[-100:]}.json"

    # The rest of the repository ---------------------------------------------------------------------------------

    def other_files(self, points: Sequence[Point]) -> tuple[int | None, ...]:
        """How many files differ from the first point that no row speaks of; None where one of the two is no commit."""
        shown = {path for point in points for path in _shown(self.project, point)}
        base = points[0].commit
        known: dict[str, int] = {}
        for point in points[1:]:
            if base is not None and point.commit is not None and point.commit not in known:
                paths = self._different(base, point.commit)
                known[point.commit] = sum(not _is_shown(path, shown) for path in paths)
        return (None, *(known.get(point.commit or "") if base is not None else None for point in points[1:]))

    def _different(self, one: str, other: str) -> Iterator[str]:
        """Paths of the files that differ between two commits."""
        objects = self.project.objects
        pending: list[tuple[str, str | None, str | None]] = [("", objects.tree_of(one), objects.tree_of(other))]
        while pending:
            folder, old, new = pending.pop()
            before, after = (objects.tree(oid) if oid is not None else {} for oid in (old, new))
            for name in before.keys() | after.keys():
                was, is_ = before.get(name), after.get(name)
                if was == is_:
                    continue
                inner = [entry.oid if entry is not None and entry.is_directory else None for entry in (was, is_)]
                if any(inner):
                    pending.append((f"{folder}{name}/", inner[0], inner[1]))
                if any(entry is not None and not entry.is_directory for entry in (was, is_)):
                    yield f"{folder}{name}"


class _SharedTree(CommitTree):
    """A commit's files, found through listings that are kept by tree: commits share nearly all of them.

    `git ls-tree` for each of 1,000 commits took 3 s.
    """

    def __init__(
        self, project: Project, commit: str, known: dict[tuple[str, tuple[str, ...]], tuple[str, ...]]
    ) -> None:
        super().__init__(project.objects, commit, project.repository.git)
        self._known = known

    def files(self, *names: str) -> Iterator[str]:
        return iter(sorted(self._below(self.oid, names)))

    def _below(self, oid: str, names: tuple[str, ...]) -> tuple[str, ...]:
        key = oid, names
        if key not in self._known:
            self._known[key] = tuple(self._walk(oid, names))
        return self._known[key]

    def _walk(self, oid: str, names: tuple[str, ...]) -> Iterator[str]:
        wanted = name_filter(names)
        for name, entry in self._objects.tree(oid).items():
            if entry.is_directory:
                yield from (f"{name}/{path}" for path in self._below(entry.oid, names))
            elif entry.mode.startswith("100") and wanted(name):
                yield name


def _data(recipe: Recipe) -> dict[str, Bytes]:
    """What the model was trained on, and what it was measured on."""
    from dvc_modelver.core.recipe import Kind

    measured = (found for step in recipe.evaluation for found in step.inputs if found.kind is Kind.DATA)
    outputs = (found.output for found in (*recipe.data, *measured))
    return {output.path: Bytes(digest=output.digest, size=output.size, files=output.files) for output in outputs}


def _said(card: bytes | None) -> Signature | None:
    from dvc_modelver.cards.document import parse_card
    from dvc_modelver.cards.readback import said_of_model

    with suppress(BadInput):
        model = said_of_model(parse_card(card)) if card is not None else None
        return model.signature if model is not None else None
    return None


def _comparable(signature: Signature) -> Signature:
    """As a card would have it, so that one read from a card equals one read from the model."""
    from dvc_modelver.cards.tables import clip

    sides = (tuple(map(_feature, side)) for side in (signature.inputs, signature.outputs))
    inputs, outputs = sides
    return replace(signature, inputs=inputs, outputs=outputs, classes=tuple(map(clip, signature.classes)), source="")


def _feature(feature: Feature) -> Feature:
    from dvc_modelver.cards.tables import clip

    shape = None if feature.shape is None else (clip(", ".join(map(str, feature.shape))),)
    kind = None if feature.type is None else clip(feature.type)
    return replace(feature, name=clip(feature.name), type=kind, shape=shape)


def _shown(project: Project, point: Point) -> Iterator[str]:
    """Files and folders of which a row speaks."""
    facts = point.facts
    yield from (*facts.metrics, *facts.params, *facts.code, *facts.data, project.config.cards.path_of(point.name))
    yield from (str((facts.environment or {}).get(key, "")) for key in ("file", "lock.path"))
    yield (facts.artifact.path if facts.artifact is not None else None) or ""


def _is_shown(path: str, shown: set[str]) -> bool:
    if path in shown or _OWN(path.rpartition("/")[2]):
        return True
    parts = path.split("/")
    return any("/".join(parts[:n]) in shown for n in range(1, len(parts)))


# Files of what is remembered ------------------------------------------------------------------------------------


def _from_row(row: Mapping[str, Any]) -> Facts | None:
    """The inverse of `asdict`; None for what is none."""
    try:
        values = {name: row[name] for name in Facts.__slots__}
        values["data"] = {path: Bytes(**item) for path, item in row["data"].items()}
        values["artifact"] = _artifact(row["artifact"])
        if row["signature"] is not None:
            values["signature"] = _signature(row["signature"])
        return Facts(**values)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _artifact(row: Mapping[str, Any]) -> ArtifactFacts:
    output = Output(**row["output"]) if row["output"] is not None else None
    rest = {"source": Source(row["source"]), "files_read": tuple(row["files_read"]), "output": output}
    return ArtifactFacts(**{**row, **rest})


def _signature(row: Mapping[str, Any]) -> Signature:
    from dvc_modelver.core.descriptions import Feature, Signature

    sides = {
        side: tuple(Feature(**{**item, "shape": item["shape"] and tuple(item["shape"])}) for item in row[side])
        for side in ("inputs", "outputs")
    }
    return Signature(**{**row, **sides, "classes": tuple(row["classes"])})
