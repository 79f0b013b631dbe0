"""`modelver init`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from dvc_modelver.cli import outcome
from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, YES, opened
from dvc_modelver.cli.shell import command, say
from dvc_modelver.commands.ci import PLATFORMS
from dvc_modelver.commands.init import Agree, Choose, Initialised, init
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.discovery import Proposal
from dvc_modelver.core.names import name_problem, nearest_valid
from dvc_modelver.core.text import safe

_BY_HAND = """Declare one by hand in dvc.yaml, commit it, and release it:

artifacts:
  NAME:
    path: PATH/OF/THE/MODEL
    type: model"""


@command
def run(
    around: Surroundings,
    stages: Annotated[
        str | None,
        typer.Option(
            "--stages", metavar="A,B,C", help="Write .modelver.yaml that allows these stages.", show_default=False
        ),
    ] = None,
    ci: Annotated[
        str | None,
        typer.Option("--ci", metavar="|".join(PLATFORMS), help="Write CI jobs for all models.", show_default=False),
    ] = None,
    yes: YES = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Declare the models that DVC tracks here under artifacts: in dvc.yaml.

    Looks at what pipeline stages and .dvc files write and at GTO's artifacts.yaml, and asks for each that looks
    like a model and is not declared yet. The rest of dvc.yaml stays as it is, and nothing is committed.

    With --ci: jobs that check pull requests, release on merges, deploy promotions, and guard what runs. A file that
    is there with other content is never overwritten.

    \b
    Examples:
      modelver init
      modelver init --yes --stages dev,staging,prod
      modelver init --ci github
      modelver init --dry-run
    """
    wanted = [stage.strip() for stage in stages.split(",") if stage.strip()] if stages is not None else None
    with opened(around) as project:
        choose, agree = _choose(yes), _agree(yes)
        return answer(init(project, choose=choose, stages=wanted, ci=ci, agree=agree, dry_run=dry_run))


def _choose(yes: bool) -> Choose | None:
    if yes:
        return lambda proposal: proposal.name
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def _agree(yes: bool) -> Agree | None:
    if yes:
        return lambda files: True
    return _ask_all if sys.stdin.isatty() and sys.stderr.isatty() else None


def _ask_all(files: Sequence[str]) -> bool:
    sys.stderr.write("".join(f"  {safe(file)}\n" for file in files) + "write these files? [Y/n] ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    return bool(line) and line.strip().lower() in ("", "y", "yes")


def _ask(proposal: Proposal) -> str | None:
    """Enter or y takes the name, n leaves the file, anything else is another name; asked until it is one."""
    while True:
        sys.stderr.write(f"{safe(proposal.target)}: declare it as {proposal.canonical}? [Y/n/another name] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        said = line.strip()
        if not line or said.lower() in ("n", "no"):
            return None
        if said.lower() in ("", "y", "yes"):
            return proposal.name
        problem = "a name cannot hold ':'" if ":" in said else name_problem(said)
        if problem is None:
            return said
        say(f"{problem}; for example {nearest_valid(said.replace(':', '-')) or proposal.name}")


def answer(done: Initialised) -> Answer:
    """What was declared, in every form."""
    base = outcome.answer(done.outcome, None)
    return replace(base, lines=tuple(_lines(done)), notes=done.notes)


def _lines(done: Initialised) -> list[str]:
    if not done.outcome.changed:
        if done.declared:
            return [f"Nothing to do. Declared already: {', '.join(done.declared)}", *_to_set_up(done)]
        return ["Nothing that DVC tracks here is declared as a model.", *_BY_HAND.split("\n")]
    if done.outcome.dry_run:
        lines = [f"  {step.do}  {step.target}" for step in done.outcome.steps]
        for file, text in done.text:
            lines += ["", f"{file} would get, under artifacts:", *text.rstrip("\n").split("\n")]
        return ["This would be done:", *lines, *_to_set_up(done)]
    names = " ".join(proposal.canonical for proposal in done.proposals)
    lines = [f"declared {p.canonical} -> {p.target}  ({p.file})" for p in done.proposals]
    lines += [f"wrote {file}" for file in done.files if file not in {p.file for p in done.proposals}]
    lines += [*_to_set_up(done), "", "Next:", f"  git add {_paths(done.files)} && git commit -m '{_subject(done)}'"]
    return lines + ([f"  modelver release {names}"] if names else [])


def _to_set_up(done: Initialised) -> list[str]:
    return ["", "To set up for CI (docs/ci.md):", *(f"  {line}" for line in done.settings)] if done.settings else []


def _paths(files: Sequence[str]) -> str:
    """What to give to `git add`: the folders that are ours instead of each file in them."""
    ours = (".github/modelver", ".gitlab/modelver")
    return " ".join(dict.fromkeys(next((f for f in ours if file.startswith(f"{f}/")), file) for file in files))


def _subject(done: Initialised) -> str:
    return "Declare models" if done.proposals or not done.settings else "Add CI jobs for models"
