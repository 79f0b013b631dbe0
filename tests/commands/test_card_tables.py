"""The card's block `data` beside profiles that a pipeline stage wrote: tied to the table's bytes, or not used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dvc_modelver.cards.document import parse_card
from tests.bad_input.support import alter, edit
from tests.support import DvcRepo, Modelver
from tests.support.repos import md5, put_object

TABLE = "data/prepared.csv"
PROFILE = f"{TABLE}.profile.json"
CARD = "model_cards/churn.md"
TIMES = "\N{MULTIPLICATION SIGN}"
NUMBER = {"name": "age", "type": "integer", "nulls": 2, "distinct": 9, "minimum": -3, "maximum": 99, "mean": 41.25}
DOCUMENT: Mapping[str, Any] = {"schema": 1, "rows": 1234, "ragged": 0, "columns": [NUMBER]}
"""Unlike the table's bytes, so that one sees which of them the card follows."""


def profiled(repo: DvcRepo, data: bytes | Mapping[str, Any] = DOCUMENT, *, kept: str = "Git", table: str = "") -> bytes:
    """As if a pipeline stage had written that profile of the table (of digest `table`) into Git or DVC's store."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    cache = "" if kept == "DVC" else ":\n        cache: false"
    stage = f"  card-data:\n    cmd: profile\n    deps:\n    - {TABLE}\n    outs:\n    - {PROFILE}{cache}\n"
    edit(repo.path / "dvc.yaml", "artifacts:\n", f"{stage}artifacts:\n")
    digest = table or md5((repo.path / TABLE).read_bytes())
    entry = (
        f"  card-data:\n    cmd: profile\n    deps:\n    - path: {TABLE}\n      hash: md5\n      md5: {digest}\n"
        f"    outs:\n    - path: {PROFILE}\n      hash: md5\n      md5: {md5(raw)}\n      size: {len(raw)}\n"
    )
    lock = repo.path / "dvc.lock"
    lock.write_text(lock.read_text() + entry)
    if kept == "DVC":
        put_object(repo.store / "files" / "md5", raw)
        (repo.path / ".gitignore").write_text(f"/{PROFILE}\n")
    else:
        (repo.path / PROFILE).write_bytes(raw)
    repo.git.commit("Profile the data")
    return raw


def block(repo: DvcRepo, name: str = "data") -> str:
    found = parse_card((repo.path / CARD).read_bytes()).block(name)
    assert found is not None
    return found.text


def without_data(repo: DvcRepo, folder: Path) -> DvcRepo:
    return DvcRepo(repo.git.clone(folder), repo.store)


def emptied(repo: DvcRepo) -> None:
    """Let the block be made anew."""
    card = repo.path / CARD
    text = re.sub(r"(begin data) [^>]*-->.*?(<!-- modelver:end data)", r"\1 -->\n\n\2", card.read_text(), flags=re.S)
    card.write_text(text)


def test_real_dvc_writes_it_and_every_clone_says_the_same(
    dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path
) -> None:
    """`pipeline add card-data`, `dvc repro`, `release`: the card lists the columns, also made where no data is."""
    for table in (TABLE, "data/raw.csv"):
        modelver("pipeline", "add", "card-data", table, "--yes", cwd=dvc_repo.git)
    dvc_repo.dvc(["repro", "-q"])
    dvc_repo.git.commit("Profile the data")
    modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    text = block(dvc_repo)
    assert f"29 {TIMES} 3" in text
    assert f"<summary>Columns of <code>{TABLE}</code> (3)</summary>" in text
    assert text.count("| integer | 0 |") == 6
    clone = without_data(dvc_repo, tmp_path / "clone")
    assert modelver("card", "check", "--json", cwd=clone.git).json["cards"][0]["problems"] == []
    emptied(clone)
    modelver("card", "update", cwd=clone.git)
    assert not clone.cache.exists()
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.parametrize("kept", ["Git", "DVC"])
def test_the_profile_speaks_for_the_bytes(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path, kept: str) -> None:
    """Rows, columns and their numbers are the profile's, with the data at hand and without it."""
    profiled(dvc_repo, kept=kept)
    clone = without_data(dvc_repo, tmp_path / "clone")
    for repo in (dvc_repo, clone):
        said = modelver("card", "update", cwd=repo.git)
        assert "note" not in said.err
        assert f"1,234 {TIMES} 1" in block(repo)
        assert "| age | integer | 2 | 9 | -3 | 99 | 41.25 |" in block(repo)
    # Of the raw data there is no profile.
    assert block(clone).replace("| 270 B | -", f"| 270 B | 39 {TIMES} 3") == block(dvc_repo)
    assert modelver("card", "check", "--json", cwd=clone.git).json["ok"] is True
    assert modelver("card", "update", "--json", cwd=clone.git).json["changed"] is False


def test_a_profile_that_comes_makes_the_card_out_of_date(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Of the blocks only `data`, until the card is brought up to date."""
    modelver("card", "update", cwd=dvc_repo.git)
    profiled(dvc_repo)
    report = modelver("card", "check", "--json", cwd=dvc_repo.git, code=1).json["cards"][0]
    assert [problem["block"] for problem in report["problems"]] == ["data"]
    modelver("card", "update", cwd=dvc_repo.git)
    assert modelver("card", "check", "--json", cwd=dvc_repo.git).json["ok"] is True


def test_a_profile_of_other_bytes_is_not_used(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What the stage read, as `dvc.lock` has it, must be what the card names; a note says what to run."""
    profiled(dvc_repo, table="ab" * 16)
    said = modelver("card", "update", cwd=dvc_repo.git)
    assert f"note: {PROFILE} is not of {TABLE} as it is: dvc repro card-data" in said.err
    assert f"29 {TIMES} 3" in block(dvc_repo)
    assert "<details>" not in block(dvc_repo)


def test_a_profile_that_somebody_edited_is_not_used(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Its bytes must be those that the stage wrote, as `dvc.lock` has them."""
    raw = profiled(dvc_repo)
    dvc_repo.git.commit("Better", {PROFILE: raw.replace(b"1234", b"9999").decode()})
    said = modelver("card", "update", cwd=dvc_repo.git)
    assert f"note: {PROFILE} is not as its pipeline stage wrote it" in said.err
    assert f"29 {TIMES} 3" in block(dvc_repo)


def test_a_profile_that_says_it_is_huge_is_not_fetched(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """It is passed over with a note, whatever the remote has."""
    raw = profiled(dvc_repo, kept="DVC")
    edit(dvc_repo.path / "dvc.lock", f"      size: {len(raw)}\n", "      size: 99999999999\n")
    said = modelver("card", "update", cwd=dvc_repo.git)
    assert f"note: {PROFILE} is too large to be a profile" in said.err
    assert not dvc_repo.object_path(md5(raw)).exists()
    assert f"29 {TIMES} 3" in block(dvc_repo)


def test_a_note_is_said_once(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Also by a release, which makes the card on its way."""
    profiled(dvc_repo, b"{}")
    said = modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    assert said.err.count("is no profile of a table") == 1


def test_a_profile_that_git_ignores_is_said(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Nobody else would have it, so the card does not follow it."""
    profiled(dvc_repo)
    dvc_repo.git("rm", "-q", "--cached", PROFILE)
    dvc_repo.git.commit("Ignore the data", {".gitignore": "/data/*.json\n"})
    said = modelver("card", "update", cwd=dvc_repo.git)
    assert f"note: {PROFILE} is kept neither by Git nor by DVC: git add -f {PROFILE}" in said.err
    assert f"29 {TIMES} 3" in block(dvc_repo)


def test_windows_line_ends_in_the_work_tree(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """What Git made of the profile's line ends on checkout does not make the card out of date."""
    profiled(dvc_repo, json.dumps(DOCUMENT, indent=1).encode() + b"\n")
    modelver("card", "update", cwd=dvc_repo.git)
    dvc_repo.git.commit("The card")
    clone = without_data(dvc_repo, tmp_path / "clone")
    clone.git("config", "core.autocrlf", "true")
    (clone.path / PROFILE).unlink()
    clone.git("checkout", "--", PROFILE)
    assert b"\r\n" in (clone.path / PROFILE).read_bytes()
    assert modelver("card", "check", "--json", cwd=clone.git).json["cards"][0]["problems"] == []


def test_in_a_monorepo_below_another_directory(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The stage may stand in a `dvc.yaml` beside the table, with a working directory of its own."""
    raw = json.dumps(DOCUMENT).encode()
    digest = md5((dvc_repo.path / TABLE).read_bytes())
    stage = "  p:\n    wdir: ..\n    cmd: x\n    deps: [data/prepared.csv]\n"
    lock = f"schema: '2.0'\nstages:\n  p:\n    cmd: x\n    deps:\n    - path: {TABLE}\n      md5: {digest}\n"
    files = {
        "data/dvc.yaml": f"stages:\n{stage}    outs: [{{{PROFILE}: {{cache: false}}}}]\n",
        "data/dvc.lock": f"{lock}    outs:\n    - path: {PROFILE}\n      hash: md5\n      md5: {md5(raw)}\n",
        PROFILE: raw.decode(),
    }
    dvc_repo.git.commit("Profile", files)
    modelver("card", "update", cwd=dvc_repo.path / "src")
    assert f"1,234 {TIMES} 1" in block(dvc_repo)


def test_a_file_of_that_name_that_no_stage_wrote_is_not_used(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Nothing ties it to the table."""
    dvc_repo.git.commit("By hand", {PROFILE: json.dumps(DOCUMENT)})
    modelver("card", "update", cwd=dvc_repo.git)
    assert f"29 {TIMES} 3" in block(dvc_repo)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"schema": 1, "rows": 1e400, "columns": []}',
        b'{"schema": 1, "rows": ' + b"9" * 5000 + b', "columns": []}',
        {**DOCUMENT, "rows": 10**300},
        {**DOCUMENT, "rows": 1},
        {**DOCUMENT, "columns": [{**NUMBER, "distinct": 10**30}]},
        {**DOCUMENT, "columns": [{**NUMBER, "name": None}]},
        {**DOCUMENT, "columns": {"age": NUMBER}},
        {**DOCUMENT, "schema": 2},
    ],
    ids=range(11),
)
def test_what_is_no_profile_breaks_nothing(dvc_repo: DvcRepo, modelver: Modelver, data: Any) -> None:
    """The card is written from the table's bytes, with a note, and checks clean."""
    profiled(dvc_repo, data)
    said = modelver("card", "update", cwd=dvc_repo.git)
    assert f"note: {PROFILE} is no profile of a table, and not used" in said.err
    assert f"29 {TIMES} 3" in block(dvc_repo)
    assert modelver("card", "check", "--json", cwd=dvc_repo.git).json["ok"] is True


def test_hostile_names_and_texts(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Names are literal and without secrets; of what cells say only numbers and dates are shown."""
    columns = [
        {"name": "a|b</details><script>\n# x <!-- modelver:end data -->", "type": "text", "minimum": "Ada Lovelace"},
        {"name": "born", "type": "date", "minimum": "1980-02-03", "maximum": "not a date"},
        {"name": "password", "type": "number", "minimum": 12345.5, "maximum": float("inf"), "mean": float("nan")},
        {"name": "n", "type": "text", "minimum": 4711, "nulls": 0},
        *({"name": f"c{at}", "type": "empty"} for at in range(300)),
    ]
    profiled(dvc_repo, {**DOCUMENT, "columns": columns})
    modelver("card", "update", cwd=dvc_repo.git)
    text = block(dvc_repo)
    assert "Ada" not in text
    assert "4711" not in text
    assert "12345" not in text
    assert "<script>" not in text
    assert "| born | date | 0 | many | 1980-02-03 | - | - |" in text
    assert "*and 204 more*" in text
    assert text.count("\n") < 130
    assert modelver("card", "check", "--json", cwd=dvc_repo.git).json["ok"] is True


def test_a_profile_that_is_nowhere_leaves_the_block_partial(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The card is written with what is there, says so, and is completed by the next update that has the profile."""
    raw = profiled(dvc_repo, kept="DVC")
    place = dvc_repo.store / "files" / "md5" / md5(raw)[:2] / md5(raw)[2:]
    place.unlink()
    said = modelver("card", "update", cwd=dvc_repo.git)
    assert f"note: {PROFILE} is kept by DVC and not at hand" in said.err
    assert f"29 {TIMES} 3" in block(dvc_repo)
    assert modelver("card", "check", "--json", cwd=dvc_repo.git).json["ok"] is True
    put_object(dvc_repo.cache, raw)
    modelver("card", "update", cwd=dvc_repo.git)
    assert f"1,234 {TIMES} 1" in block(dvc_repo)
    alter(dvc_repo.object_path(md5(raw)))
    emptied(dvc_repo)
    modelver("card", "update", cwd=dvc_repo.git)
    assert f"29 {TIMES} 3" in block(dvc_repo)


def test_a_table_of_another_kind_has_rows_too(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A table of a kind whose rows the card does not count itself is told by its profile."""
    profiled(dvc_repo)
    for file in ("dvc.yaml", "dvc.lock"):
        text = (dvc_repo.path / file).read_text()
        (dvc_repo.path / file).write_text(text.replace(TABLE, "data/prepared.parquet"))
    (dvc_repo.path / PROFILE).rename(dvc_repo.path / "data/prepared.parquet.profile.json")
    dvc_repo.git.commit("Parquet", {})
    modelver("card", "update", cwd=dvc_repo.git)
    assert f"1,234 {TIMES} 1" in block(dvc_repo)
