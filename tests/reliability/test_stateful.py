"""Two clones live a random life: commands, dirt, kills, decay and clocks in any order, and DESIGN's promises hold."""

from __future__ import annotations

import os
import pkgutil
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

import dvc_modelver
from dvc_modelver.core.registry import Model
from dvc_modelver.gitio.seenlog import SeenLog
from tests.reliability.stateful.life import Life
from tests.reliability.stateful.machine import Machine
from tests.reliability.stateful.world import World, build_template
from tests.reliability.tools import Server
from tests.support import Modelver

Run = Callable[..., None]
LIVES = int(os.environ.get("STATEFUL_LIVES", "40"))
"""How many lives the long run tries, each of at most `STATEFUL_STEPS` steps."""
STEPS = int(os.environ.get("STATEFUL_STEPS", "25"))


@pytest.fixture(scope="session")
def young(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The repositories of a life's beginning."""
    return build_template(tmp_path_factory.mktemp("stateful"), home)


@pytest.fixture
def run(young: Path, tmp_path: Path, home: Path, modelver: Modelver, server: Server) -> Run:
    """Runs lives of the machine; `chance` false: always the same."""

    def some(lives: int, steps: int, *, chance: bool = False, kills: bool = True) -> None:
        def begin(top: Path) -> Life:
            shutil.copytree(young, top, symlinks=True)
            return Life(World(top, home), modelver, server if kills else None)

        kind = type("Machine", (Machine,), {"begin": staticmethod(begin), "scratch": tmp_path, "gto": chance})
        wanted = settings(
            max_examples=lives,
            stateful_step_count=steps,
            derandomize=not chance,
            deadline=None,
            database=None,
            phases=(Phase.generate,) if not chance else (Phase.generate, Phase.shrink),
            verbosity=Verbosity.quiet if not chance else Verbosity.normal,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=True,
        )
        run_state_machine_as_test(kind, settings=wanted)

    return some


def test_the_promises_hold_in_some_lives(run: Run) -> None:
    """In a few short lives, always the same, every promise holds after every step."""
    run(6, 12)


@pytest.mark.long
def test_the_promises_hold_in_many_lives(run: Run) -> None:
    """In many longer lives, others each time, every promise holds after every step."""
    run(LIVES, STEPS, chance=True)


def _everywhere(patch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Replace a function of the product in each module that has it, wherever it is defined."""
    # All are imported first: one that came later would keep the replacement.
    names = [module.name for module in pkgutil.walk_packages(dvc_modelver.__path__, "dvc_modelver.")]
    modules = [import_module(each) for each in names if not each.endswith("__main__")]
    having = [module for module in modules if hasattr(module, name)]
    assert having, f"the product has no {name} any more: break it elsewhere"
    for module in having:
        patch.setattr(module, name, value)


def _withdrawals_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Model, "_withdrawn", property(lambda self: frozenset()))


def _work_overwritten(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, "refuse_lost", lambda *_: None)


def _moves_unseen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SeenLog, "__init__", lambda self, state_dir: setattr(self, "oids", {}))
    patch.setattr(SeenLog, "note", lambda *_: None)


def _journal_left(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, "clear_journal", lambda *_: None)


def _number_twice(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, "seen_names", lambda *_: [])


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "withdrawals are ignored": (_withdrawals_ignored, "latest|holders|expected 3"),
    "a rollback overwrites unsaved bytes": (_work_overwritten, "are lost|no more"),
    "a moved tag is not noticed": (_moves_unseen, "moved or gone|sees nothing"),
    "a journal stays": (_journal_left, "a journal is left"),
    "numbers that were seen are forgotten": (_number_twice, "is not above"),
}
"""A broken product, and by what the machine tells."""
QUICK = ("a journal stays",)


def _found(run: Run, patch: pytest.MonkeyPatch, name: str, lives: int) -> None:
    fault, words = FAULTS[name]
    fault(patch)
    with pytest.raises(AssertionError, match=words):
        run(lives, 12, kills=False)


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_promise_is_found_at_once(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A product that breaks a promise does not pass the short run."""
    _found(run, monkeypatch, name, 30)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in FAULTS if name not in QUICK])
def test_a_broken_promise_is_found(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nor does one whose fault shows only in rarer lives pass a longer one."""
    _found(run, monkeypatch, name, 300)
