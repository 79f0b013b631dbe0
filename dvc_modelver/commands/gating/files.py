"""The files that the gate reads and writes by name; what a link of the repository leads to is not among them."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from dvc_modelver.commands.gating.policy import read_file
from dvc_modelver.commands.project import Project
from dvc_modelver.dvcio.paths import path_problem, shown
from dvc_modelver.errors import BadInput, Conflict, Refused


def read_named(project: Project, file: str, hint: str = "") -> bytes:
    """The bytes of a file that somebody named, as seen from the directory that the command works in.

    Raises:
        Refused: it lies in the repository, and a link leads out of it, or into `.git`.
        BadInput: there is nothing to read.
    """
    path = _plain(project, file)
    inside = _inside(project, path)
    if inside is not None:
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(project.root))
        if not real.is_relative_to(root) or _is_git(project, real):
            raise Refused(f"{shown(file)} leads out of the repository's files", hint="name the place itself")
    return read_file(path, file, hint)


def target_of(project: Project, file: str) -> Path:
    """Where a file of that name is to be written, checked before any work.

    A link at the place itself is replaced, never followed.

    Raises:
        Refused: within `.git` or `.dvc`, or a link of the repository stands on the way.
        BadInput: no file can stand there.
    """
    path = _plain(project, file)
    inside = _inside(project, path)
    if inside is not None:
        problem = path_problem(inside)
        if problem is not None:
            raise Refused(f"cannot write {shown(file)}: {problem}", hint="name a file among the repository's own")
        linked = next((name for name in _above(inside) if os.path.islink(project.root / name)), None)
        if linked is not None:
            raise Refused(
                f"{shown(linked)} is a symbolic link: {shown(file)} would be written elsewhere",
                hint="name the place itself",
            )
    elif _is_git(project, Path(os.path.realpath(path))):
        raise Refused(f"cannot write {shown(file)}: the path leads into '.git'", hint="name another file")
    _refuse_no_file(path, file, replaced=inside is not None)
    return path


def refuse_other(path: Path, file: str, keys: Collection[str]) -> None:
    """Raises `Conflict` when a file is there that says something else: a policy, metrics, what people wrote.

    Args:
        keys: what stands in any file that we wrote there before, also in one with conflict markers.
    """
    if path.is_symlink() or not path.is_file():
        return
    data = path.read_bytes()
    if data.strip() and not all(f'"{key}":'.encode() in data for key in keys):
        raise Conflict(f"{shown(file)} is there, and holds something else", hint="name another file, or remove it")


def _plain(project: Project, file: str) -> Path:
    if not file or "\0" in file:
        raise BadInput("the name of a file is empty, or none", hint="name a file")
    return Path(os.path.normpath(project.around.directory.resolve() / file))


def _inside(project: Project, path: Path) -> str | None:
    """The path from the repository's root; None for a place elsewhere.  Links are not followed but to the root."""
    root = project.repository.root
    above = (parent for parent in path.parents if root is not None and _same(parent, root))
    top = next(above, None)
    return None if top is None else path.relative_to(top).as_posix()


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _above(path: str) -> list[str]:
    return [parent.as_posix() for parent in reversed(Path(path).parents[:-1])]


def _is_git(project: Project, real: Path) -> bool:
    places = {project.repository.git_dir, project.repository.common_dir}
    return any(real.is_relative_to(os.path.realpath(place)) for place in places)


def _refuse_no_file(path: Path, file: str, *, replaced: bool) -> None:
    """`replaced`: whether a link there may go."""
    above = next((parent for parent in path.parents if os.path.lexists(parent)), None)
    if above is not None and not above.is_dir():
        raise BadInput(f"cannot write {shown(file)}: {shown(above.name)} is no directory", hint="name another file")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode) and not (replaced and stat.S_ISLNK(mode)):
        raise BadInput(f"cannot write {shown(file)}: what is there is no file", hint="name a file")
