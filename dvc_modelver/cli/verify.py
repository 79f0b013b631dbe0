"""`modelver verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import complete_references, opened
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.verification.verify import Options, Verification, verify
from dvc_modelver.core.text import one_line
from dvc_modelver.core.verification import Verified
from dvc_modelver.errors import BadInput, ExitCode


@command
def run(
    around: Surroundings,
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME[@V|#STAGE]",
            help="A model (all its versions), one version, or what a stage holds.",
            autocompletion=complete_references,
            show_default="versions in a stage, and the latest",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version of every model.")] = False,
    remote: Annotated[bool, typer.Option("--remote", help="Also the bytes in the DVC remote.")] = False,
    signed: Annotated[
        bool, typer.Option("--signed", help="Fail unless signed by somebody whom your configuration allows.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Hash files again that have not changed since; with --remote, download what cannot be hashed there.",
        ),
    ] = False,
    jobs: Annotated[
        str | None, typer.Option("--jobs", metavar="N", help="Files hashed at a time.", show_default="one per core")
    ] = None,
    gc: Annotated[bool, typer.Option("--gc", help="Say which versions a dvc gc would take bytes from.")] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="all|staged|since:DATE",
            help="With --gc: which versions must stay.",
            show_default="all",
        ),
    ] = None,
) -> Answer:
    """Check every link from a version's tag to its bytes: ref, object, name, signature, commit, record, files, card.

    Ends with 1 when any is broken, and says what that means and what to do.

    \b
    Examples:
      modelver verify
      modelver verify churn#prod --remote --signed
      modelver verify --all
      modelver verify --gc --remote
    """
    if gc:
        if reference is not None or every or signed or force or jobs is not None:
            raise BadInput("--gc goes with --remote and --keep only", hint="modelver verify --gc --keep staged")
        return _gc(around, keep or "all", remote)
    if keep is not None:
        raise BadInput("--keep goes with --gc", hint=f"modelver verify --gc --keep {keep[:40]}")
    with opened(around) as project:
        options = Options(remote=remote, signed=signed, force=force, jobs=_count(jobs))
        return answer(verify(project, reference, options, every=every))


def _gc(around: Surroundings, keep: str, remote: bool) -> Answer:
    from dvc_modelver.cli.verifygc import answer as gc_answer
    from dvc_modelver.commands.verification.gc import plan_gc

    with opened(around) as project:
        return gc_answer(plan_gc(project, keep, remote=remote))


def _count(jobs: str | None) -> int | None:
    if jobs is None:
        return None
    if not (jobs.isascii() and jobs.isdigit() and 1 <= int(jobs[:6]) <= 256):
        raise BadInput(f"--jobs {jobs[:40]!a} is no number of files", hint="a number from 1 to 256")
    return int(jobs)


def answer(found: Verification) -> Answer:
    """What was found, in every form."""
    bad = sum(not one.ok for one in found.versions)
    count = f"{len(found.versions)} version{'s' if len(found.versions) != 1 else ''}"
    last = f"{bad} of {count} failed." if bad else f"{count} verified."
    lines = [line for one in found.versions for line in _lines(one)]
    return Answer(
        data={
            "ok": found.ok,
            "versions": [
                {
                    "name": one.name,
                    "version": one.version,
                    "tag": one.tag,
                    "commit": one.commit,
                    "withdrawn": one.withdrawn,
                    "stages": list(one.stages),
                    "ok": one.ok,
                    "checks": [
                        {"check": c.link.value, "ok": c.ok, "detail": c.detail, "remedy": c.remedy} for c in one.checks
                    ],
                }
                for one in found.versions
            ],
        },
        lines=(*lines, *([last] if found.versions else [])),
        notes=found.notes,
        code=ExitCode.OK if found.ok else ExitCode.CHECK_FAILED,
    )


def _lines(one: Verified) -> Iterator[str]:
    state = "ok    " if one.ok else "FAILED"
    more = [*one.stages, *(["withdrawn"] if one.withdrawn else [])]
    yield f"{state}  " + one_line(f"{one.name}@{one.version}") + (f"  ({', '.join(more)})" if more else "")
    for check in one.failed:
        yield f"    {check.link.value}: {one_line(check.detail)}"
        yield f"        {one_line(check.remedy)}"
