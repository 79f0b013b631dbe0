"""The benchmarks run, on small repositories, so that they do not rot between two measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import run
from tests.support import Git

HERE = Path(__file__).resolve().parent


@pytest.mark.long
def test_every_row_can_be_measured() -> None:
    """Each row of the table has a ratio or a size, with our command and with the tools beside it."""
    done = subprocess.run([sys.executable, HERE / "run.py", "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row for row in run.ROWS if f"\n{row} " not in done.stdout] == []


@pytest.mark.parametrize("words", [["nonsense"], ["list", "--runs", "0"]], ids=" ".join)
def test_bad_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A row that does not exist, or no run at all, is an error and not an empty table."""
    with pytest.raises(SystemExit) as stopped:
        run.main(words)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_same_arguments_give_the_same_commits(tmp_path: Path, home: Path) -> None:
    """Numbers of two machines can be compared, since both measured the same repository."""
    made = []
    for name in ("one", "two"):
        words = [
            sys.executable,
            *map(str, (HERE / "make_repo.py", tmp_path / name)),
            "--models",
            "2",
            "--versions",
            "3",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        made.append(json.loads(done.stdout.splitlines()[-1]))
    assert made[0]["head"] == made[1]["head"]
    assert Git(tmp_path / "one", home).refs() == Git(tmp_path / "two", home).refs()
    assert (made[0]["versions"], made[0]["assignments"], made[0]["stages_in_lock"]) == (6, 1, 8)


def test_table_is_markdown_when_asked() -> None:
    """A pipe in a cell does not make a column."""
    line = run.Line("list", "a | b", "c", "1", "2", "0.5", "<= 2", True)
    table = run.render([line], markdown=True, judge=True).splitlines()
    assert table[2].startswith(r"| list | a \| b")
    assert table[2].endswith("| yes |")


def test_memory_is_the_measured_processs_own(tmp_path: Path) -> None:
    """A small process is not reported as big as the one that measures, and what a process takes is seen."""
    script = (
        "import sys; from pathlib import Path; from tests.benchmarks import run\n"
        "bench = run.Bench(Path(sys.argv[1]), run.QUICK); bench.fresh(bench.releasable)\n"
        "for code in ('pass', 'x = bytearray(100 << 20)'):\n"
        "    print(bench.sample(run.Side([run.Command([sys.executable, '-c', code], bench.folder)])).rss >> 20)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(words, cwd=HERE.parents[1], capture_output=True, text=True, check=True)
    small, large = map(int, done.stdout.split())
    assert small < 35
    assert 100 < large < 140
