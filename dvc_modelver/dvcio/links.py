"""Give a file of the cache a second name, by the ways of DVC's `cache.type`, without copying its bytes."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from dvc_modelver.errors import BadInput, EnvironmentProblem

REFLINK, HARDLINK, SYMLINK, COPY = "reflink", "hardlink", "symlink", "copy"
DEFAULT_LINKS = (REFLINK, COPY)
"""What DVC does when `cache.type` is not set."""
PROTECTED = 0o444
"""DVC's mode for bytes that the cache and the work tree share."""

_FICLONE = 0x40049409
# The failures that make DVC try the next type for this file and all after it.
_NOT_HERE = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY}
    | {errno.ENOSYS, errno.EINVAL, errno.EAGAIN}
)


class Linker:
    """Tries the types in order; one that does not work here is not tried again.  Not for several threads.

    Raises:
        BadInput: a type that DVC does not know.
    """

    def __init__(self, types: Sequence[str] = ()) -> None:
        self._types = list(types or DEFAULT_LINKS)
        unknown = sorted(set(self._types) - set(_WAYS) - {COPY})
        if unknown:
            known = ", ".join((*_WAYS, COPY))
            raise BadInput(f"cache.type names {unknown[0]!r}, which DVC does not know", hint=f"known are {known}")

    @property
    def shares(self) -> bool:
        """Whether the type in use makes the work tree share the cache's file (hard and symbolic links)."""
        return bool(self._types) and self._types[0] in (HARDLINK, SYMLINK)

    def link(self, source: Path, target: Path) -> bool:
        """Make `target`, which does not exist, without copying; False when it has to be copied.

        An empty file is made anew instead of hard-linked, as DVC does: file systems limit the links of one file.

        Raises:
            EnvironmentProblem: no type works, and copying is not among them.
            OSError: any other failure (disk full, no permission).
        """
        while self._types and self._types[0] != COPY:
            try:
                _WAYS[self._types[0]](source, target)
                return True
            except OSError as error:
                if error.errno == errno.EMLINK:
                    return False
                if error.errno not in _NOT_HERE:
                    raise
                del self._types[0]
        if not self._types:
            message = f"no link type of cache.type works from {source.parent} to {target.parent}"
            raise EnvironmentProblem(message, hint="dvc config --local cache.type reflink,copy")
        return False


def _hardlink(source: Path, target: Path) -> None:
    if source.stat().st_size == 0:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        return
    os.link(source, target)
    protect(source)


def _symlink(source: Path, target: Path) -> None:
    os.symlink(source, target)
    protect(source)


def protect(place: Path) -> None:
    """Make a shared file read-only, where that is possible."""
    with suppress(OSError):
        if stat.S_IMODE(place.stat().st_mode) != PROTECTED:
            place.chmod(PROTECTED)


def reflink(source: Path, target: Path) -> None:
    """A copy that shares its blocks until one side changes; with a new file's mode.  `OSError` where there are none."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            _clone(source, target, descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _clone(source: Path, target: Path, descriptor: int) -> None:
    if sys.platform == "linux":
        import fcntl

        with open(source, "rb") as stream:
            fcntl.ioctl(descriptor, _FICLONE, stream.fileno())
    elif sys.platform == "darwin":
        _clone_on_macos(source, target, os.fstat(descriptor).st_mode)
    else:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), str(target))


def _clone_on_macos(source: Path, target: Path, mode: int) -> None:
    import ctypes

    clonefile = getattr(ctypes.CDLL(None, use_errno=True), "clonefile", None)
    if clonefile is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), str(target))
    target.unlink()
    if clonefile(os.fsencode(source), os.fsencode(target), 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))
    target.chmod(stat.S_IMODE(mode))


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes that are known to be right, by the kernel where it can; with a new file's mode."""
    try:
        reflink(source, target)
        return
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    import shutil

    with open(source, "rb") as stream, open(target, "xb") as sink:
        if not _copied_by_kernel(stream.fileno(), sink.fileno()):
            stream.seek(0)
            sink.seek(0)
            sink.truncate()
            shutil.copyfileobj(stream, sink, 1 << 20)


def _copied_by_kernel(source: int, target: int) -> bool:
    if not hasattr(os, "copy_file_range"):
        return False
    try:
        while os.copy_file_range(source, target, 1 << 26):
            pass
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
        return False
    return os.fstat(source).st_size == os.fstat(target).st_size


_WAYS: dict[str, Callable[[Path, Path], None]] = {REFLINK: reflink, HARDLINK: _hardlink, SYMLINK: _symlink}
