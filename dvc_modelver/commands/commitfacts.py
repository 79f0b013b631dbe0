"""What a commit says of an artifact, from the cache or from its own files.

The parsers are imported only when a file has to be parsed: a cached answer must not pay for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.factscache import CommitFacts
from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared, FileProblem
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.records import Record
from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    from dvc_modelver.commands.cards.facts import CardSource


def read_ahead(project: Project, name: str, commits: Sequence[str]) -> None:
    """Bring what `artifact_at` will read of these commits, except of those whose answers are remembered."""
    missing = [commit for commit in commits if commit and project.facts_cache.get(name, commit) is None]
    folder = name.rpartition(":")[0]
    if missing:
        files = ("dvc.yaml", "dvc.lock")
        project.objects.read_ahead(missing, [f"{folder}/{file}" if folder else file for file in files])


def artifact_at(
    project: Project, name: str, commit: str, at_hand: Bytes, record: Record | None = None
) -> ArtifactFacts:
    """Where the bytes of artifact `name` are according to `commit`; what is wrong stands in `problem`."""
    known = project.facts_cache.get(name, commit)
    if known is not None:
        return known
    from dvc_modelver.dvcio.facts import artifact_facts
    from dvc_modelver.dvcio.project import declared_one

    try:
        tree = project.tree(commit)
        declared = declared_one(tree, name)
        if declared is None and record is not None and record.path is not None:
            declared = Declared(name=name, file="dvc.yaml", path=record.path)
        if declared is None:
            return ArtifactFacts(path=None, problem="its commit declares no such artifact")
        found = artifact_facts(tree, declared, listing=at_hand.listing)
    except ModelverError as error:
        return ArtifactFacts(path=None, problem=error.message)
    if found.source is not Source.MISSING and found.problem is None:
        project.facts_cache.put(name, commit, found)
    return found


def commit_facts(project: Project, name: str, commit: str, at_hand: Bytes) -> CommitFacts:
    """Params, metrics and data of artifact `name` at `commit`; empty where the commit is not here.

    Raises `BadInput` when its `dvc.yaml` or `dvc.lock` cannot be read.
    """
    known = project.facts_cache.get_all(name, commit)
    if known is not None:
        return known
    from dvc_modelver.commands.cards.facts import TreeReader
    from dvc_modelver.dvcio import facts as dvc_facts
    from dvc_modelver.dvcio.project import declared_one

    if project.objects.commit(commit) is None:
        return CommitFacts(params={}, metrics={})
    tree = project.tree(commit)
    declared = declared_one(tree, name)
    if declared is None:
        return CommitFacts(params={}, metrics={})
    params = dvc_facts.params(tree, declared)
    metrics = dvc_facts.metrics(tree, declared, blob=at_hand.blob, listing=at_hand.listing)
    environment, absent = _environment(TreeReader(project, tree, at_hand).source(declared))
    found = CommitFacts(
        declared=declared,
        params=params.values,
        metrics=metrics.values,
        data=dvc_facts.data_of(tree, declared),
        environment=environment,
        problems=(*params.problems, *metrics.problems, *absent),
    )
    project.facts_cache.put_all(name, commit, found)
    return found


def _environment(source: CardSource) -> tuple[Mapping[str, object] | None, tuple[FileProblem, ...]]:
    """The training's environment as JSON has it, and the document when DVC keeps it and it is not at hand."""
    found, _, absent = source.environment
    gone = tuple(FileProblem(file=path, problem=f"{path} is in DVC's cache, and not at hand") for path in absent)
    if found is None:
        return None, gone
    document: Mapping[str, object] = {}
    if found.recorded is not None:
        from dvc_modelver.core.environment import document as as_json

        document = as_json(found.recorded)
    return {"file": found.file, "sha256": found.digest, "recorded": found.recorded is not None, **document}, gone
