"""The part of a lineage that one commit tells: pipeline stages, data, code, params, environment, imports."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards.facts import CardSource, TreeReader
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.ancestry import read_ancestry
from dvc_modelver.commands.provenance.ancestryasks import Ask
from dvc_modelver.commands.provenance.lineagegraph import Graph
from dvc_modelver.core import recipe as recipes
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Output, Scalar, Source
from dvc_modelver.core.lineage import EdgeKind, NodeKind
from dvc_modelver.core.recipe import Input, Kind, Recipe, Step
from dvc_modelver.core.secrets import redact_text, redact_value
from dvc_modelver.core.text import redact
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.lock import digest_of
from dvc_modelver.errors import ModelverError

MAX_REPOSITORIES = 8
"""Imports of imports are followed so deep."""


def open_part(graph: Graph, project: Project, commit: str, at_hand: Bytes, *, where: str = "") -> TreeLineage:
    """The part that `commit` tells; `where` names its repository when it is another than the version's."""
    return TreeLineage(graph, TreeReader(project, project.tree(commit), at_hand), commit, where)


class TreeLineage:
    """Adds to `graph` what one commit says of one artifact; `finish` asks history for the origins."""

    def __init__(self, graph: Graph, reader: TreeReader, commit: str, where: str) -> None:
        self.graph = graph
        self.reader = reader
        self.commit = commit
        self.where = where
        self.tree: Tree = reader.tree
        self._home = ""
        self._asks: dict[str, Ask] = {}
        self._written: dict[tuple[str, str | None], str] = {}
        """(path, digest) -> node of what is not plain data: the artifact, the environment."""
        self._steps: dict[str, tuple[str, tuple[Output, ...]]] = {}
        self._params: dict[str, dict[str, Scalar]] = {}
        self._imports: list[tuple[recipes.Origin, str, str]] = []

    def finish(self) -> None:
        """Ask the history of the commit for all origins, then follow the imports."""
        found = read_ancestry(self.reader.project, self.commit, tuple(self._asks.values()), self.reader.at_hand)
        for node, answer in found.answers.items():
            self.graph.tell(node, origin=answer.origin, returned=answer.returned)
        of = f"in {redact(self.where)}: " if self.where else ""
        for note in found.notes:
            self.graph.note(f"{of}{note}")
        self.graph.complete &= found.complete
        for origin, node, file in self._imports:
            self._follow(origin, node, file)

    def _add(self, kind: NodeKind, path: str, digest: str | None, *, label: str, size: int | None = None) -> str:
        return self.graph.add(kind, path, digest, label=label, where=self.where, size=size)

    def _ask(self, ask: Ask) -> None:
        """Ask history once for each node, of which something is known to ask for."""
        if any((ask.digest, ask.blob, ask.folder, ask.entry, ask.imported, ask.values)):
            self._asks.setdefault(ask.node, ask)

    # The artifact -----------------------------------------------------------------------------------------------

    def artifact(self, declared: Declared, kind: NodeKind) -> str:
        """The node of the artifact, with everything that led to it and that measured it."""
        self._home = declared.file
        source = self.reader.source(declared)
        facts, recipe = source.artifact, source.recipe
        node = self._artifact(facts, declared, kind)
        for step in recipe.steps:
            for file, values in step.params.items():
                self._params.setdefault(file, {}).update(values)
        for step in recipe.steps:
            made = self._step(step, known=True)
        if recipe.steps:
            self.graph.connect(made, node, EdgeKind.PRODUCED)
        self._environment(source, recipe, made if recipe.steps else node)
        for step in recipe.steps:
            self._outputs(step)
        for step in recipe.evaluation:
            self._step(step, known=False)
        for step in recipe.evaluation:
            self._outputs(step)
        if recipe.origin is not None:
            self._import(recipe.origin, node, facts.digest, self._dvc_file(facts))
        return node

    def _artifact(self, facts: ArtifactFacts, declared: Declared, kind: NodeKind) -> str:
        path = facts.path or declared.path or declared.name
        label = path if kind is not NodeKind.ARTIFACT else f"{declared.name} ({path})"
        if facts.problem is not None:
            self.graph.miss(f"{paths.shown(path)}: {facts.problem}")
        if facts.source is Source.GIT:
            entry = self.tree.entry(path)
            oid = entry.oid if entry is not None else None
            digest = f"git:{oid}" if oid else None
            node = self._add(kind, path, digest, label=label, size=facts.size)
            self._ask(Ask(node=node, folder=oid) if facts.kind == "directory" else Ask(node=node, blob=oid))
        else:
            node = self._add(kind, path, facts.digest, label=label, size=facts.size)
            self._ask(Ask(node=node, digest=facts.digest, inside=_directory(facts)))
        self._written[path, facts.digest] = node
        if facts.files is not None:
            self.graph.tell(node, details={"files": str(facts.files)})
        return node

    def _dvc_file(self, facts: ArtifactFacts) -> str:
        return next((file for file in reversed(facts.files_read) if file.endswith(".dvc")), self._home)

    # Pipeline stages --------------------------------------------------------------------------------------------

    def _step(self, step: Step, *, known: bool) -> str:
        """One pipeline stage with what it read; `known` when all that it read has to be accounted for."""
        file, colon, name = step.name.rpartition(":")
        file = file if colon else self._home
        pipeline = self.reader.commit.pipeline(file)
        stage = pipeline.lock.stage(name) if pipeline is not None else None
        digests = [i.digest for i in (*stage.outs, *stage.deps) if i.digest] if stage is not None else []
        node = self._add(
            NodeKind.PIPELINE_STAGE,
            f"{file}:{name}",
            f"sha256:{stage.digest}" if stage is not None else None,
            label=step.name,
        )
        entry = stage.digest if stage is not None else None
        self._ask(Ask(node=node, entry=entry, holds=tuple(digests)))
        if step.cmd:
            self.graph.tell(node, details={"cmd": redact_text(step.cmd)})
        self._steps[step.name] = (node, step.outs)
        for found in step.inputs:
            self.graph.connect(self._input(found, known), node, EdgeKind.USED)
        for params, values in step.params.items():
            self.graph.connect(self._values(params, values), node, EdgeKind.USED)
        return node

    def _outputs(self, step: Step) -> None:
        node = self._steps[step.name][0]
        for out in step.outs:
            made = self._data(out)
            if self.graph.nodes[made].kind is not NodeKind.ENVIRONMENT:
                self.graph.connect(node, made, EdgeKind.PRODUCED)

    def _data(self, output: Output) -> str:
        known = self._written.get((output.path, output.digest))
        if known is not None:
            return known
        node = self._add(NodeKind.DATA, output.path, output.digest, label=output.path, size=output.size)
        located = self.reader.commit.find(output.path, self._home)
        inside = None
        if located is not None and paths.inside(output.path, located.output.path):
            inside = located.output, output.path[len(located.output.path) + 1 :]
        self._ask(Ask(node=node, digest=output.digest, inside=inside))
        return node

    def _input(self, found: Input, known: bool) -> str:
        if found.kind is Kind.CODE:
            return self._code(found.output)
        node = self._data(found.output)
        if found.kind is Kind.DATA and found.by is not None:
            self.graph.tell(node, details={"dvc": found.by})
        if found.kind is Kind.STAGE and found.by is not None:
            self._produced_by(found, node, known)
        if found.origin is not None:
            self._import(found.origin, node, found.output.digest, found.by or self._home)
        return node

    def _produced_by(self, found: Input, node: str, known: bool) -> None:
        """A part of a directory that a pipeline stage wrote, or bytes that it wrote in an earlier run."""
        producer, outs = self._steps.get(found.by or "", ("", ()))
        output = found.output
        for out in outs:
            if out.path == output.path and out.digest == output.digest:
                return
            if paths.inside(output.path, out.path):
                self.graph.connect(producer, node, EdgeKind.PRODUCED)
                return
        if known:
            path = paths.shown(output.path)
            self.graph.miss(f"{path} was read as an earlier run of {paths.shown(found.by or '')} had written it")

    def _code(self, output: Output) -> str:
        """A file in Git is its blob; where the pipeline stage read other bytes than the commit has, those."""
        entry = self.tree.entry(output.path)
        oid = entry.oid if entry is not None else None
        folder = entry is not None and entry.is_directory
        changed = not folder and not self._is(output)
        digest = output.digest if changed else f"git:{oid}"
        node = self._add(NodeKind.CODE, output.path, digest, label=output.path, size=output.size)
        if not changed:
            self._ask(Ask(node=node, folder=oid) if folder else Ask(node=node, blob=oid))
        else:
            self._ask(Ask(node=node, digest=digest))
            self.graph.tell(node, details={"committed": f"git:{oid}"})
        return node

    def _is(self, output: Output) -> bool:
        """Whether the commit's file is what the pipeline stage read; also when nothing says otherwise."""
        data = self.tree.read(output.path)
        if data is None or output.digest is None or not output.digest.startswith("md5:"):
            return True
        forms = (data, data.replace(b"\r\n", b"\n")) if output.hash_name != "md5" else (data,)
        return any(f"md5:{hashlib.md5(form, usedforsecurity=False).hexdigest()}" == output.digest for form in forms)

    def _values(self, file: str, values: Mapping[str, Scalar]) -> str:
        """One node for all that the pipeline stages up to the artifact used of a file."""
        all_used = self._params.get(file, {})
        used = all_used if all(k in all_used and all_used[k] == v for k, v in values.items()) else values
        node = self._add(NodeKind.PARAMS, file, f"sha256:{digest_of(dict(used))}", label=file)
        self._ask(Ask(node=node, values=(file, dict(used)) if used else None))
        self.graph.tell(node, details={key: redact_value(key, used[key]) for key in sorted(used)})
        return node

    def _environment(self, source: CardSource, recipe: Recipe, effect: str) -> None:
        found, kept, gone = source.environment
        file = found.file if found is not None else gone[0] if gone else None
        if file is None:
            return
        digest = kept.rpartition(" ")[2] if kept is not None else None
        entry = self.tree.entry(file) if digest is None else None
        shown = f"sha256:{found.digest}" if found is not None else digest
        node = self._add(NodeKind.ENVIRONMENT, file, shown, label=file)
        self._ask(Ask(node=node, digest=digest, blob=entry.oid if entry is not None else None))
        if digest is not None:
            self._written[file, digest] = node
        if found is not None and found.recorded is not None:
            self.graph.tell(node, details=dict(found.recorded.python or {}))
        if gone:
            self.graph.note(f"{paths.shown(file)} is in DVC's cache, and not at hand")
        self.graph.connect(node, effect, EdgeKind.USED)

    # Imports ----------------------------------------------------------------------------------------------------

    def _import(self, origin: recipes.Origin, node: str, digest: str | None, file: str) -> None:
        """Where data came from; followed later when it is a repository on this machine."""
        place = f"{origin.url}:{origin.path}" if origin.url is not None else origin.path
        made = self.graph.add(NodeKind.IMPORT, place, origin.rev_lock or digest, label=place)
        if origin.url is not None:
            self._ask(Ask(node=made, imported=(origin.url, origin.path, origin.rev_lock)))
        else:
            self._ask(Ask(node=made, digest=digest))
        said = {"url": origin.url or origin.path, "rev": origin.rev, "rev_lock": origin.rev_lock, "dvc": file}
        self.graph.tell(made, details={key: redact_text(value) for key, value in said.items() if value})
        self.graph.connect(made, node, EdgeKind.USED)
        if origin.url is not None:
            self._imports.append((origin, made, file))

    def _follow(self, origin: recipes.Origin, node: str, file: str) -> None:
        named = f"{paths.shown(origin.url or '')} at {paths.shown((origin.rev_lock or origin.rev or 'HEAD')[:12])}"
        place = self._place(origin.url or "", file)
        if place is None:
            self.graph.miss(f"{paths.shown(origin.path)} was imported from {named}, which is not followed")
            return
        key = (str(place), origin.rev_lock or "", origin.path)
        if key in self.graph.followed or len(self.graph.followed) >= MAX_REPOSITORIES:
            return
        self.graph.followed.add(key)
        try:
            self._read_other(place, origin, node)
        except ModelverError as error:
            self.graph.miss(f"{paths.shown(origin.path)} was imported from {named}: {redact(error.message)}")

    def _place(self, url: str, file: str) -> Path | None:
        """The directory on this machine that `url` names; none for somebody else's repository to lead us to."""
        root = self.reader.project.repository.root
        if root is None or (self.reader.project.foreign and not self.where):
            return None
        local = url.removeprefix("file://")
        if paths.is_url(local) or not local:
            return None
        bases = (root / paths.directory(file), root)
        return next((base / local for base in bases if os.path.isdir(base / local)), None)

    def _read_other(self, place: Path, origin: recipes.Origin, node: str) -> None:
        from dvc_modelver.commands.elsewhere import open_elsewhere

        with open_elsewhere(self.reader.project.around, str(place.resolve())) as other, Bytes(other) as at_hand:
            commit = other.objects.commit(origin.rev_lock or origin.rev or "HEAD")
            if commit is None:
                self.graph.miss(
                    f"{paths.shown(str(origin.url))} has no commit {paths.shown(origin.rev_lock or '')[:12]}"
                )
                return
            part = open_part(self.graph, other, commit, at_hand, where=origin.url or "")
            declared = Declared(name=origin.path, file="dvc.yaml", path=origin.path)
            self.graph.connect(part.artifact(declared, NodeKind.DATA), node, EdgeKind.USED)
            part.finish()


def _directory(facts: ArtifactFacts) -> tuple[Output, str] | None:
    """The tracked directory that an artifact lies in, and its path there."""
    if facts.inside is None or facts.output is None:
        return None
    return facts.output, facts.inside
