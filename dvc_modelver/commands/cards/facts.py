"""What a card is made from, read from a tree and, where that is needed, from the bytes that DVC keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from dvc_modelver.cards.facts import CardFacts, Named, Need, PlotFile, TrainingEnvironment
from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards.tabular import CardTables
from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Output, Source, Values
from dvc_modelver.core.recipe import Recipe
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.facts import artifact_facts
from dvc_modelver.dvcio.items import tree_digest
from dvc_modelver.dvcio.locate import Commit, is_directory
from dvc_modelver.dvcio.measures import Measured, metrics_of, params_of, projects
from dvc_modelver.dvcio.recipe import own_metrics, own_params, recipe_of
from dvc_modelver.errors import BadInput, DataError, ModelverError

if TYPE_CHECKING:
    from dvc_modelver.core.descriptions import ModelDescription, Signature
    from dvc_modelver.dvcio.plotted import Plotted

ENVIRONMENT = "environment.json"
MAX_PLOTS = 6


class TreeReader:
    """What the models of one tree share, each read once."""

    def __init__(self, project: Project, tree: Tree, at_hand: Bytes) -> None:
        self.project = project
        self.tree = tree
        self.at_hand = at_hand
        self.commit = Commit(tree)
        self.beyond: set[str] = set()
        """The models of which more was asked than the tree shows."""
        self._params: dict[tuple[str, ...], Measured] = {}
        self._metrics: dict[tuple[str, ...], Measured] = {}

    def params(self, declared: Declared) -> Measured:
        """The params of the artifact's project."""
        pipelines = projects(self.commit, declared)
        key = tuple(pipeline.file for pipeline in pipelines)
        if key not in self._params:
            self._params[key] = params_of(self.commit, pipelines)
        return self._params[key]

    def metrics(self, declared: Declared) -> Measured:
        """Its metrics; of those that DVC keeps, what is at hand."""
        pipelines = projects(self.commit, declared)
        key = tuple(pipeline.file for pipeline in pipelines)
        if key not in self._metrics:
            blob, listing = self.at_hand.blob, self.at_hand.listing
            self._metrics[key] = metrics_of(self.commit, pipelines, blob=blob, listing=listing)
        return self._metrics[key]

    def source(self, declared: Declared) -> CardSource:
        """What a card of that artifact is made from."""
        return CardSource(self, declared)


@dataclass(frozen=True)
class CardSource:
    """One model in one tree.  Reads what is asked for, once."""

    reader: TreeReader
    declared: Declared

    @property
    def project(self) -> Project:
        return self.reader.project

    @property
    def tree(self) -> Tree:
        return self.reader.tree

    @property
    def at_hand(self) -> Bytes:
        return self.reader.at_hand

    @property
    def commit(self) -> Commit:
        return self.reader.commit

    def facts(self, named: Named) -> CardFacts:
        """What the tree's own files say, and what is at hand of the metrics that DVC keeps.

        Raises `BadInput` when one of the files cannot be read.
        """
        values, digests, absent = self._metrics
        environment, kept, gone = self.environment
        signature = self._signature_file
        return CardFacts(
            declared=self.declared,
            artifact=self.artifact,
            recipe=self.recipe,
            params=self._params,
            metrics=values,
            directions=self.project.config.metrics,
            environment=environment,
            named=named,
            metric_digests=digests,
            environment_digest=kept,
            signature_digest=None if signature is None else signature[1],
            profile_digests={path: f"{profile.digest}" for path, profile in self._tables.profiles.items()},
            plot_digests={plot.label: self._plot_digest(plot) for plot in self._plots},
            absent=(*absent, *gone),
        )

    @cached_property
    def artifact(self) -> ArtifactFacts:
        found = artifact_facts(self.tree, self.declared, listing=self.at_hand.listing)
        if found.source is Source.GIT and found.kind == "directory":
            return self._git_directory(found)
        return replace(found, blob=None)

    def _git_directory(self, found: ArtifactFacts) -> ArtifactFacts:
        """Git's own id of a directory exists in commits alone: the same digest as DVC would give it."""
        below = [path for path in self.tree.files("*") if found.path and paths.inside(path, found.path)]
        data = {path[len(found.path or "") + 1 :]: self.tree.read(path) or b"" for path in below}
        listed = [(path, hashlib.md5(raw, usedforsecurity=False).hexdigest()) for path, raw in data.items()]
        size = sum(map(len, data.values()))
        return replace(found, blob=None, digest=tree_digest(listed), size=size, files=len(listed))

    @cached_property
    def recipe(self) -> Recipe:
        return recipe_of(self.commit, self.declared)

    @property
    def _params(self) -> Values:
        found = self.reader.params(self.declared)
        named = self.recipe.params
        for problem in found.problems:
            if self.tree.entry(problem.file) is not None and (not named or problem.file in named):
                raise BadInput(problem.problem, hint=f"mend {problem.file}")
        return own_params(found.values, self.recipe)

    @cached_property
    def _metrics(self) -> tuple[Values, dict[str, str], tuple[str, ...]]:
        """The values at hand, the digests of the files that DVC keeps, and those of them that are not at hand."""
        found = self.reader.metrics(self.declared)
        names = {*found.values, *(problem.file for problem in found.problems)}
        own = own_metrics(self.commit, self.declared, {name: found.values.get(name, {}) for name in names}, self.recipe)
        for problem in found.problems:
            output = self._kept_file(problem.file)
            at_hand = output is not None and self.at_hand.blob(output) is not None
            if problem.file in own and (at_hand or self.tree.entry(problem.file) is not None):
                raise BadInput(problem.problem, hint=f"mend {problem.file}")
        kept = {file: output for file in sorted(own) if (output := self._kept(file)) is not None}
        values = {file: found.values[file] for file in sorted(own) if file in found.values}
        digests = {file: f"{output.digest}" for file, output in kept.items()}
        return values, digests, tuple(file for file in kept if file not in found.values)

    def _kept(self, path: str) -> Output | None:
        """The output that DVC's cache keeps at `path` or above it; None for a file in Git, or of nobody."""
        if not paths.is_url(path) and self.tree.entry(path) is not None:
            return None
        located = self.commit.find(path, self.declared.file)
        return located.output if located is not None and located.output.cached and located.output.digest else None

    def _kept_file(self, path: str) -> Output | None:
        """As `_kept`, of a file that is an output itself, of the model's own project: most are not there."""
        if not paths.is_url(path) and self.tree.entry(path) is not None:
            return None
        for file in (self.declared.file, *(pipeline.file for pipeline in projects(self.commit, self.declared))):
            located = self.commit.near(path, file)
            if located is not None and located.output.cached and located.output.digest:
                return None if is_directory(located.output) else located.output
        return None

    # Environment and signature ----------------------------------------------------------------------------------

    @cached_property
    def environment(self) -> tuple[TrainingEnvironment | None, str | None, tuple[str, ...]]:
        """The environment, its digest when DVC keeps the document, and the document when it is not at hand."""
        for path in self._environment_files():
            output = self._kept_file(path)
            data = self.tree.read(path) if output is None else self.at_hand.blob(output)
            if data is not None:
                document = _parsed(path, data)
                if document is not None:
                    return document, None if output is None else f"{path} {output.digest}", ()
            elif output is not None:
                return None, f"{path} {output.digest}", (path,)
        return self._lock_file(), None, ()

    def _environment_files(self) -> Iterator[str]:
        """Where `modelver run` may have written: the steps' outputs, the last step first, else beside `dvc.yaml`."""
        for step in reversed(self.recipe.steps):
            yield from (out.path for out in step.outs if out.path.rpartition("/")[2].endswith(ENVIRONMENT))
        yield from (f"{folder}/{ENVIRONMENT}" if folder else ENVIRONMENT for folder in self._folders[:1])

    @property
    def _folders(self) -> tuple[str, ...]:
        """The directory of the declaring file, and those above it up to the root."""
        folder = paths.directory(self.declared.file)
        return (folder, *paths.parents(folder), "") if folder else ("",)

    def _lock_file(self) -> TrainingEnvironment | None:
        from dvc_modelver.core.lockfiles import LOCK_FILES

        for folder in dict.fromkeys(self._folders):
            for name in LOCK_FILES:
                path = f"{folder}/{name}" if folder else name
                data = self.tree.read(path) if self.tree.entry(path) is not None else None
                if data is not None:
                    return TrainingEnvironment(file=path, digest=hashlib.sha256(data).hexdigest())
        return None

    @cached_property
    def _signature_file(self) -> tuple[str, str] | None:
        """(path, digest) of the signature that the training wrote beside the model."""
        from dvc_modelver.dvcio.formats.signature import signature_paths

        path = self.artifact.path
        if path is None or paths.is_url(path):
            return None
        for place in signature_paths(path):
            output = self._kept_file(place)
            if output is not None and output.digest is not None:
                return place, output.digest
            data = self.tree.read(place) if output is None else None
            if data is not None:
                return place, f"sha256:{hashlib.sha256(data).hexdigest()}"
        return None

    # Plots ------------------------------------------------------------------------------------------------------

    @cached_property
    def _plots(self) -> tuple[Plotted, ...]:
        """What `cards.plots` names of this model's own, the first `MAX_PLOTS` of them."""
        wanted = self.project.config.cards.plots
        if not wanted:
            return ()
        from dvc_modelver.dvcio.plotted import find_plot

        named = (find_plot(self.commit, self.declared, text.replace("{name}", self.declared.name)) for text in wanted)
        found = [plot for plot in named if plot is not None]
        own = own_metrics(self.commit, self.declared, {plot.path: {} for plot in found}, self.recipe)
        return tuple(plot for plot in found if plot.path in own)[:MAX_PLOTS]

    def _plot_digest(self, plot: Plotted) -> str:
        output = self._kept_file(plot.path)
        data = self.tree.read(plot.path) if output is None else None
        known = output.digest if output is not None else data and hashlib.sha256(data).hexdigest()
        return f"{known} {json.dumps(plot.options, sort_keys=True, default=str)}"

    def _drawn(self) -> Iterator[PlotFile]:
        from dvc_modelver.cards.plots import plot_name, render_plot
        from dvc_modelver.dvcio.plots import read_plot

        stem = self.project.config.cards.path_of(self.declared.name).rpartition("/")[2].removesuffix(".md")
        outputs = [output for plot in self._plots if (output := self._kept_file(plot.path)) is not None]
        _fetch(self.project, outputs)
        for plot in self._plots:
            output = self._kept_file(plot.path)
            data = self.tree.read(plot.path) if output is None else self.at_hand.blob(output)
            read = read_plot(data, plot.path, plot.options) if data is not None else None
            if read is None:
                self.project.around.say(f"note: nothing can be drawn of the plot {plot.label}")
                continue
            picture = render_plot(read)
            yield PlotFile(name=plot_name(stem, plot.label, picture), title=read.title, data=picture)

    # What needs bytes -------------------------------------------------------------------------------------------

    def complete(self, facts: CardFacts, needs: Iterable[Need], *, verified: bool = False) -> CardFacts:
        """`facts` with what `needs` name; small files are fetched from the DVC remote where the cache lacks them.

        The model, data and the base are looked at only as far as they are at hand: `unmet` says what was not.

        Args:
            verified: whether the artifact's bytes were hashed just now.

        Raises `DataError` when a metrics file is nowhere, or bytes are corrupt.
        """
        wanted = set(needs)
        if Need.MEASURES in wanted and facts.absent:
            facts = self._fetched(facts)
        if Need.MODEL in wanted and (verified or self.model_at_hand):
            facts = replace(facts, model=self._described(verified))
        if Need.SHAPES in wanted:
            facts = self._with_tables(facts)
        if Need.PLOTS in wanted:
            facts = replace(facts, plots=tuple(self._drawn()))
        if Need.BASE in wanted:
            facts = replace(facts, base=read_base(self.project, facts, self.at_hand))
        unmet = (need for need in wanted if not self.are_met([need], facts.named, verified=verified))
        return replace(facts, unmet=frozenset(need.value for need in unmet))

    def are_met(self, needs: Iterable[Need], named: Named, *, verified: bool = False) -> bool:
        """Whether this clone has the bytes and commits that `needs` name, of those that are not fetched."""
        tests = {
            Need.MODEL: lambda: verified or self.model_at_hand,
            Need.SHAPES: lambda: self._tables.are_at_hand(),
            Need.BASE: lambda: named.base_commit is None or self.project.objects.commit(named.base_commit) is not None,
        }
        return all(tests[need]() for need in needs if need in tests)

    def _fetched(self, facts: CardFacts) -> CardFacts:
        outputs = [output for path in facts.absent if (output := self._kept(path)) is not None]
        _fetch(self.project, outputs)
        again = TreeReader(self.project, self.tree, self.at_hand)
        found = again.source(self.declared).facts(facts.named)
        if found.absent:
            raise DataError(f"{found.absent[0]} is kept by DVC, and not at hand", hint=f"dvc pull {found.absent[0]}")
        return found

    @cached_property
    def model_at_hand(self) -> bool:
        """Whether all bytes of the artifact are in the cache, or nobody keeps them for us."""
        from dvc_modelver.dvcio.cache import output_id

        output = self.artifact.output
        if not self.artifact.in_cache or output is None or output.digest is None:
            return True
        cache = self.at_hand.cache_of(output.root)
        if cache is None or not output.digest.startswith("md5:") or not cache.exists(output_id(output)):
            return False
        inside = self.artifact.inside
        listed = cache.read_listing(output_id(output)) if is_directory(output) else ()
        return all(cache.exists(f.oid) for f in listed if inside is None or paths.inside(f"/{f.relpath}", f"/{inside}"))

    def _described(self, verified: bool) -> ModelDescription | None:
        """What the artifact's bytes are; None where nobody keeps them."""
        from dvc_modelver.commands.evidence import find_bytes
        from dvc_modelver.commands.evidence import verified as hashed
        from dvc_modelver.dvcio.formats.describe import describe

        facts = self.artifact
        if facts.source in (Source.URL, Source.MISSING) or facts.lfs is not None:
            return None
        in_git = facts.path is not None and self.tree.entry(facts.path) is not None
        if not in_git and not facts.in_cache:
            return None
        if not verified:
            hashed(self.project, self.tree, facts)
        pieces = find_bytes(self.project, self.tree, facts)
        if pieces.kind == "directory":
            from dvc_modelver.dvcio.formats.directory import describe_pieces

            found = describe_pieces((piece.path, piece.source) for piece in pieces.files)
        else:
            found = describe(pieces.files[0].source, name=paths.shown((facts.path or "").rpartition("/")[2]))
        signature = self._signature()
        return found if signature is None else replace(found, signature=signature)

    def _signature(self) -> Signature | None:
        from dvc_modelver.dvcio.formats.signature import parse_signature

        known = self._signature_file
        if known is None:
            return None
        output = self._kept_file(known[0])
        if output is not None:
            _fetch(self.project, [output])
        data = self.tree.read(known[0]) if output is None else self.at_hand.blob(output)
        return parse_signature(data, name=known[0]) if data is not None else None

    # Tables of data ---------------------------------------------------------------------------------------------

    @cached_property
    def _tables(self) -> CardTables:
        files = [pipeline.file for pipeline in projects(self.commit, self.declared)]
        return CardTables(self.commit, self.recipe, self.at_hand, files)

    def _with_tables(self, facts: CardFacts) -> CardFacts:
        """A profile that cannot be had or read is no reason to write no card."""
        tables = self._tables
        if tables.missing:
            with suppress(ModelverError):
                _fetch(self.project, tables.missing)
        for problem in tables.problems():
            self.project.around.say(f"note: {problem}")
        return replace(facts, profiles=tables.read_profiles(), shapes=tables.read_shapes())


def read_base(project: Project, facts: CardFacts, at_hand: Bytes) -> CardFacts | None:
    """The facts of the version before, from the commit that the card names; None when that is not in this clone."""
    from dvc_modelver.dvcio.project import declared_one

    commit = facts.named.base_commit
    if commit is None or project.objects.commit(commit) is None:
        return None
    try:
        tree = project.tree(commit)
        declared = declared_one(tree, facts.name)
        if declared is None:
            return None
        source = TreeReader(project, tree, at_hand).source(declared)
        found = source.facts(Named(version=facts.named.base))
        if found.absent:
            with suppress(ModelverError):
                found = source.complete(found, [Need.MEASURES])
        card = tree.read(project.config.cards.path_of(facts.name))
        return replace(found, model=_said_of_model(card) if card is not None else None)
    except BadInput:
        return None


def _said_of_model(card: bytes) -> ModelDescription | None:
    from dvc_modelver.cards.document import parse_card
    from dvc_modelver.cards.readback import said_of_model

    return said_of_model(parse_card(card))


def _parsed(path: str, data: bytes) -> TrainingEnvironment | None:
    from dvc_modelver.core.environment import parse

    try:
        return TrainingEnvironment(file=path, digest=hashlib.sha256(data).hexdigest(), recorded=parse(data, name=path))
    except BadInput:  # somebody else's file of that name
        return None


def _fetch(project: Project, outputs: Sequence[Output]) -> None:
    """Bring what the cache lacks.  Raises `DataError`, `EnvironmentProblem`."""
    from dvc_modelver.dvcio.fetch import ensure_in_cache

    around = project.around
    ensure_in_cache(project.data_root, outputs, foreign=project.foreign, env=around.env, progress=around.progress)
