"""Where a version comes from, as a graph: the types.  Edges point from cause to effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from dvc_modelver.core.tagobjects import Identity


class NodeKind(str, Enum):
    """What a node is."""

    DATA = "data"
    CODE = "code"
    PARAMS = "params"
    ENVIRONMENT = "environment"
    PIPELINE_STAGE = "pipeline-stage"
    ARTIFACT = "artifact"
    VERSION = "version"
    STAGE = "stage"
    IMPORT = "import"
    EXPERIMENT = "experiment"


class EdgeKind(str, Enum):
    """What the cause has to do with the effect."""

    USED = "used"
    """An input with the pipeline stage that read it; an import with the data that it became."""
    PRODUCED = "produced"
    """A pipeline stage with what it wrote."""
    RELEASED = "released"
    """An artifact with its version; an experiment with the version that it became."""
    PROMOTED = "promoted"
    """A version with the stage that holds it."""
    PREVIOUS = "previous"
    """A version with the one that came after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The commit that first produced a digest."""

    commit: str
    author: Identity
    at: datetime
    """Author's date, UTC."""
    path: str
    """Where the bytes were then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing on the way to a version."""

    id: str
    """`KIND:PATH@DIGEST`."""
    kind: NodeKind
    label: str
    path: str | None = None
    """From the root; a URL for data outside the repository; None for versions and stages."""
    digest: str | None = None
    """`md5:...`, `md5:....dir`, `git:...` for files in Git, `sha256:...` of the values of params and environments."""
    size: int | None = None
    origin: Origin | None = None
    """None where history does not say."""
    returned: tuple[str, ...] = ()
    """Commits at which the digest came back after it had gone, oldest first."""
    details: Mapping[str, str] = field(default_factory=dict)
    """More that is worth showing, in that order: `cmd`, `url`, `rev`, `value`, `tag`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`source` is the cause of `target`; both are ids of nodes."""

    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The graph of one version."""

    root: str
    """Id of the version's node."""
    nodes: tuple[Node, ...]
    """Sorted by id."""
    edges: tuple[Edge, ...]
    """Sorted, unique."""
    complete: bool = True
    notes: tuple[str, ...] = ()
    """What is missing when it is not complete, and why: one sentence each."""
