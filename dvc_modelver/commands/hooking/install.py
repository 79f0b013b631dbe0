"""`hooks install`, `hooks uninstall`: plan by what is there, apply, say how each guard is now.

A hook file of somebody else is never edited: it gets another name, and ours runs it first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.commands.hooking.files import HookFiles, read_hook_files, read_script
from dvc_modelver.commands.hooking.guards import LIVE, Guard
from dvc_modelver.commands.hooking.places import hook_place, is_own
from dvc_modelver.commands.hooking.scripts import HOOKS, Kind, hook_script
from dvc_modelver.commands.hooking.status import OPTIONAL, advice, merge_driver, read_guards
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Step
from dvc_modelver.errors import EnvironmentProblem, Refused
from dvc_modelver.gitio.lock import writing
from dvc_modelver.gitio.placing import is_folder, temporary_of

_MODE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooked:
    """What was done, or would be."""

    action: str
    dry_run: bool
    steps: tuple[Step, ...]
    guards: tuple[Guard, ...]
    """As they are now: a dry run changes none."""
    advice: tuple[str, ...] = ()
    """What only people can do: the lines for hook files that are not ours to edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One change to a directory of hooks."""

    do: str
    target: Path
    source: Path | None = None
    """What gets the name `target`."""
    text: bytes | None = None
    """What is written to `target`."""


def install(
    project: Project, *, merge_driver: bool = False, dry_run: bool = False, python: str = sys.executable
) -> Hooked:
    """Make every guard live that can be, beside whatever hooks are there; again, it changes nothing.

    Args:
        merge_driver: install the merge driver for DVC's files too.
        python: the interpreter that the hooks start.

    Raises:
        Refused: two hooks of others stand where one can be kept.
        EnvironmentProblem: a bare repository, or a directory that cannot be written.
    """
    place = hook_place(project)
    names = [name for name in HOOKS if name != OPTIONAL or project.config.hooks.messages]

    def plan() -> list[_Change]:
        found = (read_hook_files(place.directory, name) for name in names) if place.editable else ()
        return [change for files in found for change in _plan_install(files, python)]

    steps = _apply(project, plan, dry_run)
    if merge_driver:
        steps += _driver(project, "install_driver", dry_run)
    guards = read_guards(project)
    lacking = [guard.name for guard in guards if guard.name in names and guard.state != LIVE]
    advised = () if place.editable else tuple(advice(place, name) for name in names if name in lacking)
    return Hooked(action="hooks install", dry_run=dry_run, steps=tuple(steps), guards=guards, advice=advised)


def uninstall(project: Project, *, dry_run: bool = False) -> Hooked:
    """Take every hook of ours away, and the merge driver; what stood there before is there again, byte for byte.

    Raises `EnvironmentProblem` in a bare repository, or where a directory cannot be written.
    """
    place = hook_place(project)
    own = project.repository.common_dir / "hooks"
    # Ours may lie there unused, since core.hooksPath was set later.
    directories = dict.fromkeys([own] * is_own(project, own) + [place.directory] * place.editable)

    def plan() -> list[_Change]:
        return [c for d in directories for name in HOOKS for c in _plan_uninstall(read_hook_files(d, name))]

    steps = _apply(project, plan, dry_run)
    steps += _driver(project, "remove_driver", dry_run)
    if not dry_run and steps:
        with suppress(OSError):  # only an empty directory goes
            own.rmdir()
    return Hooked(action="hooks uninstall", dry_run=dry_run, steps=tuple(steps), guards=read_guards(project))


def _driver(project: Project, what: str, dry_run: bool) -> list[Step]:
    driver = merge_driver()
    if driver is None:
        if what == "install_driver":
            raise EnvironmentProblem("this installation has no merge driver", hint="install modelver again")
        return []
    return list(getattr(driver, what)(project, dry_run=dry_run))


# Plans --------------------------------------------------------------------------------------------------------------


def _plan_install(files: HookFiles, python: str) -> Iterator[_Change]:
    kind = files.spot_kind
    if kind in (Kind.EDITED, Kind.CALLS_US):
        return
    text = hook_script(files.name, python)
    if kind is Kind.OURS and read_script(files.spot) == text and os.access(files.spot, os.X_OK):
        return
    if kind in (Kind.OTHER, Kind.PRE_COMMIT):
        if os.path.lexists(files.kept) and not _same(files.kept, files.spot):
            message = f"{files.spot} and {files.kept.name} beside it are both hooks of others"
            raise Refused(message, hint=f"make one of them, as {files.spot.name}, and remove {files.kept.name}")
        yield _Change(do="keep", source=files.spot, target=files.kept)
    yield _Change(do="write", target=files.spot, text=text)


def _plan_uninstall(files: HookFiles) -> Iterator[_Change]:
    if files.spot_kind is Kind.EDITED:
        if os.path.lexists(files.edited):
            message = f"{files.spot} was edited by hand, and {files.edited.name} is there already"
            raise Refused(message, hint=f"move {files.edited.name} away")
        yield _Change(do="set aside", source=files.spot, target=files.edited)
    if os.path.lexists(files.kept) and (files.is_ours or files.spot_kind is None):
        yield _Change(do="put back", source=files.kept, target=files.spot)
    elif files.spot_kind is Kind.OURS:
        yield _Change(do="remove", target=files.spot)
    elif os.path.lexists(files.kept) and _same(files.kept, files.spot):
        yield _Change(do="remove", target=files.kept)
    if os.path.lexists(temporary_of(files.spot)):  # an install was killed
        yield _Change(do="remove", target=temporary_of(files.spot))


def _same(one: Path, other: Path) -> bool:
    """Whether an install was killed between giving the second name and writing ours."""
    return os.path.samestat(os.lstat(one), os.lstat(other))


# Applying -----------------------------------------------------------------------------------------------------------


def _apply(project: Project, plan: Callable[[], list[_Change]], dry_run: bool) -> list[Step]:
    if dry_run:
        changes = plan()
    else:
        with writing(project.repository.state_dir):  # what another command has half done is no state to plan by
            changes = plan()
            for change in changes:
                _do(change)
    return [Step(change.do, _target(change)) for change in changes]


def _target(change: _Change) -> str:
    return f"{change.source} as {change.target.name}" if change.source is not None else str(change.target)


def _do(change: _Change) -> None:
    if change.text is not None:
        _write(change.target, change.text)
    elif change.do == "keep" and change.source is not None:
        _give_name(change.source, change.target)
    elif change.source is not None:
        if is_folder(change.source):  # it replaces no file
            change.target.unlink(missing_ok=True)
        os.replace(change.source, change.target)
    else:
        change.target.unlink(missing_ok=True)


def _give_name(source: Path, target: Path) -> None:
    """A second name where the file system can: then git finds a hook at every moment until ours replaces it."""
    with suppress(FileExistsError):
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            os.rename(source, target)


def _write(path: Path, text: bytes) -> None:
    """Whole or not at all; what a kill leaves behind is replaced the next time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        temporary.unlink(missing_ok=True)
        temporary.write_bytes(text)
        temporary.chmod(_MODE)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
