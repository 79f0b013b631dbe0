"""What each point of a comparison says of its model; what several points share is read once, and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.comparison.memory import FactsMemory
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.comparison.sharedtrees import Listings, SharedTree
from dvc_modelver.commands.comparison.signature import Signatures
from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.core.points import Bytes, Facts, Point, flat_environment
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import BadInput, NotFound

if TYPE_CHECKING:
    # What only files that have to be parsed need is imported there: a remembered answer does without (60 ms).
    from dvc_modelver.commands.cards.facts import CardSource
    from dvc_modelver.core.recipe import Recipe

FEW = 8
"""Of so many points `git ls-tree` lists the files of each; of more, one listing is kept of the trees they share."""
_AT_ONCE = 100
"""Points whose files are held in memory together."""


def listed(texts: Sequence[str]) -> str:
    """The first three, and how many more."""
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


class FactsReader:
    """Reads the places; what several of them share is read once."""

    def __init__(self, project: Project, places: Sequence[Place], at_hand: AtHand) -> None:
        self.project = project
        self.places = places
        self.at_hand = at_hand
        self.notes: list[str] = []
        self._memory = FactsMemory(project.state_dir)
        self._listings: Listings = {}
        self._signatures = Signatures(project, at_hand, len(places))
        self._paths: tuple[str, ...] = ()

    def points(self) -> Iterator[Point]:
        """One for each place, in their order."""
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
            if len(missing) > FEW:
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
            from dvc_modelver.commands.cards.text import has_card
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
            f"which model is meant: {listed(names)}?", hint=f"name one of its versions, as in {names[0]}@latest"
        )

    def _tree(self, place: Place) -> Tree:
        if place.commit is None:
            return self.work_tree
        if len(self.places) > FEW:
            return SharedTree(self.project, place.commit, self._listings)
        return self.project.tree(place.commit)

    @cached_property
    def work_tree(self) -> Tree:
        """The files that are not committed, with those that are."""
        from dvc_modelver.commands.worktrees import work_tree

        return work_tree(self.project)

    def _ahead(self, place: Place) -> tuple[str, ...]:
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

    def source(self, place: Place, name: str) -> CardSource | None:
        """The model at one place; None where it is not declared.  Raises `BadInput` when its `dvc.yaml` is broken."""
        from dvc_modelver.commands.cards.facts import TreeReader
        from dvc_modelver.dvcio.project import declared_one

        tree = self._tree(place)
        one = declared_one(tree, name)
        if one is None and place.recorded is not None:
            one = Declared(name=name, file="dvc.yaml", path=place.recorded)
        return TreeReader(self.project, tree, self.at_hand).source(one) if one is not None else None

    def _facts(self, place: Place, name: str) -> Facts:
        try:
            source = self.source(place, name)
            if source is None:
                self.notes.append(f"{place.ref} declares no model {name}")
                return Facts()
            before = len(self.notes)
            facts = self._read(place, source)
            if len(self.notes) == before and place.commit is not None:
                described = place.commit in self._signatures.described
                about = self._circumstances(place, name)
                self._memory.write(place.commit, name, about, facts, described=described)
            return facts
        except BadInput as error:
            raise BadInput(f"{place.ref}: {error.message}", hint=error.hint) from None

    def _read(self, place: Place, source: CardSource) -> Facts:
        from dvc_modelver.commands.comparison.predictions import paths_of_predictions
        from dvc_modelver.dvcio.recipe import own_params

        one, reader = source.declared, source.reader
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
            signature=self._signatures.find(place, source),
            predicts=bool(paths_of_predictions(source, self.at_hand)),
        )

    def _environment(self, place: Place, source: CardSource) -> Mapping[str, Scalar] | None:
        found, _, absent = source.environment
        self.notes += [f"{place.ref}: {path} is in DVC's cache, and not at hand" for path in absent]
        if found is not None:
            return flat_environment(found.recorded, found.file, found.digest)
        return None if absent else {}

    # What is remembered -----------------------------------------------------------------------------------------

    def _remembered(self, place: Place, name: str) -> Facts | None:
        """What was read of that commit before; None when nothing was, or more can be known today."""
        if place.commit is None:
            return None
        found = self._memory.read(place.commit, name, self._circumstances(place, name))
        if found is None:
            return None
        facts, described = found
        if described or (facts.signature is not None and place.version is not None):
            return facts
        return None if self._signatures.may_describe(facts.artifact) else facts

    def _circumstances(self, place: Place, name: str) -> list[object]:
        """On what the facts depend besides the commit."""
        card = self.project.config.cards.path_of(name)
        return [name, card, place.card, place.recorded, place.version is not None]


def _data(recipe: Recipe) -> dict[str, Bytes]:
    """What the model was trained on, and what it was measured on."""
    from dvc_modelver.core.recipe import Kind

    measured = (found for step in recipe.evaluation for found in step.inputs if found.kind is Kind.DATA)
    outputs = (found.output for found in (*recipe.data, *measured))
    return {output.path: bytes_of(output) for output in outputs}


def bytes_of(output: Output) -> Bytes:
    """The bytes that an output names."""
    return Bytes(
        digest=output.digest,
        size=output.size,
        files=output.files,
        hash_name=output.hash_name,
        cached=output.cached,
        root=output.root,
    )
