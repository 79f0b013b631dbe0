"""The merge driver for DVC's files: put into this clone's Git configuration, taken out again, looked at.

Git asks a driver only where attributes name it.  Ours stand in `info/attributes`, which is this clone's own and goes
over every `.gitattributes`; who wants the whole team to have them commits the lines that are printed.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

from dvc_modelver.commands.hooking.guards import ABSENT, BROKEN, LIVE, SHADOWED, Guard
from dvc_modelver.commands.hooking.scripts import first_word
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Step
from dvc_modelver.gitio.placing import unlink, write_file

NAME = "merge-driver"
INSTALL = "modelver hooks install --merge-driver"
PATTERNS = ("dvc.lock", "*.dvc")
ATTRIBUTES = "".join(f"{pattern} merge=modelver\n" for pattern in PATTERNS)
"""The lines for a `.gitattributes` that a team shares; without the driver git takes them for its usual merge."""
TITLE = "DVC's files, pipeline stage by pipeline stage"

_SECTION = "merge.modelver"
_BEGIN = b"# modelver:begin merge-driver"
_END = b"# modelver:end merge-driver\n"
_BLOCK = re.compile(rb"(?P<joined>\n?)" + _BEGIN + rb"(?P<how>| joined| new)\n.*?" + _END, re.DOTALL)
_interpreter = re.compile(r"python=(.+?); status=97;", re.DOTALL)
# As in our hooks: `python -c` would look in the repository first.
_START = """\
import sys
sys.path = [place for place in sys.path if place]
try:
    from dvc_modelver.hooks.main import main
except ImportError:
    sys.exit(97)
sys.exit(main(sys.argv[1:]))"""


def driver_line(python: str) -> str:
    """What git hands to `sh`: our merge by the interpreter at the absolute path `python`, else git's own.

    Where the driver just fails git keeps our side without any mark, and the other side's entries are gone.  So only
    what was merged (0), or marked (1, and the marks are there), counts as done.
    """
    lines = (
        # Git replaces %O and its like; any other percent sign has to be doubled.
        f"python={shlex.quote(python.replace('%', '%%'))}",
        "status=97",
        f'if test -x "$python"; then "$python" -c {shlex.quote(_START)} merge-driver %O %A %B %L %P; status=$?; fi',
        'case $status in 0) exit 0;; 1) if grep -q "^<<<<<<<" %A; then exit 1; fi;; esac',
        'if test $status -ge 2; then echo "modelver cannot be run: merged as plain lines" >&2; fi',
        "git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B || exit 1",
    )
    return "; ".join(lines)


def install_driver(project: Project, *, dry_run: bool) -> tuple[Step, ...]:
    """Set the driver up for this clone and its linked worktrees; the steps that were, or would be, taken.

    Raises `EnvironmentProblem` where the Git directory cannot be written.
    """
    git, steps = project.repository.git, []
    # The driver before its name: git stops at a merge driver that has a name and no command.
    for key, value in (("driver", driver_line(sys.executable)), ("name", TITLE)):
        if _setting(project, key) != value:
            steps.append(Step("git config", f"{_SECTION}.{key}"))
            if not dry_run:
                git.run("config", "--local", "--replace-all", f"{_SECTION}.{key}", value)
    place = _attributes_place(project)
    old = _read(place)
    new = with_block(old)
    if new != old:
        steps.append(Step("write", str(place)))
        if not dry_run:
            write_file(place, new)
    return tuple(steps)


def remove_driver(project: Project, *, dry_run: bool) -> tuple[Step, ...]:
    """Take away what `install_driver` put there, and nothing else; the steps that were, or would be, taken."""
    git, steps = project.repository.git, []
    for key in ("name", "driver"):
        if _setting(project, key) is not None:
            steps.append(Step("git config --unset", f"{_SECTION}.{key}"))
            if not dry_run:
                git.run("config", "--local", "--unset-all", f"{_SECTION}.{key}")
    place = _attributes_place(project)
    old = _read(place)
    new = without_block(old)
    if new != old:
        steps.append(Step("remove" if new is None else "write", str(place)))
        if not dry_run:
            unlink(place) if new is None else write_file(place, new)
    return tuple(steps)


def driver_state(project: Project) -> Guard:
    """Whether git would merge DVC's files by our driver, now."""
    line = _setting(project, "driver")
    other = [pattern for pattern in PATTERNS if _driver_of(project, pattern.replace("*", "model")) != "modelver"]
    if line is None and _setting(project, "name") is not None:
        detail = f"{_SECTION} has a name and no driver: git stops at every merge of DVC's files"
        return Guard(name=NAME, state=BROKEN, detail=detail, remedy=INSTALL)
    if line is None:
        if other:
            return Guard(name=NAME, state=ABSENT, detail="", remedy="")
        detail = "attributes name the driver, and this clone has none: git merges as plain lines"
        return Guard(name=NAME, state=ABSENT, detail=detail, remedy=INSTALL)
    if other:
        detail = f"git merges {', '.join(other)} in another way"
        return Guard(name=NAME, state=SHADOWED, detail=detail, remedy=INSTALL)
    found = _interpreter.search(line)
    python = first_word(found[1].replace("%%", "%")) if found is not None else ""
    if python and not os.access(python, os.X_OK):
        detail = f"there is no {python}: git merges as plain lines"
        return Guard(name=NAME, state=BROKEN, detail=detail, remedy=INSTALL)
    if not python or line != driver_line(python):
        return Guard(name=NAME, state=BROKEN, detail=f"{_SECTION}.driver is not the line we write", remedy=INSTALL)
    return Guard(name=NAME, state=LIVE, detail="", remedy="")


def with_block(text: bytes | None) -> bytes:
    """An attributes file with our lines at its end; unchanged when it has them."""
    body = b"\n" + ATTRIBUTES.encode() + _END
    if text is None:
        return _BEGIN + b" new" + body
    found = _BLOCK.search(text)
    if found is not None:
        return text[: found.start("how")] + found["how"] + body + text[found.end() :]
    return text + (_BEGIN + body if not text or text.endswith(b"\n") else b"\n" + _BEGIN + b" joined" + body)


def without_block(text: bytes | None) -> bytes | None:
    """The file as it was before `with_block`, byte for byte; None where there was none."""
    found = _BLOCK.search(text) if text is not None else None
    if text is None or found is None:
        return text
    start = found.start() if found["how"] == b" joined" else found.end("joined")
    rest = text[:start] + text[found.end() :]
    return None if found["how"] == b" new" and not rest else rest


def _setting(project: Project, key: str) -> str | None:
    """A value of this repository's own configuration."""
    done = project.repository.git.complete("config", "--local", "--null", "--get", f"{_SECTION}.{key}")
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\0") if done.status == 0 else None


def _driver_of(project: Project, path: str) -> str:
    """Which driver git takes for a file of that name."""
    raw = project.repository.git.run("check-attr", "-z", "merge", "--", path).decode("utf-8", "replace")
    return raw.split("\0")[2]


def _attributes_place(project: Project) -> Path:
    return project.repository.common_dir / "info" / "attributes"


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
