"""`validate`: real tables in every format, hostile ones, versions to check against, other checkers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.core.validation import Expected
from dvc_modelver.dvcio import rowhashes
from dvc_modelver.dvcio.rowhashes import RowHashes
from dvc_modelver.dvcio.tablecheck import TableCheck
from dvc_modelver.dvcio.tablerows import Block, read_blocks
from tests.cli import shapes
from tests.cli.shapes import faults
from tests.support import DvcRepo, Modelver
from tests.support.environment import isolated_env

HEADER = ("id", "age", "plan", "score", "joined")
Row = list[object]


def rows(count: int = 200, start: int = 0) -> list[Row]:
    """Customers, the same ones each time."""
    dice = random.Random(start)
    plans = ("free", "pro")
    return [[start + i, 18 + i % 60, plans[i % 2], dice.random(), f"2024-01-{i % 28 + 1:02d}"] for i in range(count)]


def text_of(table: Sequence[Row], header: Sequence[str] = HEADER, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *table])
    return out.getvalue()


@pytest.fixture
def work(tmp_path: Path, modelver: Modelver) -> Path:
    """A directory outside any repository with a table, `train.csv`, and its profile."""
    (tmp_path / "train.csv").write_text(text_of(rows()))
    modelver("validate", "train.csv", "--write-profile", "profile.json", cwd=tmp_path)
    return tmp_path


def check(work: Path, modelver: Modelver, table: str | bytes, *words: str, name: str = "new.csv") -> Any:
    """The answer on a table that is checked against the profile."""
    (work / name).write_bytes(table.encode() if isinstance(table, str) else table)
    done = modelver("validate", name, "--profile", "profile.json", "--json", *words, cwd=work, code=None)
    assert faults(done.json, shapes.VALIDATE) == []
    assert done.code == (0 if done.json["ok"] else 1)
    return done.json


def found(answer: Any) -> list[tuple[str | None, str, str, int]]:
    return [(one["column"], one["rule"], one["level"], one["count"]) for one in answer["findings"]]


def test_a_table_passes_its_own_profile(work: Path, modelver: Modelver) -> None:
    """Nothing is found, `--out` is the answer, and the profile written again is the same bytes."""
    answer = check(work, modelver, text_of(rows()), "--out", "deep/out.json")
    assert (answer["ok"], answer["rows"], answer["findings"]) == (True, 200, [])
    assert json.loads((work / "deep/out.json").read_text()) == answer
    again = modelver("validate", "train.csv", "--write-profile", "profile.json", "--json", cwd=work).json
    assert faults(again, shapes.WRITING) == []
    assert again["changed"] is False


def test_every_rule(work: Path, modelver: Modelver) -> None:
    """Each deviation is one finding with its column, how often it is there, and the first row."""
    new = rows(100, start=100)
    new[2][1] = "old"
    new[3][1] = ""
    new[4][1] = 200
    new[5][2] = new[6][2] = "gold"
    new[7][4] = "2030-01-01"
    new.append(list(new[0]))
    table = text_of(new).replace("2024-01-28\n", "2024-01-28,more\n", 1)
    answer = check(work, modelver, table, "--id", "id")
    by_rule = {(one["column"], one["rule"]): one for one in answer["findings"]}
    assert {key: (one["level"], one["count"]) for key, one in by_rule.items()} == {
        (None, "ragged rows"): ("refuse", 1),
        (None, "duplicate ids"): ("refuse", 1),
        ("age", "types"): ("refuse", 1),
        ("age", "nulls"): ("refuse", 1),
        ("age", "ranges"): ("note", 1),
        ("plan", "new categories"): ("refuse", 2),
        ("joined", "ranges"): ("note", 1),
    }
    assert "row 3" in by_rule["age", "types"]["seen"]
    assert "row 6" in by_rule["plan", "new categories"]["seen"]
    assert "18 to 200, first in row 5" in by_rule["age", "ranges"]["seen"]
    assert "gold" not in json.dumps(answer)


@pytest.mark.parametrize("form", ["csv", "tsv", "semicolons", "csv.gz", "jsonl", "jsonl.gz", "bom", "crlf"])
def test_formats(work: Path, modelver: Modelver, form: str) -> None:
    """The same rows in every format pass, and the same wrong one is found."""
    for bad in (False, True):
        table = rows()
        if bad:
            table[150][2] = "gold"
        text = text_of(table, delimiter={"tsv": "\t", "semicolons": ";"}.get(form, ","))
        if form.startswith("jsonl"):
            text = "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in table)
        data = {"bom": "\ufeff" + text, "crlf": text.replace("\n", "\r\n")}.get(form, text).encode()
        name = f"new.{form}" if form not in ("semicolons", "bom", "crlf") else "new.csv"
        answer = check(work, modelver, gzip.compress(data) if form.endswith(".gz") else data, name=name)
        assert found(answer) == ([("plan", "new categories", "refuse", 1)] if bad else [])


def test_records_of_different_keys(tmp_path: Path) -> None:
    """In JSON lines a key that comes late, or not in each block, has no value elsewhere."""
    check = TableCheck({})
    for names, count in ((("a",), 3), (("a", "b"), 2), (("b",), 4)):
        check.add(Block(names=names, columns=tuple((1,) * count for _ in names), rows=count, typed=True))
    assert {column.name: column.nulls for column in check.columns()} == {"a": 4, "b": 3}


def test_parquet_says_what_it_needs(work: Path, modelver: Modelver) -> None:
    """Without pyarrow it is said; with it the table passes."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        (work / "new.parquet").write_bytes(b"PAR1")
        said = modelver("validate", "new.parquet", "--profile", "profile.json", cwd=work, code=6).err
        assert "pip install pyarrow" in said
        return
    columns = {name: [row[at] for row in rows()] for at, name in enumerate(HEADER)}
    pyarrow.parquet.write_table(pyarrow.table(columns), work / "new.parquet")
    modelver("validate", "new.parquet", "--profile", "profile.json", cwd=work)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_leakage_from_the_training(work: Path, modelver: Modelver, form: str) -> None:
    """Rows and ids of the training are found, in whatever order its columns stand and in another format too."""
    new = [*rows(10, start=1000), *[list(row) for row in rows()[:3]]]
    new[-1][3] = 0.123456  # the same customer, measured again
    order = [4, 3, 2, 1, 0]
    text = text_of([[row[at] for at in order] for row in new], [HEADER[at] for at in order])
    if form == "jsonl":
        text = "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in new)
    answer = check(work, modelver, text, "--train", "train.csv", "--id", "id", name=f"new.{form}")
    leaks = [one for one in answer["findings"] if "leaked" in one["rule"]]
    assert [(one["rule"], one["count"]) for one in leaks] == [("leaked rows", 2), ("leaked ids", 3)]
    assert all("first in row 11" in one["seen"] for one in leaks)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("1,true,2024-01-05,x", "1.0,True,2024-01-05T00:00:00,x"),
        ("10000,TRUE,2024-01-05 10:00:00,x", " 1e4,true,2024-01-05T11:00:00+01:00,x"),
        ("0.5,false,2024-01-05,NA", ".50,False,2024-01-05T00:00Z,"),
    ],
)
def test_another_notation_does_not_hide_a_leak(tmp_path: Path, modelver: Modelver, theirs: str, ours: str) -> None:
    """Numbers, booleans and dates of a column of such are compared by what they say, empty cells as empty ones."""
    (tmp_path / "train.csv").write_text(f"id,flag,day,note\n{theirs}\n7,true,2024-02-01,y\n")
    (tmp_path / "new.csv").write_text(f"id,flag,day,note\n{ours}\n8,true,2024-02-01,y\n")
    words = ("validate", "new.csv", "--train", "train.csv", "--id", "id", "--json")
    leaks = found(modelver(*words, cwd=tmp_path, code=1).json)
    assert leaks == [(None, "leaked rows", "refuse", 1), (None, "leaked ids", "refuse", 1)]


def test_codes_that_look_like_numbers_stay_codes(tmp_path: Path, modelver: Modelver) -> None:
    """In a column of texts `1e5` is not `100000`, and neither `007` nor `1.10` is `7` or `1.1`."""
    (tmp_path / "train.csv").write_text("id\n100000\n7\n1.1\nab\n")
    (tmp_path / "new.csv").write_text("id\n1e5\n007\n1.10\ncd\n")
    modelver("validate", "new.csv", "--train", "train.csv", "--id", "id", cwd=tmp_path)


def test_booleans_are_known_in_any_spelling(tmp_path: Path, modelver: Modelver) -> None:
    """`True` of one tool, `true` of another and JSON's own are the same value, in a policy too."""
    (tmp_path / "train.csv").write_text("flag\nTrue\n")
    modelver("validate", "train.csv", "--write-profile", "profile.json", cwd=tmp_path)
    (tmp_path / "rules.yaml").write_text("columns: {flag: {values: ['TRUE']}}\n")
    (tmp_path / "new.csv").write_text("flag\ntrue\n")
    (tmp_path / "new.jsonl").write_text('{"flag": true}\n')
    for name in ("new.csv", "new.jsonl"):
        assert found(check(tmp_path, modelver, (tmp_path / name).read_bytes(), name=name)) == []
        modelver("validate", name, "--policy", "rules.yaml", cwd=tmp_path)
    assert found(check(tmp_path, modelver, "flag\nfalse\n")) == [("flag", "new categories", "refuse", 1)]


def test_an_empty_table_is_not_like_a_full_one(work: Path, modelver: Modelver) -> None:
    """A header alone breaks no other rule, and fails; a policy may allow it."""
    empty = ",".join(HEADER) + "\n"
    assert found(check(work, modelver, empty)) == [(None, "rows", "refuse", 0)]
    (work / "rules.yaml").write_text("rows: {min: 0}\n")
    assert found(check(work, modelver, empty, "--policy", "rules.yaml")) == []


def test_the_label_does_not_hide_a_leak(work: Path, modelver: Modelver) -> None:
    """A row of the training with another label is one of the training."""
    new = [[*row[:2], "pro" if row[2] == "free" else "free", *row[3:]] for row in rows()]
    (work / "rules.yaml").write_text("label: plan\n")
    assert found(check(work, modelver, text_of(new), "--train", "train.csv")) == []
    leaks = found(check(work, modelver, text_of(new), "--train", "train.csv", "--policy", "rules.yaml"))
    assert leaks == [(None, "leaked rows", "refuse", 200)]


def test_an_id_that_is_not_there(work: Path, modelver: Modelver) -> None:
    """A table without the column that names its rows fails; a training without it is bad input."""
    assert found(check(work, modelver, text_of(rows()), "--id", "gone")) == [("gone", "missing columns", "refuse", 1)]
    (work / "other.csv").write_text("age\n1\n")
    words = ("train.csv", "--id", "id", "--train", "other.csv")
    assert "other.csv has no column id" in modelver("validate", *words, cwd=work, code=2).err


def test_rules_stand_in_the_policy_or_the_profile(work: Path, modelver: Modelver) -> None:
    """A policy goes before the profile's own rules, which a new profile keeps."""
    table = text_of([*rows()[:-1], [200, 30, "gold", 0.5, "2024-01-05"]])
    assert check(work, modelver, table)["ok"] is False
    profile = json.loads((work / "profile.json").read_text())
    (work / "profile.json").write_text(json.dumps({**profile, "rules": {"new categories": "note"}}))
    assert check(work, modelver, table)["ok"] is True
    (work / "rules.json").write_text('{"new categories": "refuse"}')
    assert check(work, modelver, table, "--policy", "rules.json")["ok"] is False
    modelver("validate", "train.csv", "--write-profile", "profile.json", cwd=work)
    assert json.loads((work / "profile.json").read_text())["rules"] == {"new categories": "note"}
    (work / "rules.yaml").write_text("columns: {age: {max: 30}, plan: {values: [free]}, gone: {}}\n")
    assert found(check(work, modelver, text_of(rows()), "--policy", "rules.yaml")) == [
        ("gone", "missing columns", "refuse", 1),
        ("age", "ranges", "refuse", sum(18 + i % 60 > 30 for i in range(200))),
        ("plan", "new categories", "refuse", 100),
    ]


@pytest.mark.parametrize(
    ("column", "bound", "kind"),
    [("plan", "min: 1", "number"), ("age", "min: '2020-01-01'", "date"), ("joined", "max: 5", "number")],
)
def test_bounds_of_another_kind_are_not_overlooked(
    work: Path, modelver: Modelver, column: str, bound: str, kind: str
) -> None:
    """A cell that cannot be compared with its bounds is of the wrong type, with and without a profile."""
    (work / "rules.yaml").write_text(f"columns: {{{column}: {{{bound}}}}}\n")
    for more in ((), ("--profile", "profile.json")):
        answer = modelver("validate", "train.csv", "--policy", "rules.yaml", *more, "--json", cwd=work, code=1).json
        assert found(answer) == [(column, "types", "refuse", 200)]
        assert answer["findings"][0]["expected"] == kind


def test_a_bound_that_is_no_number_and_no_date(work: Path, modelver: Modelver) -> None:
    """A number in quotes would bound nothing: it is a slip of the policy."""
    words = ("validate", "train.csv", "--policy", "rules.yaml")
    for text in ("18", "2024-13-01", "2024-01-01x"):
        (work / "rules.yaml").write_text(f"columns: {{age: {{min: '{text}'}}}}\n")
        assert "columns.age.min must be a number, or a date" in modelver(*words, cwd=work, code=2).err
    (work / "rules.yaml").write_text("columns: {age: {min: 1, max: 2024-01-01}}\n")
    assert "a number and a date" in modelver(*words, cwd=work, code=2).err


@pytest.mark.parametrize("words", [("train.csv", "--profile", "profile.json", "--out", "dvc.yaml"), ()])
def test_a_verdict_replaces_only_a_verdict(work: Path, modelver: Modelver, words: tuple[str, ...]) -> None:
    """A file that holds something else stays, and the check is not made: 4."""
    (work / "dvc.yaml").write_text("stages: {}\n")
    asked = words or ("--out", "dvc.yaml", "--", "touch", "ran")
    assert "holds something else" in modelver("validate", *asked, cwd=work, code=4).err
    assert (work / "dvc.yaml").read_text() == "stages: {}\n"
    assert not (work / "ran").exists()


def test_a_label_that_is_not_there(work: Path, modelver: Modelver) -> None:
    """A label that the training does not have is a slip: it would be compared with the rest, and hide leaks."""
    (work / "rules.yaml").write_text("label: plann\n")
    words = ("validate", "train.csv", "--train", "train.csv", "--policy", "rules.yaml")
    assert "train.csv has no column plann" in modelver(*words, cwd=work, code=2).err


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "a zero byte": (b"id,age\n1,\x002\n", "zero byte"),
    "UTF-16": ("id,age\n1,2\n".encode("utf-16"), "zero byte"),
    "latin-1": ("id,age\n1,\xe9\n".encode("latin-1"), "not UTF-8"),
    "an open quote": (b'id,age\n1,"2\n3,4\n', "line 3"),
    "text after a quote": (b'id,age\n"1"x,2\n', "line 2"),
    "a long line": (b"id,age\n1," + b"x" * (3 << 20) + b"\n", "longer than 1 MiB"),
    "a wide header": (b"a," * 400_000 + b"a\n", "400001 columns"),
    "a wider header": (b"," * (3 << 20) + b"\n", "longer than 1 MiB"),
    "many columns": (b",".join(b"c%d" % i for i in range(10_001)) + b"\n", "10001 columns"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_tables_are_bad_input(work: Path, modelver: Modelver, what: str) -> None:
    """What is no table is said in a line, without a trace of its bytes."""
    data, said = HOSTILE[what]
    (work / "new.csv").write_bytes(data)
    done = modelver("validate", "new.csv", "--profile", "profile.json", "--out", "out.json", cwd=work, code=2)
    assert "new.csv" in done.err.splitlines()[0]
    assert said in done.err.splitlines()[0]
    assert not (work / "out.json").exists()


def test_broken_archives_and_records(work: Path, modelver: Modelver) -> None:
    """A cut archive, JSON that is none or no object, a directory and a pipe end in 2."""
    packed = gzip.compress(text_of(rows()).encode())
    for name, data in (
        ("a.csv.gz", packed[:-20]),
        ("b.csv.gz", b"no gzip"),
        ("c.jsonl", b'{"a": 1}\n[1]\n'),
        ("d.jsonl", b"{\n"),
    ):
        (work / name).write_bytes(data)
        assert name in modelver("validate", name, "--profile", "profile.json", cwd=work, code=2).err
    (work / "e.csv").mkdir()
    modelver("validate", "e.csv", "--profile", "profile.json", cwd=work, code=2)
    subprocess.run(["mkfifo", str(work / "f.csv")], check=True)
    modelver("validate", "f.csv", "--profile", "profile.json", cwd=work, code=2)


def test_formulas_and_escapes_stay_text(work: Path, modelver: Modelver) -> None:
    """Names of columns that a terminal or spreadsheet would obey are escaped, and cells are never shown."""
    header = ["=cmd|' /C calc'!A0", "\x1b[31mred", "a|b", "a|b", ""]
    (work / "new.csv").write_text(text_of([["=1+1", "\x1b[2J", "x", "y", "z"]], header))
    words = ("validate", "new.csv", "--profile", "profile.json")
    for form in ((), ("--csv",), ("--md",), ("--json",)):
        shown = modelver(*words, *form, cwd=work, code=1).out
        assert "\x1b" not in shown
        assert "=1+1" not in shown
    table = list(csv.reader(io.StringIO(modelver(*words, "--csv", cwd=work, code=1).out)))
    assert "'=cmd|' /C calc'!A0" in [row[1] for row in table]
    assert "a|b (2)" in [row[1] for row in table]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("train.csv",), 2, "nothing to check train.csv against"),
        (("gone.csv", "--profile", "profile.json"), 2, "cannot read gone.csv"),
        (("train.csv", "--profile", "gone.json"), 2, "cannot read gone.json"),
        (("train.csv", "--profile", "train.csv"), 2, "train.csv"),
        (("train.csv", "--profile", "profile.json", "--policy", "p.txt"), 2, "no policy file"),
        (("train.csv", "--profile", "profile.json", "--out", "train.csv"), 2, "cannot be written too"),
        (("train.csv", "--write-profile", "train.csv"), 2, "cannot be written too"),
        (("train.csv", "--profile", "p", "--against", "churn@v1.0.0"), 2, "exclude each other"),
        (("train.csv", "--data", "x.csv", "--profile", "profile.json"), 2, "--data"),
        (("profile.json", "--id", "a"), 2, "profile.json"),
        (("train.csv", "more.csv", "--id", "a"), 2, "one table is checked at a time"),
        (("train.csv", "--dry-run", "--id", "id"), 2, "--dry-run"),
        (("train.csv", "--", "true"), 2, "either a table or"),
        (("--id", "a", "--", "true"), 2, "rules of its own"),
        (("--", "no-such-program"), 2, "no-such-program"),
        (("train.csv", "--against", "churn@v1.0.0"), 6, "in no Git repository"),
    ],
)
def test_errors(work: Path, modelver: Modelver, words: tuple[str, ...], code: int, said: str) -> None:
    """Each is one line, with its exit code."""
    assert said.lower() in modelver("validate", *words, cwd=work, code=code).err.lower()


def test_other_checkers(work: Path, modelver: Modelver) -> None:
    """Their output and words pass through, their exit code counts, and --out records it without secrets."""
    script = "import sys; print(sys.argv[1:]); sys.exit(int(sys.argv[1]))"
    for status in (0, 7):
        words = ("--out", "out.json", "--", "python", "-c", script, str(status), "--json", "--", "--password=hunter2")
        done = modelver.process("validate", *words, cwd=work, code=1 if status else 0)
        assert done.out == f"{[str(status), '--json', '--', '--password=hunter2']}\n"
        verdict = json.loads((work / "out.json").read_text())
        assert faults(verdict, shapes.VALIDATE) == []
        assert (verdict["ok"], len(verdict["findings"])) == (not status, bool(status))
        assert "hunter2" not in json.dumps(verdict)


# Against versions -------------------------------------------------------------------------------------------------


@pytest.fixture
def released(dvc_repo: DvcRepo, modelver: Modelver) -> DvcRepo:
    modelver("release", "churn", cwd=dvc_repo.git)
    return dvc_repo


def test_against_a_version(released: DvcRepo, modelver: Modelver) -> None:
    """Its own table of that path, else the one that is named, else the only one that it was trained on."""
    words = ("--against", "churn@v0.1.0", "--json")
    same = modelver("validate", "data/prepared.csv", *words, cwd=released.git).json
    assert (same["against"], same["notes"]) == ("churn@v0.1.0", ["against data/prepared.csv of churn@v0.1.0"])
    text = (released.path / "data/raw.csv").read_text()
    released.git.write("new.csv", text.replace("3,3,1\n", "3,x,1\n"))
    assert "several tables" in modelver("validate", "new.csv", *words, cwd=released.git, code=2).err
    answer = modelver("validate", "new.csv", *words, "--data", "data/raw.csv", cwd=released.git, code=1).json
    assert [one["rule"] for one in answer["findings"] if one["level"] == "refuse"] == ["types"]
    modelver("validate", "new.csv", *words, "--data", "gone.csv", cwd=released.git, code=2)
    modelver("validate", "new.csv", "--against", "churn@v9.0.0", cwd=released.git, code=7)
    modelver("validate", "new.csv", *words, cwd=released.git, code=3, env={"DVC_STAGE": "check"})


def test_against_a_file_of_a_tracked_directory(released: DvcRepo, modelver: Modelver) -> None:
    """A version whose stage reads one table of a directory that DVC tracks as a whole has that table."""
    git = released.git
    text = (released.path / "data/prepared.csv").read_text()
    git.write("tables/train 1.csv", text)
    git.write("tables/other.csv", "a\n1\n")
    released.dvc(["add", "-q", "tables"])
    git.commit("Tables")
    modelver("release", "churn", "--allow-unchanged", cwd=git)
    git.write("new.csv", text)
    words = ("validate", "new.csv", "--against", "churn", "--data")
    assert "tables/train 1.csv of churn@" in modelver(*words, "tables/train 1.csv", cwd=git).err
    assert "has no table tables/gone.csv" in modelver(*words, "tables/gone.csv", cwd=git, code=2).err
    next(released.cache.rglob("*.dir")).unlink()
    assert "listing of tables" in modelver(*words, "tables/train 1.csv", cwd=git, code=5).err


def test_a_tracked_profile_needs_no_data(released: DvcRepo, modelver: Modelver) -> None:
    """The version's own profile counts where the bytes are gone; without one the answer is 5."""
    words = ("validate", "data/prepared.csv", "--profile", "data/prepared.csv.profile.json")
    modelver(*words[:2], "--write-profile", words[3], cwd=released.git)
    (released.path / words[3]).rename(released.path / "data/raw.csv.profile.json")
    released.git("add", "-f", "data/raw.csv.profile.json")
    released.git.commit("Track a profile")
    modelver("release", "churn", "--allow-unchanged", "--same-commit", cwd=released.git)
    released.git.write("new.csv", (released.path / "data/prepared.csv").read_text())
    for place in (*released.cache.rglob("*"), released.path / "data/raw.csv"):
        if place.is_file():
            place.unlink()
    against = ("validate", "new.csv", "--data", "data/raw.csv", "--json", "--against")
    answer = modelver(*against, "churn@latest", cwd=released.git).json
    assert answer["notes"] == ["against data/raw.csv.profile.json of churn@v0.1.1"]
    modelver(*against, "churn@v0.1.0", cwd=released.git, code=5)


# Laws and bounds --------------------------------------------------------------------------------------------------

CELLS = st.sampled_from(["1", "2", "-3", "1.5", "", "NA", "a", "true", "2024-01-01", "2030-05-05", "1e400", "9" * 400])


@settings(max_examples=60)
@given(
    st.lists(CELLS, min_size=1, max_size=30), st.integers(1, 30), st.sampled_from(["integer", "number", "date", "text"])
)
def test_how_a_table_is_cut_does_not_matter(cells: list[str], size: int, kind: str) -> None:
    """The counts are those of the cells one by one, whatever the blocks."""
    low, high = {"date": ("2024-01-01", "2025-01-01"), "text": (None, None)}.get(kind, (0, 1))
    expected = {"c": Expected(type=kind, minimum=low, maximum=high)}

    def counted(step: int) -> Any:
        check = TableCheck(expected)
        for at in range(0, len(cells), step):
            part = cells[at : at + step]
            check.add(Block(names=("c",), columns=(part,), rows=len(part)))
        (column,) = check.columns()
        return column.nulls, column.wrong, column.outside

    assert counted(size) == counted(1)


@given(st.lists(st.integers(0, 20), max_size=60), st.lists(st.integers(0, 20), max_size=60), st.integers(1, 50))
def test_repeated_and_shared_rows(ours: list[int], theirs: list[int], at_once: int) -> None:
    """As many as sets and counters say, in as many parts as they are looked at."""
    before, rowhashes._AT_ONCE = rowhashes._AT_ONCE, at_once
    try:
        with RowHashes() as one, RowHashes() as other:
            for hashes, values in ((one, ours), (other, theirs)):
                hashes.add(Block(names=("a",), columns=(tuple(map(str, values)),), rows=len(values)))
            repeated, shared = one.repeated(), one.shared(other)
    finally:
        rowhashes._AT_ONCE = before
    again = [at for at, value in enumerate(ours, 1) if value in ours[: at - 1]]
    both = [at for at, value in enumerate(ours, 1) if value in theirs]
    assert (repeated.count, repeated.first) == (len(again), min(again, default=None))
    assert (shared.count, shared.first) == (len(both), min(both, default=None))


def test_pandas_reads_the_same_rows(tmp_path: Path) -> None:
    """Rows, columns and empty cells of a messy table are those that pandas finds."""
    import pandas

    text = 'a,"b ""x""",c\n1,"two\nlines",\n,NA,"x,y"\n\n3,"",z\n'
    (tmp_path / "t.csv").write_text(text)
    frame = pandas.read_csv(tmp_path / "t.csv")
    check = TableCheck({})
    for block in read_blocks(tmp_path / "t.csv", "t.csv"):
        check.add(block)
    assert check.rows == len(frame)
    assert {column.name: column.nulls for column in check.columns()} == dict(frame.isna().sum())


_MEASURED = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "dvc_modelver", *sys.argv[1:]]).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
"""A small process between: what a large one starts is charged with its memory too."""


@pytest.mark.long
def test_a_large_table_in_little_memory(tmp_path: Path, home: Path) -> None:
    """200 MB are profiled and checked, beside a training of that size, in less than 300 MiB."""
    with open(tmp_path / "big.csv", "w") as out:
        out.write("id,age,plan,score,joined,note\n")
        for i in range(3_400_000):
            plan, note = "pro" if i % 3 else "free", "x" * (i % 40)
            out.write(f"{i},{18 + i % 70},{plan},{i * 0.37},2024-01-{i % 28 + 1:02d},{note}{i}\n")
    assert (tmp_path / "big.csv").stat().st_size > 200 << 20
    for words in (("--write-profile", "p.json"), ("--profile", "p.json", "--train", "big.csv", "--id", "id")):
        argv = [sys.executable, "-c", _MEASURED, "validate", "big.csv", *words]
        done = subprocess.run(argv, cwd=tmp_path, env=isolated_env(home), capture_output=True, text=True, timeout=900)
        code, peak = map(int, done.stderr.split()[-2:])
        assert code in (0, 1)
        assert peak < 300 << 10
    assert "3400000" in done.stdout
