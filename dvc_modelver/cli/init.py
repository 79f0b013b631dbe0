"""`modelver init`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from dvc_modelver.cli import outcome
from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, YES, opened
from dvc_modelver.cli.shell import command, say
from dvc_modelver.commands.init import Choose, Initialised, init
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
    yes: YES = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Declare the models that DVC tracks here under artifacts: in dvc.yaml.

    Looks at what pipeline stages and .dvc files write and at GTO's artifacts.yaml, and asks for each that looks
    like a model and is not declared yet. The rest of dvc.yaml stays as it is, and nothing is committed.

    \b
    Examples:
      modelver init
      modelver init --yes --stages dev,staging,prod
      modelver init --dry-run
    """
    wanted = [stage.strip() for stage in stages.split(",") if stage.strip()] if stages is not None else None
    with opened(around) as project:
        return answer(init(project, choose=_choose(yes), stages=wanted, dry_run=dry_run))


def _choose(yes: bool) -> Choose | None:
    if yes:
        return lambda proposal: proposal.name
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


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
            return [f"Nothing to do. Declared already: {', '.join(done.declared)}"]
        return ["Nothing that DVC tracks here is declared as a model.", *_BY_HAND.split("\n")]
    if done.outcome.dry_run:
        lines = [f"  {step.do}  {step.target}" for step in done.outcome.steps]
        for file, text in done.text:
            lines += ["", f"{file} would get, under artifacts:", *text.rstrip("\n").split("\n")]
        return ["This would be done:", *lines]
    files = " ".join(done.files)
    names = " ".join(proposal.canonical for proposal in done.proposals)
    lines = [f"declared {p.canonical} -> {p.target}  ({p.file})" for p in done.proposals]
    lines += [f"wrote {file}" for file in done.files if file not in {p.file for p in done.proposals}]
    lines += ["", "Next:", f"  git add {files} && git commit -m 'Declare models'"]
    return lines + ([f"  modelver release {names}"] if names else [])
