"""`compare` looks inside data that changed: tables, and the files of directories."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dvc_modelver.commands.comparison import data as comparedata
from dvc_modelver.core.comparison import Change, DataRow
from dvc_modelver.core.points import Bytes
from tests.support import DvcRepo, Modelver


def keep(repo: DvcRepo, data: bytes, suffix: str = "") -> str:
    """Put bytes into DVC's cache as DVC would; return their digest."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest() + suffix
    place = repo.object_path(md5)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return md5


def track(repo: DvcRepo, path: str, data: bytes) -> None:
    """Change a file that a `.dvc` file tracks, and say in `dvc.lock` that the pipeline read it so."""
    lock, dvc = repo.path / "dvc.lock", repo.path / f"{path}.dvc"
    old = next(line.split()[-1] for line in dvc.read_text().splitlines() if "md5:" in line)
    new = keep(repo, data)
    for file in (lock, dvc):
        file.write_text(file.read_text().replace(old, new))
    (repo.path / path).write_bytes(data)


def row(answer: dict[str, Any], path: str) -> dict[str, Any]:
    """The data row of a path."""
    (found,) = (row for row in answer["data"] if row["path"] == path)
    return dict(found)


def test_a_table_that_changed(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Rows, columns, types and statistics stand beside the digests, and are read once."""
    git, raw = dvc_repo.git, dvc_repo.path / "data/raw.csv"
    git.tag("churn@v0.1.0")
    header, *lines = raw.read_text().splitlines()
    track(dvc_repo, "data/raw.csv", "\n".join([f"{header},city", *(f"{line},x" for line in lines[:-2]), ""]).encode())
    git.commit("Less data")
    answer = modelver("compare", "churn@v0.1.0", "HEAD", "--json", cwd=git).json
    found = row(answer, "data/raw.csv")
    before, after = found["tables"]
    assert before["rows"] == len(lines)
    assert after["rows"] == len(lines) - 2
    assert [column["name"] for column in after["columns"]] == [*header.split(","), "city"]
    changes = {change["what"]: change["detail"] for change in found["changes"][1]}
    assert found["changes"][0] == []
    assert changes["rows"].startswith(f"{len(lines)} -> {len(lines) - 2}")
    assert changes["city"].startswith("new")
    text = modelver("compare", "churn@v0.1.0", "HEAD", cwd=git).out
    assert "Inside the data" in text
    assert changes["rows"] in text
    assert "tables" not in row(answer, "data/prepared.csv")


def test_bytes_that_are_not_at_hand(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Without the bytes of one side nothing is said of the inside, and a corrupt object is not looked at."""
    git = dvc_repo.git
    git.tag("churn@v0.1.0")
    track(dvc_repo, "data/raw.csv", b"a,b\n1,2\n")
    git.commit("Other data")
    digest = row(modelver("compare", "churn@v0.1.0", "--json", cwd=git).json, "data/raw.csv")["values"][0]["digest"]
    place = dvc_repo.object_path(digest.removeprefix("md5:"))
    place.chmod(0o644)
    place.write_bytes(b"x,y\n1,2\n")
    (dvc_repo.path / ".git/modelver").rename(dvc_repo.path / ".git/modelver-old")
    found = row(modelver("compare", "churn@v0.1.0", "HEAD", "--json", cwd=git).json, "data/raw.csv")
    assert "tables" not in found
    assert "changes" not in found


def test_files_of_a_directory(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Of a tracked directory the files that are new, gone and changed are counted and named."""
    git = dvc_repo.git
    listings = ({"a.png": "1" * 32, "b.png": "2" * 32}, {"a.png": "3" * 32, "c.png": "2" * 32})
    digests = [
        keep(dvc_repo, json.dumps([{"md5": md5, "relpath": name} for name, md5 in files.items()]).encode(), ".dir")
        for files in listings
    ]
    lock = dvc_repo.path / "dvc.lock"
    text = lock.read_text()
    dep = "    - path: data/raw.csv\n"
    assert dep in text
    for number, digest in enumerate(digests, 1):
        more = f"    - path: images\n      hash: md5\n      md5: {digest}\n      size: 3\n      nfiles: 2\n"
        lock.write_text(text.replace(dep, more + dep, 1))
        (dvc_repo.path / "images.dvc").write_text(
            f"outs:\n- md5: {digest}\n  hash: md5\n  size: 3\n  nfiles: 2\n  path: images\n"
        )
        git.commit(f"Images {number}")
        git.tag(f"churn@v0.{number}.0")
    found = row(modelver("compare", "churn@v0.1.0", "churn@v0.2.0", "--json", cwd=git).json, "images")
    words = " ".join(change["detail"] for change in found["changes"][1])
    assert "c.png" in words
    assert "b.png" in words
    assert "a.png" in words
    page = dvc_repo.path.parent / "page.html"
    modelver("compare", "churn@v0.1.0", "churn@v0.2.0", "--html", page, cwd=git)
    assert "c.png" in page.read_text()


def test_large_tables_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A table above the limit is not read, and a note says so; of many points nothing is read."""
    monkeypatch.setattr(comparedata, "MAX_BYTES", 10)
    rows = [
        DataRow(path="a.csv", values=(Bytes(digest="md5:1", size=11), Bytes(digest="md5:2")), change=Change.CHANGED)
    ]
    none: Any = None
    same, notes = comparedata.look_inside(none, none, [none, none], rows)
    assert same == tuple(rows)
    assert notes == ("a.csv is larger than 0 MiB: what changed inside is not shown",)
    assert comparedata.look_inside(none, none, [none] * 9, rows) == (tuple(rows), ())
