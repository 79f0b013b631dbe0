"""A lineage while it is put together: nodes by id, edges, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dvc_modelver.commands.project import Project
from dvc_modelver.core.lineage import Edge, EdgeKind, Lineage, Node, NodeKind, Origin
from dvc_modelver.core.text import redact
from dvc_modelver.gitio.log import parse_author


@dataclass(slots=True)
class Graph:
    """Grows; `result` freezes it."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: set[tuple[str, str, EdgeKind]] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)
    complete: bool = True
    followed: set[tuple[str, str, str]] = field(default_factory=set)
    """(repository, commit, path) of imports that were followed."""

    def add(
        self,
        kind: NodeKind,
        path: str,
        digest: str | None,
        *,
        label: str,
        where: str = "",
        size: int | None = None,
    ) -> str:
        """The id of the node, which is made when there is none yet; `where` is the other repository that it is in."""
        place = redact(f"{where}:{path}" if where else path)
        node = f"{kind.value}:{place}@{digest or '-'}"
        if node not in self.nodes:
            outside = kind in (NodeKind.VERSION, NodeKind.STAGE, NodeKind.EXPERIMENT)
            self.nodes[node] = Node(
                id=node,
                kind=kind,
                label=redact(label),
                path=None if outside else redact(path),
                digest=None if outside else digest,
                size=size,
                details={"repository": redact(where)} if where else {},
            )
        return node

    def tell(
        self,
        node: str,
        *,
        origin: Origin | None = None,
        returned: tuple[str, ...] = (),
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Add what is known of a node."""
        known = self.nodes[node]
        self.nodes[node] = replace(
            known,
            origin=origin or known.origin,
            returned=returned or known.returned,
            details={**known.details, **(details or {})},
        )

    def connect(self, cause: str, effect: str, kind: EdgeKind) -> None:
        """An edge; one from a node to itself is none."""
        if cause != effect:
            self.edges.add((cause, effect, kind))

    def note(self, text: str) -> None:
        self.notes[text] = None

    def miss(self, text: str) -> None:
        """The graph is not complete, for this reason."""
        self.note(text)
        self.complete = False

    def author_of(self, project: Project, commit: str, path: str) -> Origin | None:
        """A commit as the origin of itself."""
        raw = project.objects.raw(commit)
        if raw is None:
            return None
        author, at = parse_author(raw[1])
        return Origin(commit=commit, author=author, at=at, path=path)

    def result(self, root: str) -> Lineage:
        """All of it, sorted."""
        ordered = sorted(self.edges, key=lambda edge: (edge[0], edge[1], edge[2].value))
        return Lineage(
            root=root,
            nodes=tuple(self.nodes[node] for node in sorted(self.nodes)),
            edges=tuple(Edge(source=cause, target=effect, kind=kind) for cause, effect, kind in ordered),
            complete=self.complete,
            notes=tuple(self.notes),
        )
