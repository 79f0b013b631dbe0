"""`modelver reproduce`: what a person reads, the shape of its JSON, and who is asked; `show` prints the proofs."""

from __future__ import annotations

import io
import sys
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from dvc_modelver.cli import reproduce as command
from dvc_modelver.commands.notes import write_note
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.reproduction.plan import make_plan
from dvc_modelver.commands.reproduction.reproduce import Reproduced
from dvc_modelver.commands.reproduction.run import Failure, Rebuilt
from dvc_modelver.core.reproduction import Difference, StageRow, State, Verdict, compare_metrics, compare_stage
from dvc_modelver.errors import ExitCode, Refused
from tests.cli.shapes import REPRODUCE, SHOW_VERSION, faults
from tests.support import DvcRepo, Modelver


@pytest.fixture
def released(dvc_repo: DvcRepo) -> DvcRepo:
    """churn@v0.1.0."""
    dvc_repo.git.tag("churn@v0.1.0")
    return dvc_repo


def project(repo: DvcRepo) -> Project:
    now = datetime(2026, 1, 31, 12, 30, tzinfo=timezone.utc)
    return Project(Surroundings(directory=repo.path, env=repo.git.env, now=lambda: now))


@pytest.fixture
def rebuilt(released: DvcRepo) -> Any:
    """Makes the result of a rebuild, without one."""

    def make(verdict: Verdict, tolerance: float = 0.0, **values: Any) -> Reproduced:
        with project(released) as one:
            plan = make_plan(one, "churn")
            return Reproduced(plan=plan, verdict=verdict, tolerance=tolerance, rebuilt=Rebuilt(**values))

    return make


def test_the_shape_of_a_plan(released: DvcRepo, modelver: Modelver) -> None:
    """A dry run has all keys, and no verdict."""
    answer = modelver("reproduce", "churn", "--dry-run", "--json", cwd=released.git).json
    assert faults(answer, REPRODUCE) == []
    assert (answer["verdict"], answer["dry_run"], answer["stages"]) == (None, True, [])


def test_a_rebuild_that_differs(rebuilt: Any) -> None:
    """Which outputs, which metrics with both values; the exit code is 1."""
    found = rebuilt(
        Verdict.DIFFERENT,
        stages=(
            compare_stage("prepare", {"a": "md5:1"}, {"a": "md5:1"}),
            compare_stage("train", {"m\x1b[31m.bin": "md5:1", "b": "md5:1"}, {"m\x1b[31m.bin": "md5:2", "b": "md5:1"}),
        ),
        metrics=compare_metrics({"m.json": {"auc": 0.8, "n": 3}}, {"m.json": {"auc": 0.7, "n": 3}}),
        seconds=1.5,
    )
    answer = command.reproduce_answer(found)
    assert answer.code is ExitCode.CHECK_FAILED
    assert answer.lines == (
        "churn@v0.1.0 came out different.",
        "  prepare  identical",
        r"  train    different: m\x1b[31m.bin",
        "  m.json:auc  0.8 -> 0.7  different",
    )


def test_a_rebuild_with_the_same_metrics(rebuilt: Any) -> None:
    """The tolerance is told where it was needed; 0."""
    found = rebuilt(
        Verdict.EQUIVALENT,
        stages=(compare_stage("train", {"m": "md5:1"}, {"m": "md5:2"}),),
        metrics=compare_metrics({"m.json": {"auc": 0.8}}, {"m.json": {"auc": 0.8001}}, 0.01),
        tolerance=0.01,
    )
    answer = command.reproduce_answer(found)
    assert answer.code is ExitCode.OK
    assert answer.lines[0] == "churn@v0.1.0 was reproduced with other bytes, and the same metrics within 0.01."
    assert answer.lines[-1] == "  m.json:auc  0.8 -> 0.8001  within the tolerance"


def test_a_rebuild_that_failed(rebuilt: Any) -> None:
    """The stage and its last lines; 1."""
    rows = (StageRow(name="train", state=State.FAILED, outputs=()), StageRow(name="e", state=State.NOT_RUN, outputs=()))
    answer = command.reproduce_answer(
        rebuilt(Verdict.FAILED, stages=rows, failure=Failure(stage="train", lines=("no module named x",)))
    )
    assert answer.code is ExitCode.CHECK_FAILED
    assert answer.lines == (
        "churn@v0.1.0 could not be rebuilt.",
        "  train  failed",
        "  e      not run",
        "    no module named x",
    )


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self) -> bool:
        """As a terminal answers."""
        return True


@pytest.mark.parametrize(("typed", "refused"), [("y\n", False), ("n\n", True), ("", True)])
def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, rebuilt: Any, typed: str, refused: bool) -> None:
    """What differs of the environment is told first; the question names what will run; no yes is a no."""
    plan = rebuilt(Verdict.IDENTICAL).plan
    told: list[str] = []
    rows = tuple(Difference(key=f"packages.p{n}", recorded="1", present=None) for n in range(14))
    asked = SimpleNamespace(notes=plan.notes, environment=rows, stages=plan.stages)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    around = SimpleNamespace(say=told.append)
    if refused:
        with pytest.raises(Refused):
            command._confirm(around, asked, yes=False)  # type: ignore[arg-type]
    else:
        command._confirm(around, asked, yes=False)  # type: ignore[arg-type]
    assert "runs the repository's own commands (dvc repro) of prepare, train, evaluate" in shown.getvalue()
    assert "note: packages.p0 was 1, and is -" in told
    assert told[-1] == "note: 2 more facts of the environment differ"


def test_show_prints_notes(released: DvcRepo, modelver: Modelver) -> None:
    """A proof in words, any other fact by its kind; nothing in it steers a terminal; JSON has all of it."""
    git = released.git
    plain = modelver("show", "churn", "--json", cwd=git).json
    oid = git.rev("refs/tags/churn@v0.1.0")
    with project(released) as one:
        write_note(one, oid, "reproduction", {"verdict": "identical"})
        write_note(one, oid, "reproduction", {"verdict": ["identical"]})
        write_note(one, oid, "approval\x1b[31m", {"of": {"deep": [1, None]}})
    said = modelver("show", "churn@v0.1.0", cwd=git).out.splitlines()
    at = said.index("notes")
    assert sorted(said[at + 1 : at + 4]) == [
        r"  approval\x1b[31m on 2026-01-31 12:30 by Ada Byron",
        "  reproduced identically on 2026-01-31 12:30 by Ada Byron",
        "  reproduction on 2026-01-31 12:30 by Ada Byron",
    ]
    answer = modelver("show", "churn@v0.1.0", "--json", cwd=git).json
    assert faults(answer, SHOW_VERSION) == []
    (approval,) = (note for note in answer["notes"] if note["kind"].startswith("approval"))
    assert (approval["of"], approval["at"]) == ({"deep": [1, None]}, "2026-01-31T12:30:00Z")
    assert modelver("show", "churn", "--json", cwd=git).json == plain
