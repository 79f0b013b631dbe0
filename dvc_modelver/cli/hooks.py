"""`modelver hooks install`, `modelver hooks uninstall`, `modelver hooks status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, opened
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.hooking.guards import ABSENT, LIVE, Guard
from dvc_modelver.commands.hooking.install import Hooked
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode

COMMANDS = {
    "install": "Put the hooks beside what is there.",
    "uninstall": "Take them away again.",
    "status": "Say which guards are live.",
}
HELP = """Git hooks: no broken version is pushed, and a checkout says which version it is.

\b
Examples:
  modelver hooks install            beside the hooks that are there already
  modelver hooks status             which guards are live, and what is in the way of the others
  modelver hooks uninstall          what was there before is there again
"""


@command
def install(
    around: Surroundings,
    merge_driver: Annotated[
        bool, typer.Option("--merge-driver", help="Also merge dvc.lock and .dvc files entry by entry.")
    ] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Install the hooks of this clone: pre-push refuses versions that are not sound, the others only tell.

    A hook that is there already is kept, and runs first.  Hook files that the repository tracks are not edited: the
    lines to add are printed, and the command ends with 3.

    \b
    Examples:
      modelver hooks install
      modelver hooks install --merge-driver
      modelver hooks install --dry-run
    """
    from dvc_modelver.commands.hooking.install import install as put

    with opened(around) as project:
        return hooked_answer(put(project, merge_driver=merge_driver, dry_run=dry_run))


@command
def uninstall(around: Surroundings, dry_run: DRY_RUN = False) -> Answer:
    """Take the hooks and the merge driver out of this clone.

    What was there before is there again.  A hook of ours that was edited by hand is kept under another name.

    \b
    Examples:
      modelver hooks uninstall
      modelver hooks uninstall --dry-run
    """
    from dvc_modelver.commands.hooking.install import uninstall as take

    with opened(around) as project:
        return hooked_answer(take(project, dry_run=dry_run))


@command
def status(around: Surroundings) -> Answer:
    """Say of each guard whether it is live, absent, shadowed by something else, or broken.

    Ends with 1 when one that was installed does not work.

    \b
    Examples:
      modelver hooks status
      modelver hooks status --json
    """
    from dvc_modelver.commands.hooking.status import read_guards

    with opened(around) as project:
        guards = read_guards(project)
    broken = any(guard.state not in (LIVE, ABSENT) for guard in guards)
    return Answer(
        data={"ok": not broken, "guards": guards_json(guards)},
        lines=guard_lines(guards),
        code=ExitCode.CHECK_FAILED if broken else ExitCode.OK,
    )


def hooked_answer(hooked: Hooked) -> Answer:
    """What was done, or would be, in every form."""
    steps = tuple(f"  {step.do}  {one_line(step.target)}" for step in hooked.steps)
    begin = ("This would be done:" if hooked.dry_run else "Done:",) if steps else ("Nothing to do.",)
    guards = () if hooked.dry_run else guard_lines(hooked.guards)
    return Answer(
        data={
            "action": hooked.action,
            "dry_run": hooked.dry_run,
            "changed": bool(hooked.steps),
            "models": [],
            "steps": [{"do": step.do, "target": step.target} for step in hooked.steps],
            "guards": guards_json(hooked.guards),
            "advice": list(hooked.advice),
        },
        lines=(*begin, *steps, *guards),
        code=ExitCode.REFUSED if hooked.advice else ExitCode.OK,
    )


def guards_json(guards: Sequence[Guard]) -> list[dict[str, str]]:
    return [{"name": g.name, "state": g.state, "detail": g.detail, "remedy": g.remedy} for g in guards]


def guard_lines(guards: Sequence[Guard]) -> tuple[str, ...]:
    """A line for each guard, and one for its remedy."""
    width = max((len(guard.name) for guard in guards), default=0)
    lines: list[str] = []
    for guard in guards:
        why = f"  {one_line(guard.detail)}" if guard.detail else ""
        lines.append(f"{guard.name:<{width}}  {guard.state}{why}")
        if guard.remedy:
            lines.append(f"    {one_line(guard.remedy)}")
    return tuple(lines)
