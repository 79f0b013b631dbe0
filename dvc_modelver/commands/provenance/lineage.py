"""`lineage`: where a version comes from, as a graph, from its commit and the history behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.lineagegraph import Graph
from dvc_modelver.commands.provenance.lineagetree import TreeLineage, open_part
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.lineage import EdgeKind, Lineage, NodeKind, Origin
from dvc_modelver.core.records import Record
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.tagobjects import Identity, TagObject, TagRef
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import DataError
from dvc_modelver.gitio.log import deepen, read_experiments
from dvc_modelver.gitio.process import GitProcess

_user = re.compile(r"(?<=://)(?:[^/\s]*@)|^[^/:\s]*(?::[^/@\s]*)?@(?=[^/]*:)")
"""Before the host of a URL, and of what scp writes so: `git@host:path`."""


def lineage(project: Project, reference: Reference) -> Lineage:
    """The graph of the version that `reference` means.

    Raises:
        NotFound: there is no such version.
        DataError: its tag is unsound, or its commit is not here.
        BadInput: a file of its commit cannot be read.
    """
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    ref = model.release_ref(version)
    tag = project.sound_tag(model, ref)
    commit = ref.target or ""
    if project.objects.commit(commit) is None:
        raise DataError(f"the commit of {ref.name} is not here: {commit[:12]}", hint="git fetch --tags")
    if is_scratch(project):
        deepen(project.repository.git, ref.name)
    graph = Graph()
    root = graph.add(NodeKind.VERSION, model.name, str(version), label=f"{model.name}@{version}")
    graph.tell(root, origin=_made(ref, tag), details={"tag": ref.name, "commit": commit})
    if repository := remote_url(project.repository.git):
        graph.tell(root, details={"repository": repository})
    _around(project, graph, model, version, root)
    _experiment(project, graph, model.name, commit, tag.record, root)
    with Bytes(project) as at_hand:
        part = open_part(graph, project, commit, at_hand)
        made = _artifact(part, model.name, tag.record)
        if made is not None:
            graph.connect(made, root, EdgeKind.RELEASED)
        part.finish()
    return graph.result(root)


def remote_url(git: GitProcess) -> str | None:
    """The address of the remote `origin`, else of the only one, as the configuration has it but for user and secrets.

    None without any.  What `url.*.insteadOf` makes of it on this machine is not what others know the repository by.
    """
    urls = {key[7:-4]: url for key, url in git.config.items() if key.startswith("remote.") and key.endswith(".url")}
    url = urls.get("origin") or (next(iter(urls.values())) if len(urls) == 1 else None)
    return redact_text(_user.sub("", url)) if url else None


def is_scratch(project: Project) -> bool:
    """Whether it was fetched for this command, one commit deep: `open_elsewhere` says it is not shallow."""
    shallow = (project.repository.common_dir / "shallow").exists()
    return project.foreign and not project.repository.shallow and shallow


def _artifact(part: TreeLineage, name: str, record: Record | None) -> str | None:
    declared = declared_one(part.tree, name)
    if declared is None and record is not None and record.path is not None:
        declared = Declared(name=name, file="dvc.yaml", path=record.path)
    if declared is None:
        part.graph.miss("the version's commit declares no such artifact: what made it is not known")
        return None
    return part.artifact(declared, NodeKind.ARTIFACT)


def _made(ref: TagRef, tag: TagObject) -> Origin:
    """A tag is made once: by its tagger, on its commit."""
    return Origin(commit=ref.target or "", author=tag.tagger or Identity("", ""), at=tag.at, path=ref.name)


def _around(project: Project, graph: Graph, model: Model, version: Version, root: str) -> None:
    """The version before, and the stages that hold this one."""
    previous = model.previous(version)
    if previous is not None:
        ref = model.release_ref(previous)
        node = graph.add(NodeKind.VERSION, model.name, str(previous), label=f"{model.name}@{previous}")
        tag = model.tag(ref)
        origin = _made(ref, tag) if tag is not None else None
        graph.tell(node, origin=origin, details={"tag": ref.name, "commit": ref.target or ""})
        graph.connect(node, root, EdgeKind.PREVIOUS)
    for stage, held in model.stages().items():
        if held.version == version:
            name = f"{model.name}#{stage}"
            node = graph.add(NodeKind.STAGE, name, str(held.counter), label=name)
            graph.tell(node, origin=_made(held.ref, held.tag), details={"tag": held.ref.name})
            graph.connect(root, node, EdgeKind.PROMOTED)


def _experiment(project: Project, graph: Graph, name: str, commit: str, record: Record | None, root: str) -> None:
    """The DVC experiment that the version's commit is, or that our commit of the card stands on."""
    git = project.repository.git
    known = read_experiments(git)
    if not known:
        return
    raw = project.objects.raw(commit)
    header = raw[1].partition(b"\n\n")[0].split(b"\n") if raw is not None else []
    parents = [line[7:].decode("ascii") for line in header if line.startswith(b"parent ")]
    source = commit if commit in known else None
    if source is None and len(parents) == 1 and parents[0] in known:
        changed = git.text("diff-tree", "-r", "-z", "--name-only", "--no-renames", parents[0], commit).split("\0")
        card = (
            record.card.path if record is not None and record.card is not None else project.config.cards.path_of(name)
        )
        source = parents[0] if _only_card([path for path in changed if path], card) else None
    if source is not None:
        title, began = known[source]
        node = graph.add(NodeKind.EXPERIMENT, title, source, label=title)
        graph.tell(node, origin=graph.author_of(project, source, title), details={"commit": source, "began": began})
        graph.connect(node, root, EdgeKind.RELEASED)


def _only_card(changed: Sequence[str], card: str) -> bool:
    folder = card.rpartition("/")[0]
    return card in changed and all(path == card or (folder and path.startswith(f"{folder}/")) for path in changed)
