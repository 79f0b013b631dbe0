"""The types that facts about a commit come in.  Filled by `dvcio`, used by everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Scalar = str | int | float | bool | None


class Source(str, Enum):
    """Which file of the commit names an artifact's bytes."""

    STAGE = "stage"
    DVC = "dvc"
    GIT = "git"
    URL = "url"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output or dependency that DVC tracks: where it lies and which bytes it names."""

    path: str
    """From the repository's root, POSIX; or a URL."""
    digest: str | None
    """`md5:HEX`, `md5:HEX.dir` for a directory, `etag:...` as DVC has it; None when DVC has none yet."""
    size: int | None = None
    files: int | None = None
    hash_name: str = "md5"
    """`md5`, or `md5-dos2unix` for files that DVC 2 wrote (another place in the cache)."""
    cached: bool = True
    """False for `cache: false`: the bytes are in Git or nowhere."""
    remote: str | None = None
    """The DVC remote that this output names for itself, else None."""
    pushed: bool = True
    """False for `push: false`: the bytes shall not leave this machine's cache."""
    root: str = ""
    """Directory of the DVC repository (`.dvc`) that holds it, from the Git root; empty at the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFacts:
    """Where the bytes of an artifact are, according to one commit."""

    path: str | None
    """From the repository's root, or a URL; None when the commit does not say."""
    type: str | None = None
    kind: str | None = None
    """`file` or `directory`."""
    digest: str | None = None
    """`md5:HEX` of a file, `md5:HEX.dir` of a directory."""
    size: int | None = None
    """Bytes; of a directory, of all its files."""
    files: int | None = None
    """Number of files of a directory; None for a file."""
    source: Source = Source.MISSING
    output: Output | None = None
    """The DVC output that holds it: itself, or the tracked directory above it."""
    inside: str | None = None
    """Path inside `output` when the artifact is one file or folder of a tracked directory."""
    blob: str | None = None
    """Git object id when `source` is `git`, or of an output with `cache: false` that is in Git."""
    lfs: str | None = None
    """sha256 that a Git LFS pointer names; the blob is then the pointer, and `digest` None."""
    files_read: tuple[str, ...] = ()
    """The files of the commit that this was read from: `dvc.yaml`, `dvc.lock`, `x.dvc`."""
    problem: str | None = None
    """Why `source` is `missing`, in words, else None."""

    @property
    def in_cache(self) -> bool:
        """Whether DVC keeps the bytes in its cache and remotes (rather than Git, a URL, or nobody)."""
        return self.output is not None and self.output.cached and self.source in (Source.STAGE, Source.DVC)


Values = Mapping[str, Mapping[str, Scalar]]
"""FILE -> KEY -> value; nested keys are joined with dots, a dot inside a key is written `\\.`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of a slice; two slices are the same exactly when their parts are equal."""

    kind: str
    """`definition`, `lock`, `code`, `output`, `dvc`, `params`, `artifact`."""
    path: str
    """File (and for lock entries and definitions `FILE:STAGE`, for params `FILE:KEY`)."""
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """All of a commit that makes one model."""

    parts: tuple[Part, ...]
    """Sorted by kind and path, unique."""
    files: tuple[str, ...]
    """The Git-tracked files that hold the parts, sorted."""
    outputs: tuple[Output, ...]
    """Every DVC-cached output on the way, the artifact's own included."""
