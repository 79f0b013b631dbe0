"""`hooks status`: whether each guard is live, and if not, what git meets instead."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from dvc_modelver.commands.hooking.files import HookFiles, read_hook_files, read_script
from dvc_modelver.commands.hooking.guards import ABSENT, BROKEN, LIVE, SHADOWED, Guard
from dvc_modelver.commands.hooking.places import LINKED, HookPlace, Owner, hook_place
from dvc_modelver.commands.hooking.scripts import HOOKS, Kind, interpreter_of, line_for
from dvc_modelver.commands.project import Project
from dvc_modelver.gitio.process import find_program

INSTALL = "modelver hooks install"
OPTIONAL = "prepare-commit-msg"
_DRIVER = "dvc_modelver.commands.hooking.driver"


def read_guards(project: Project) -> tuple[Guard, ...]:
    """Every guard, as git would meet it now.  Raises `EnvironmentProblem` in a bare repository."""
    place = hook_place(project)
    guards = tuple(_guard(project, place, name) for name in HOOKS)
    if not _installed(project, place):
        # Hooks of others are in nobody's way as long as ours are not wanted.
        guards = tuple(replace(guard, state=ABSENT) if guard.state == SHADOWED else guard for guard in guards)
    return (*guards, *_driver(project))


def _installed(project: Project, place: HookPlace) -> bool:
    """Whether any hook of ours is in this clone."""
    own = project.repository.common_dir / "hooks"
    found = (read_hook_files(folder, name) for folder in {own, place.directory} for name in HOOKS)
    return any(files.is_ours or files.top_kind is Kind.CALLS_US or os.path.lexists(files.kept) for files in found)


def _driver(project: Project) -> tuple[Guard, ...]:
    driver = merge_driver()
    return () if driver is None else (driver.driver_state(project),)


def merge_driver() -> ModuleType | None:
    """The module of the merge driver; None where this installation has none."""
    try:
        return import_module(_DRIVER)
    except ModuleNotFoundError:
        return None


def _guard(project: Project, place: HookPlace, name: str) -> Guard:
    files = read_hook_files(place.directory, name)
    if not place.editable:
        return _elsewhere(project, place, files)
    if files.top_kind is None:
        return _absent(project, name)
    if not _runs(files.top):
        return _said(name, SHADOWED, "its file is not executable, so git passes it by", f"chmod +x {files.top}")
    if place.setting.startswith("-"):
        fact = f"core.hooksPath is {place.setting}: sh takes the path of each hook there for an option"
        return _said(name, BROKEN, fact, f"git config core.hooksPath {shlex.quote(str(place.directory))}")
    if files.is_ours:
        return _ours(project, files)
    if files.top_kind is Kind.CALLS_US:
        return _by_name(project, name)
    if files.top_kind is Kind.PRE_COMMIT:
        return _said(name, SHADOWED, "pre-commit's hook is there, and does not run ours", INSTALL)
    return _said(name, SHADOWED, "another hook is there, and does not run ours", INSTALL)


def _absent(project: Project, name: str) -> Guard:
    if name == OPTIONAL and not project.config.hooks.messages:
        return _said(name, ABSENT, "not asked for: hooks.messages is false", "")
    return _said(name, ABSENT, "not installed", INSTALL)


def _ours(project: Project, files: HookFiles) -> Guard:
    if not _runs(files.spot):
        return _said(files.name, SHADOWED, f"{files.spot.name} is not executable", f"chmod +x {files.spot}")
    text = read_script(files.spot)
    if text.startswith(b"#!/bin/sh\r"):
        again = "modelver hooks uninstall, then modelver hooks install"
        remedy = INSTALL if files.spot_kind is Kind.OURS else again
        return _said(files.name, BROKEN, "its lines end as on Windows, so git cannot start it", remedy)
    python = interpreter_of(text)
    if not os.path.isabs(python) or not _runs(Path(python)):
        return _said(files.name, BROKEN, f"its interpreter is gone: {python or 'none is named'}", INSTALL)
    details = ["after pre-commit's"] if files.top_kind is Kind.PRE_COMMIT else []
    details += [f"after {files.kept.name}"] if _runs(files.kept) else []
    details += ["edited by hand"] if files.spot_kind is Kind.EDITED else []
    if files.name == OPTIONAL and not project.config.hooks.messages:
        details.append("silent while hooks.messages is false")
    return _said(files.name, LIVE, ", ".join(details), "")


def _by_name(project: Project, name: str) -> Guard:
    """Somebody's own script starts `modelver` by its name."""
    if find_program("modelver", project.around.env) is None:
        return _said(name, BROKEN, "its line calls modelver, which is not on PATH", "install modelver where git runs")
    return _said(name, LIVE, "called by the repository's own hook", "")


def _elsewhere(project: Project, place: HookPlace, files: HookFiles) -> Guard:
    if files.top_kind is Kind.CALLS_US and (place.owner is Owner.TEAM or _runs(files.top)):
        return _by_name(project, files.name)
    own = read_hook_files(project.repository.common_dir / "hooks", files.name)
    optional = files.name == OPTIONAL and not project.config.hooks.messages
    detail = f"core.hooksPath is {place.setting} (set in {place.origin})"
    if place.origin == LINKED:
        detail = f"{place.origin} leads to {place.setting}"
    if optional and not own.is_ours:
        return _absent(project, files.name)
    return _said(files.name, SHADOWED if own.is_ours else ABSENT, detail, advice(place, files.name))


def advice(place: HookPlace, name: str) -> str:
    """What makes a hook live in a directory that is not ours to write to."""
    if place.directory.exists() and not place.directory.is_dir():
        return "git config --unset core.hooksPath: git starts no hook there"
    return f"add to {place.directory / name}: {line_for(name)}"


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _said(name: str, state: str, detail: str, remedy: str) -> Guard:
    return Guard(name=name, state=state, detail=detail, remedy=remedy)
