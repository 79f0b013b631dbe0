"""Files of the work tree, read, put and removed as Git would: a symbolic link is a file of its own, never followed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from dvc_modelver.errors import EnvironmentProblem, Refused

LINK = "120000"
"""Git's mode of a symbolic link; its bytes are where it points to."""

_NOT_OURS = frozenset(("", ".", ".."))
# What HFS+ ignores in a name.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")

Content = tuple[bytes, int]
"""(bytes, `st_mode`)."""


def read_content(place: Path) -> Content | None:
    """A file or link; None when nothing lies there, or a directory.  Raises `OSError`."""
    try:
        mode = os.lstat(place).st_mode
        if stat.S_ISLNK(mode):
            return os.fsencode(os.readlink(place)), mode
        return None if stat.S_ISDIR(mode) else (place.read_bytes(), mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_folder(place: Path) -> bool:
    """Whether a directory lies there, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except OSError:
        return False


def parents_of(path: str) -> tuple[str, ...]:
    """The directories above a path from the root, outermost first."""
    return tuple(parent.as_posix() for parent in reversed(Path(path).parents[:-1]))


def is_inside(path: str) -> bool:
    """Whether a path of a tree, which somebody may have made by hand, stays in the work tree and out of `.git`."""
    return not (_NOT_OURS.intersection(path.split("/")) or any(_is_git(part) for part in re.split(r"[/\\]", path)))


def _is_git(name: str) -> bool:
    """Whether some file system takes the name for `.git`, as NTFS does with dots and spaces at its end."""
    plain = _IGNORED.sub("", name).lower().rstrip(". ")
    return plain == ".git" or plain.startswith((".git:", "git~"))


def in_the_way(root: Path, path: str, leaving: Collection[str]) -> str | None:
    """What would be lost, or followed, if a file were put at `path` after `leaving` have gone; None: nothing."""
    for parent in parents_of(path):
        if parent not in leaving and os.path.lexists(root / parent) and not is_folder(root / parent):
            return parent
    if is_folder(root / path):
        return next((name for name in _files_below(root, path) if name not in leaving), None)
    return path if os.path.lexists(root / path) and path not in leaving else None


def _files_below(root: Path, path: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root / path):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*names, *links]):
            yield Path(folder, name).relative_to(root).as_posix()


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` in one step; the directory is made.  Raises `EnvironmentProblem` when that cannot be done."""

    def fill(temporary: Path) -> None:
        temporary.write_bytes(data)
        with suppress(FileNotFoundError):
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                temporary.chmod(stat.S_IMODE(mode))

    _put(path, fill)


def put_file(root: Path, path: str, data: bytes, mode: str | None) -> None:
    """Put a file or link; an empty directory in its place goes.

    Args:
        mode: Git's; None: the mode of what lies there, a new file's when nothing does.

    Raises:
        Refused: a directory above it is a symbolic link.
        EnvironmentProblem: it cannot be written.
    """
    _refuse_linked(root, path)
    if mode == LINK and (not data or b"\0" in data):
        raise Refused(f"{path} is a symbolic link that no file system can hold")
    place = root / path
    if is_folder(place):
        with suppress(OSError):
            place.rmdir()
    if mode == LINK:
        _put(place, lambda temporary: os.symlink(os.fsdecode(data), temporary))
        return
    write_file(place, data)
    now = stat.S_IMODE(os.lstat(place).st_mode)
    wanted = now if mode is None else (now | (now & 0o444) >> 2) if mode == "100755" else now & ~0o111
    if wanted != now:
        place.chmod(wanted)


def _refuse_linked(root: Path, path: str) -> None:
    linked = next((parent for parent in parents_of(path) if (root / parent).is_symlink()), None)
    if linked is not None:
        raise Refused(f"{linked} is a symbolic link: {path} lies elsewhere", hint=f"put a directory at {linked}")


def put_back(place: Path, content: Content) -> None:
    """Put what `read_content` gave."""
    data, mode = content
    if stat.S_ISLNK(mode):
        _put(place, lambda temporary: os.symlink(os.fsdecode(data), temporary))
        return
    write_file(place, data)
    place.chmod(stat.S_IMODE(mode))


def remove_file(root: Path, path: str) -> None:
    """Remove a file or link, and the directories that hold nothing else, as Git does.

    Raises `Refused` when a directory above it is a symbolic link.
    """
    _refuse_linked(root, path)
    unlink(root / path)
    for parent in reversed(parents_of(path)):
        try:
            (root / parent).rmdir()
        except OSError:
            return


def unlink(place: Path) -> None:
    """Remove a file or link; nothing happens where none lies."""
    if not is_folder(place):
        with suppress(FileNotFoundError, NotADirectoryError):
            place.unlink()


def remove_folders(root: Path, folders: Iterable[str]) -> None:
    """Remove those that are empty."""
    for folder in folders:
        with suppress(OSError):
            (root / folder).rmdir()


def temporary_of(path: Path) -> Path:
    """The name under which the file of `path` is written."""
    return path.with_name(f".{path.name}.modelver-tmp")


def _put(path: Path, fill: Callable[[Path], None]) -> None:
    temporary = temporary_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        fill(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise EnvironmentProblem(f"cannot write {path}: {error.strerror}") from error
        raise
