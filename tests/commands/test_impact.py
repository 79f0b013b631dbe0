"""`impact`: against plain `git show` on random histories, and on real DVC repositories."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reliability.tools import litter
from tests.support import DvcRepo, Git, Modelver, Result
from tests.support.repos import put_object

Run = Callable[..., Result]


@pytest.fixture
def run(dvc_repo: DvcRepo, modelver: Modelver) -> Run:
    """`modelver` in `dvc_repo`, whose clock ticks before each command."""

    def call(*args: str | Path, **options: Any) -> Result:
        dvc_repo.git.clock.tick()
        return modelver(*args, cwd=options.pop("cwd", dvc_repo.git), **options)

    return call


@pytest.fixture
def released(dvc_repo: DvcRepo, run: Run) -> DvcRepo:
    """churn@v0.1.0 (depth 6) in prod, churn@v0.2.0 (depth 9), both of the same raw data."""
    run("release", "churn", "--no-card", "--stage", "prod")
    dvc_repo.fake_train(9)
    run("release", "churn", "--no-card", "--version", "v0.2.0")
    return dvc_repo


def load(text: str) -> Any:
    """YAML read by PyYAML, which knows nothing of DVC."""
    import yaml

    return yaml.safe_load(text)


def dump(value: object) -> str:
    """YAML written by PyYAML, keys in order."""
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False))


def versions(answer: Any) -> list[str]:
    """`NAME@V` of what was found."""
    return [f"{one['name']}@{one['version']}" for one in answer["versions"]]


def digest_in(repo: DvcRepo, path: str) -> str:
    """The digest that `dvc.lock` or the `.dvc` file has for a path, read by PyYAML."""
    lock = load((repo.path / "dvc.lock").read_text())
    entries = [e for s in lock["stages"].values() for e in (*s["deps"], *s["outs"])]
    return "md5:" + str(next(e["md5"] for e in entries if e["path"] == path))


# Against plain git ------------------------------------------------------------------------------------------------

FILES = [f"file {n}\n".encode() for n in range(6)]
MD5 = [hashlib.md5(data).hexdigest() for data in FILES]
PROJECT = """\
stages:
  prepare:
    cmd: prepare
    deps:
    - images
    - words.txt
    params:
    - keep
    outs:
    - prepared.txt
    - log.txt
  train:
    cmd: train
    deps:
    - prepared.txt
    outs:
    - model.bin
artifacts:
  m:
    path: model.bin
    type: model
"""


def listing(files: tuple[int, ...]) -> bytes:
    """A `.dir` object as DVC writes it."""
    return json.dumps([{"md5": MD5[n], "relpath": f"{n}.png"} for n in files]).encode()


def md5(*parts: object) -> str:
    """Bytes that are a function of `parts`."""
    return hashlib.md5(repr(parts).encode()).hexdigest()


class World:
    """One project in folder `a` or `b`: its state, and its files as DVC would write them."""

    def __init__(self, folder: str) -> None:
        self.folder, self.images, self.words, self.keep = folder, (0,), 0, 1

    def files(self) -> dict[str, str]:
        """`dvc.yaml`, `dvc.lock` and the two `.dvc` files."""
        images = hashlib.md5(listing(self.images)).hexdigest() + ".dir"
        prepared = md5(images, self.words, self.keep)

        def entry(path: str, digest: str) -> dict[str, object]:
            return {"path": path, "hash": "md5", "md5": digest, "size": 1}

        stages = {
            "prepare": {
                "cmd": "prepare",
                "deps": [entry("images", images), entry("words.txt", MD5[self.words])],
                "params": {"params.yaml": {"keep": self.keep}},
                "outs": [entry("log.txt", md5("log")), entry("prepared.txt", prepared)],
            },
            "train": {
                "cmd": "train",
                "deps": [entry("prepared.txt", prepared)],
                "outs": [entry("model.bin", md5(self.folder, prepared))],
            },
        }
        found = {
            "dvc.yaml": PROJECT,
            "dvc.lock": dump({"schema": "2.0", "stages": stages}),
            "images.dvc": dump({"outs": [entry("images", images)]}),
            "words.txt.dvc": dump({"outs": [entry("words.txt", MD5[self.words])]}),
        }
        return {f"{self.folder}/{name}": text for name, text in found.items()}


def brute_force(git: Git, wanted: str, at_hand: Path) -> tuple[set[str], set[str]]:
    """(made from the bytes, not to be ruled out), by `git show` of each version's lock and a walk by hand."""
    made, unknown = set(), set()
    for tag in git.tags():
        folder, version = tag.split("=m@")
        lock = load(git("show", f"{tag}:{folder}/dvc.lock"))["stages"]
        seen, pending = set(), ["model.bin"]
        while pending:
            path = pending.pop()
            for stage in lock.values():
                for entry in stage["deps"] if path in [out["path"] for out in stage["outs"]] else ():
                    seen.add(entry["md5"])
                    pending.append(entry["path"])
                seen |= {out["md5"] for out in stage["outs"] if out["path"] == path}
        folders = [digest for digest in seen if digest.endswith(".dir")]
        objects = [at_hand / digest[:2] / digest[2:] for digest in folders]
        inside = {row["md5"] for place in objects if place.exists() for row in json.loads(place.read_bytes())}
        if wanted in seen | inside:
            made.add(f"{folder}:m@{version}")
        elif not all(place.exists() for place in objects):
            unknown.add(f"{folder}:m@{version}")
    return made, unknown


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("images"), st.sets(st.integers(0, 5), min_size=1, max_size=3)),
        st.tuples(st.just("words"), st.integers(0, 5)),
        st.tuples(st.just("keep"), st.integers(1, 3)),
        st.tuples(st.just("release"), st.none()),
        st.tuples(st.just("merge"), st.integers(0, 5)),
    ),
    min_size=3,
    max_size=9,
)


@settings(max_examples=6)
@given(steps=_steps, absent=st.sets(st.integers(0, 5), max_size=2), data=st.data())
def test_it_agrees_with_a_walk_by_hand(
    steps: list[tuple[str, Any]],
    absent: set[int],
    data: st.DataObject,
    home: Path,
    modelver: Modelver,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """On random histories with merges: the same versions are found, and the same cannot be ruled out."""
    git = Git(tmp_path_factory.mktemp("walk") / "repo", home).init()
    git.commit("Begin", {".dvc/config": "", ".dvc/.gitignore": "/cache\n"})
    cache = git.path / ".dvc/cache/files/md5"
    worlds, numbers = [World("a"), World("b")], [0, 0]
    for world in worlds:
        git.commit("Train", world.files())
    for step, (what, value) in enumerate([*steps, ("release", None), ("words", 5), ("release", None)]):
        which = step % 2
        world = worlds[which]
        if what == "release":
            numbers[which] += 1
            git.tag(f"{world.folder}=m@v0.{numbers[which]}.0")
        elif what == "merge":
            # The other project changes on a side branch meanwhile: the merge brings both.
            other = worlds[1 - which]
            git("switch", "-q", "-c", f"side-{step}")
            other.words = value
            git.commit("On the side", other.files())
            git("switch", "-q", "main")
            git.commit("Meanwhile", {f"notes/{step}.txt": "x"})
            git("merge", "-q", "--no-ff", "-m", "Merge", f"side-{step}")
        else:
            setattr(world, what, tuple(sorted(value)) if what == "images" else value)
            git.commit(f"Change {what}", world.files())
        for one in worlds:
            if not absent & set(one.images):
                raw = listing(one.images)
                place = put_object(cache, raw)
                shutil.copy(place, place.with_name(place.name + ".dir"))
    wanted = data.draw(st.sampled_from([*MD5, md5("log"), md5("a", md5("never"))]))
    made, unknown = brute_force(git, wanted, cache)
    for _ in range(2):  # the second time from what is remembered
        result = modelver("impact", wanted, "--json", cwd=git, code=None)
        if not made and result.code == 7:
            assert not unknown
            continue
        assert set(versions(result.json)) == made
        assert {f"{one['name']}@{one['version']}" for one in result.json["unknown"]} == unknown
        assert (result.code, result.json["complete"]) == ((5, False) if unknown else (0, True))


# The forms of the question -----------------------------------------------------------------------------------------


def test_raw_data_by_every_name(released: DvcRepo, run: Run) -> None:
    """Path, digest, bare hex, a beginning of it, an absolute path, a path from a folder: the same versions."""
    digest = digest_in(released, "data/raw.csv")
    words = [
        "data/raw.csv",
        "./data/raw.csv",
        digest,
        digest[4:],
        digest[4:16].upper(),
        str(released.path / "data/raw.csv"),
    ]
    for word in words:
        answer = run("impact", word, "--json").json
        assert versions(answer) == ["churn@v0.2.0", "churn@v0.1.0"], word
        assert answer["matches"] == [{"path": "data/raw.csv", "digest": digest}]
        assert (answer["complete"], answer["unknown"]) == (True, [])
    inside = run("impact", "raw.csv", "--json", cwd=released.git.at("data")).json
    assert versions(inside) == versions(answer)
    first = answer["versions"][1]
    assert first["stages"] == ["prod"]
    assert [node.partition(":")[0] for node in first["path"]] == [
        "data",
        "pipeline-stage",
        "data",
        "pipeline-stage",
        "artifact",
        "version",
    ]
    assert first["path"][0] == f"data:data/raw.csv@{digest}"
    assert first["path"][-2:] == [f"artifact:models/churn.bin@{_model(released, 'v0.1.0')}", "version:churn@v0.1.0"]


def _model(repo: DvcRepo, version: str) -> str:
    lock = load(repo.git("show", f"churn@{version}:dvc.lock"))
    return f"md5:{lock['stages']['train']['outs'][0]['md5']}"


def test_other_bytes_at_the_path_are_another_question_with_rev(released: DvcRepo, run: Run) -> None:
    """Without --rev the path counts, with it only the bytes that it had there."""
    raw = released.path / "data/raw.csv"
    raw.unlink()
    raw.write_text("1,2,3\n" * 40)
    released.dvc(["add", "-q", "data/raw.csv"], ["repro", "-q"])
    released.git.commit("New data")
    run("release", "churn", "--no-card", "--version", "v0.3.0")
    assert versions(run("impact", "data/raw.csv", "--json").json) == ["churn@v0.3.0", "churn@v0.2.0", "churn@v0.1.0"]
    old = run("impact", "data/raw.csv", "--rev", "churn@v0.1.0", "--json").json
    assert versions(old) == ["churn@v0.2.0", "churn@v0.1.0"]
    assert versions(run("impact", "data/raw.csv", "--rev", "HEAD", "--json").json) == ["churn@v0.3.0"]


def test_code_and_what_only_measured(released: DvcRepo, run: Run) -> None:
    """A pipeline stage's source made the versions; the evaluation's only measured them."""
    assert versions(run("impact", "src/train.py", "--json").json) == ["churn@v0.2.0", "churn@v0.1.0"]
    assert versions(run("impact", "src/train.py", "--rev", "HEAD~1", "--json").json) == ["churn@v0.2.0", "churn@v0.1.0"]
    answer = run("impact", "src/evaluate.py", "--json").json
    assert (versions(answer), len(answer["measured"]), answer["complete"]) == ([], 2, True)
    assert "Only measured with it: churn@v0.2.0, churn@v0.1.0." in run("impact", "src/evaluate.py").out


def test_params(released: DvcRepo, run: Run) -> None:
    """With a value those that ran with it, without one all with theirs; an unknown key names the nearest."""
    assert versions(run("impact", "params.yaml:train.depth=9", "--json").json) == ["churn@v0.2.0"]
    answer = run("impact", "params.yaml:train.depth", "--json").json
    assert [one["values"] for one in answer["versions"]] == [
        {"params.yaml:train.depth": 9},
        {"params.yaml:train.depth": 6},
    ]
    nothing = run("impact", "params.yaml:train.depth=7")
    assert nothing.out.splitlines()[-1] == "No version (of 2) was made from it."
    assert "train.depth" in run("impact", "params.yaml:train.dept", code=7).err


def test_a_file_inside_a_directory(dvc_repo: DvcRepo, run: Run) -> None:
    """Found through the listing: of the cache, else of the DVC remote, whose answer DVC's cache does not keep."""
    for name in ("41.png", "42.png"):
        dvc_repo.git.write(f"data/images/{name}", f"pixels of {name}")
    dvc_repo.dvc(["add", "-q", "data/images"], ["push", "-q"])
    text = (dvc_repo.path / "dvc.yaml").read_text()
    dvc_repo.git.write("dvc.yaml", text.replace("    - data/raw.csv\n", "    - data/raw.csv\n    - data/images\n"))
    dvc_repo.dvc(["repro", "-q"], ["push", "-q"])
    dvc_repo.git.commit("Train with images")
    run("release", "churn", "--no-card", "--offline")
    digest = hashlib.md5(b"pixels of 42.png").hexdigest()
    for word in ("data/images/42.png", digest, "data/images"):
        assert versions(run("impact", word, "--json").json) == ["churn@v0.1.0"], word
    way = run("impact", "data/images/42.png", "--json").json["versions"][0]["path"]
    assert way[0] == f"data:data/images/42.png@md5:{digest}"
    assert way[1].startswith("data:data/images@md5:")

    shutil.rmtree(dvc_repo.git.path / ".git/modelver/cache")
    for place in dvc_repo.cache.glob("*/*.dir"):
        place.unlink()
    other = hashlib.md5(b"pixels of nobody").hexdigest()
    unknown = run("impact", digest, "--offline", "--json", code=5).json
    assert [(one["name"], one["path"]) for one in unknown["unknown"]] == [("churn", "data/images")]
    assert "dvc fetch" in unknown["unknown"][0]["reason"]
    assert run("impact", other, code=7).out == ""
    assert versions(run("impact", digest, "--json").json) == ["churn@v0.1.0"]
    assert list(dvc_repo.cache.glob("*/*.dir")) == []
    assert litter(dvc_repo.git) == []
    assert versions(run("impact", digest, "--offline", "--json").json) == ["churn@v0.1.0"]


def test_parts_of_directories(dvc_repo: DvcRepo, run: Run) -> None:
    """A stage that reads one folder of a tracked directory, and a folder of Git, was not made from the others."""
    for name in ("train/1.png", "test/2.png"):
        dvc_repo.git.write(f"data/images/{name}", f"pixels of {name}")
    dvc_repo.git.write("src/lib/used.py", "used = 1")
    dvc_repo.dvc(["add", "-q", "data/images"])
    text = (dvc_repo.path / "dvc.yaml").read_text()
    deps = "    - data/images/train\n    - src/lib\n    - data/raw.csv\n"
    dvc_repo.git.write("dvc.yaml", text.replace("    - data/raw.csv\n", deps))
    dvc_repo.dvc(["repro", "-q"], ["push", "-q"])
    dvc_repo.git.commit("Train with images")
    run("release", "churn", "--no-card", "--offline")
    dvc_repo.git.commit("Not used by a version", {"src/lib/late.py": "late = 1"})
    expected = {
        "data/images/train/1.png": ["churn@v0.1.0"],
        "data/images/train": ["churn@v0.1.0"],
        "data/images/test/2.png": [],
        "src/lib/used.py": ["churn@v0.1.0"],
        "src/lib/late.py": [],
        "src": ["churn@v0.1.0"],
    }
    for _ in range(2):
        assert {word: versions(run("impact", word, "--json").json) for word in expected} == expected
    for data, made in ((b"pixels of train/1.png", True), (b"pixels of test/2.png", False), (b"used = 1", True)):
        answer = run("impact", hashlib.md5(data).hexdigest(), "--json").json
        assert (bool(answer["versions"]), answer["complete"]) == (made, True)


def test_a_model_inside_a_directory(dvc_repo: DvcRepo, run: Run) -> None:
    """Its own bytes made it; what lies beside it in the directory did not."""
    for name in ("net.bin", "log.txt"):
        dvc_repo.git.write(f"runs/{name}", f"bytes of {name}")
    dvc_repo.dvc(["add", "-q", "runs"])
    dvc_repo.git.write("dvc.yaml", "artifacts:\n  net:\n    path: runs/net.bin\n    type: model\n")
    dvc_repo.git.commit("A folder")
    dvc_repo.git.tag("net@v1.0.0")
    for word in ("runs/net.bin", hashlib.md5(b"bytes of net.bin").hexdigest()):
        assert versions(run("impact", word, "--json").json) == ["net@v1.0.0"]
    answer = run("impact", hashlib.md5(b"bytes of log.txt").hexdigest(), "--json").json
    assert (versions(answer), answer["complete"]) == ([], True)


def test_an_altered_listing_is_not_believed(dvc_repo: DvcRepo, run: Run) -> None:
    """A listing that is not what its digest says rules nothing out."""
    dvc_repo.git.write("models/churn/weights.bin", "weights")
    dvc_repo.dvc(["add", "-q", "models/churn"])
    dvc_repo.git.write("dvc.yaml", "artifacts:\n  net:\n    path: models/churn\n    type: model\n")
    dvc_repo.git.commit("A folder")
    dvc_repo.git.tag("net@v1.0.0")
    digest = hashlib.md5(b"weights").hexdigest()
    assert versions(run("impact", digest, "--offline", "--json").json) == ["net@v1.0.0"]
    shutil.rmtree(dvc_repo.git.path / ".git/modelver/cache")
    place = next(dvc_repo.cache.glob("*/*.dir"))
    place.chmod(0o644)
    place.write_bytes(place.read_bytes().replace(digest.encode(), b"0" * 32))
    assert run("impact", digest, "--offline", "--json", code=5).json["unknown"][0]["name"] == "net"


def test_an_import_by_where_it_came_from(released: DvcRepo, run: Run) -> None:
    """By repository, by repository and path, and by digest; user-info is never shown."""
    meta = load((released.path / "data/raw.csv.dvc").read_text())
    repo = {"url": "https://me:secret@example.com/org/data.git", "rev_lock": "a" * 40}
    meta |= {"frozen": True, "deps": [{"path": "tables/raw.csv", "repo": repo}]}
    released.git.commit("Import it", {"data/raw.csv.dvc": dump(meta)})
    run("release", "churn", "--no-card", "--version", "v0.3.0", "--allow-unchanged")
    for word in ("https://example.com/org/data:tables/raw.csv", "https://me@example.com/org/data.git"):
        result = run("impact", word, "--json")
        assert versions(result.json) == ["churn@v0.3.0"]
        assert result.json["versions"][0]["path"][0] == f"import:https://example.com/org/data:tables/raw.csv@{'a' * 40}"
        assert "secret" not in result.out
    assert "https" in run("impact", "https://example.com/org/other:raw.csv", code=7).err


# Other repositories -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["path", "bare path", "url"])
def test_of_another_repository(released: DvcRepo, run: Run, tmp_path: Path, form: str) -> None:
    """By path or URL, the same answers as inside of it; nothing is written there, and none of it is remembered here."""
    images = [("1.png", b"pixels of 1"), ("2.png", b"pixels of 2")]
    for name, data in images:
        released.git.write(f"data/images/{name}", data.decode())
    released.dvc(["add", "-q", "data/images"])
    text = (released.path / "dvc.yaml").read_text()
    released.git.write("dvc.yaml", text.replace("    - data/raw.csv\n", "    - data/raw.csv\n    - data/images\n"))
    released.dvc(["repro", "-q"], ["push", "-q"])
    # A path beside the configuration would lead nowhere from a bare repository.
    config = f"[core]\n    remote = near\n['remote \"near\"']\n    url = {released.store}\n"
    released.git.commit("Train with images", {".dvc/config": config})
    run("release", "churn", "--no-card", "--version", "v0.3.0", "--offline")
    there = released.path
    if form != "path":
        there = tmp_path / "bare.git"
        released.git("clone", "-q", "--bare", f"file://{released.path}", str(there))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = f"file://{there}" if form == "url" else str(there)
    before = {path: path.lstat().st_mtime_ns for path in there.rglob("*")}

    def ask(*words: str, **options: Any) -> Any:
        return run("impact", *words, "--repo", where, "--json", cwd=elsewhere, **options).json

    assert versions(ask("data/raw.csv")) == ["churn@v0.3.0", "churn@v0.2.0", "churn@v0.1.0"]
    assert versions(ask("params.yaml:train.depth=9")) == ["churn@v0.3.0", "churn@v0.2.0"]
    assert versions(ask(hashlib.md5(b"pixels of 2").hexdigest())) == ["churn@v0.3.0"]
    held = {one["version"]: one["stages"] for one in ask("src/train.py")["versions"]}
    assert held == {"v0.3.0": [], "v0.2.0": [], "v0.1.0": ["prod"]}
    assert ask("data/nothing.csv", code=7)["error"]["code"] == 7
    assert {path: path.lstat().st_mtime_ns for path in there.rglob("*")} == before
    assert list(elsewhere.iterdir()) == []


def test_a_url_is_not_asked_for_each_version(released: DvcRepo, run: Run, tmp_path: Path) -> None:
    """Twelve versions take as many fetches as two: their DVC files come together."""
    git = released.git
    git("config", "uploadpack.allowFilter", "true")

    def fetches() -> int:
        trace = tmp_path / f"trace-{len(git.tags())}"
        trace.mkdir()
        run("impact", "data/raw.csv", "--repo", f"file://{git.path}", env={"GIT_TRACE2_EVENT": str(trace)})
        starts = [one for path in trace.iterdir() for one in path.read_text().splitlines() if '"event":"start"' in one]
        return sum('"fetch"' in one for one in starts)

    few = fetches()
    for number in range(10):
        lock = (released.path / "dvc.lock").read_text()
        git.commit(f"Run {number}", {"dvc.lock": lock.replace("size: 3", f"size: {number + 40}", 1) + f"# {number}\n"})
        git.tag(f"churn@v1.{number}.0")
    assert fetches() == few > 0


# Stages, withdrawals, forms ----------------------------------------------------------------------------------------


def test_stages_today_and_then_and_withdrawn_versions(released: DvcRepo, run: Run) -> None:
    """A withdrawn version is listed and marked; --at says what held the stage on the date."""
    before = released.git.clock.now.isoformat()
    run("promote", "churn@v0.2.0", "prod")
    run("withdraw", "churn@v0.1.0", "-m", "poisoned", "--yes")
    today = {one["version"]: one for one in run("impact", "data/raw.csv", "--json").json["versions"]}
    assert {v: (one["stages"], one["withdrawn"]) for v, one in today.items()} == {
        "v0.2.0": (["prod"], False),
        "v0.1.0": ([], True),
    }
    then = run("impact", "data/raw.csv", "--at", before, "--json").json
    assert {one["version"]: one["stages"] for one in then["versions"]} == {"v0.2.0": [], "v0.1.0": ["prod"]}
    text = run("impact", "data/raw.csv").out.splitlines()
    assert text[0].split() == ["MODEL", "VERSION", "STAGES", "THROUGH"]
    assert text[1].split(None, 3) == ["churn", "v0.2.0", "prod", "data/raw.csv > prepare > train"]
    assert text[2].startswith("churn  v0.1.0 (withdrawn)  -")
    assert text[-1] == "2 of 2 versions made from it, 1 of them holds a stage."
    assert run("impact", "data/raw.csv", "--md").out.startswith("| MODEL | VERSION |")
    assert run("impact", "data/raw.csv", "--csv").out.startswith("MODEL,VERSION,STAGES,THROUGH\nchurn,v0.2.0,prod,")


# What cannot be known ----------------------------------------------------------------------------------------------


def test_a_version_whose_files_are_broken_is_unknown(released: DvcRepo, run: Run) -> None:
    """It is listed with the reason, and the others are found all the same."""
    released.git.commit("Break it", {"dvc.lock": "<<<<<<< ours\n"})
    released.git.tag("churn@v0.3.0")
    result = run("impact", "src/train.py", "--json", code=5)
    assert versions(result.json) == ["churn@v0.2.0", "churn@v0.1.0"]
    assert [one["version"] for one in result.json["unknown"]] == ["v0.3.0"]
    assert "dvc.lock" in result.json["unknown"][0]["reason"]
    assert run("impact", "src/train.py", code=5).out.splitlines()[-1].endswith("1 could not be ruled out.")


def test_a_tag_that_is_no_version_is_not_passed_over_in_silence(released: DvcRepo, run: Run) -> None:
    """A lightweight tag names no version; that it was left out is said."""
    released.git.tag("churn@v0.7.0", None)
    result = run("impact", "data/raw.csv", "--json")
    assert versions(result.json) == ["churn@v0.2.0", "churn@v0.1.0"]
    assert "churn@v0.7.0" in result.err


def test_a_commit_that_is_missing_is_unknown(released: DvcRepo, run: Run) -> None:
    """A version whose commit this clone lacks is listed, and the rest is answered."""
    lost = released.git.rev("churn@v0.1.0^{commit}")
    released.git("gc", "-q", "--prune=now")
    released.git("unpack-objects", "-q", input=_packed(released))
    (released.path / f".git/objects/{lost[:2]}/{lost[2:]}").unlink()
    answer = run("impact", "data/raw.csv", "--json", code=5).json
    assert versions(answer) == ["churn@v0.2.0"]
    assert [one["version"] for one in answer["unknown"]] == ["v0.1.0"]
    assert lost[:12] in answer["unknown"][0]["reason"]


def _packed(repo: DvcRepo) -> bytes:
    """The only pack, taken out of the repository: then each object can be a file of its own."""
    pack = next((repo.path / ".git/objects/pack").glob("*.pack"))
    data = pack.read_bytes()
    for place in pack.parent.glob(pack.stem + ".*"):
        place.unlink()
    return data


def test_a_broken_work_tree_hides_no_version(released: DvcRepo, run: Run) -> None:
    """Nothing is committed yet: what versions say counts."""
    released.git.write("dvc.yaml", "a: [\n")
    result = run("impact", "data/raw.csv", "--json")
    assert versions(result.json) == ["churn@v0.2.0", "churn@v0.1.0"]


def test_bytes_that_a_stage_read_before_they_changed(released: DvcRepo, run: Run) -> None:
    """The lock does not say what made what `train` read: the version cannot be ruled out."""
    text = (released.path / "dvc.lock").read_text()
    old = digest_in(released, "data/prepared.csv")[4:]
    head, _, tail = text.rpartition(f"md5: {old}") if text.count(old) == 1 else text.partition(f"md5: {old}")
    released.git.commit("Prepare anew", {"dvc.lock": f"{head}md5: {'1' * 31}a{tail}"})
    released.git.tag("churn@v0.3.0")
    other = run("impact", "md5:" + "2" * 31 + "a", "--json", code=5).json
    assert [(one["version"], "other bytes" in one["reason"]) for one in other["unknown"]] == [("v0.3.0", True)]
    assert versions(run("impact", "src/train.py", "--json").json)[0] == "churn@v0.3.0"


def test_a_shallow_clone_says_so(released: DvcRepo, run: Run, tmp_path: Path) -> None:
    """Exit code 5 even when all versions that it knows were found."""
    released.git("clone", "-q", "--depth=1", f"file://{released.path}", tmp_path / "shallow")
    shallow = released.git.at(tmp_path / "shallow")
    answer = run("impact", "data/raw.csv", "--json", cwd=shallow, code=5).json
    assert answer["complete"] is False
    assert "shallow" in answer["unknown"][-1]["reason"]


def test_a_model_that_nobody_recorded(released: DvcRepo, run: Run) -> None:
    """`dvc add` of a model says nothing of its data: that is said, and is no match."""
    released.git.write("other.bin", "weights")
    released.dvc(["add", "-q", "other.bin"])
    text = (released.path / "dvc.yaml").read_text()
    released.git.commit("Add", {"dvc.yaml": f"{text}  other:\n    path: other.bin\n    type: model\n"})
    run("release", "other", "--no-card")
    answer = run("impact", "data/raw.csv", "--json").json
    assert versions(answer) == ["churn@v0.2.0", "churn@v0.1.0"]
    assert answer["unrecorded"] == [{"name": "other", "version": "v0.1.0"}]
    assert versions(run("impact", "other.bin", "--json").json) == ["other@v0.1.0"]


@pytest.mark.parametrize("word", ["data/rwa.csv", "md5:" + "12" * 16, "1234567890", "nothing", "../outside", "a:b"])
def test_what_nobody_knows(released: DvcRepo, run: Run, word: str) -> None:
    """Exit code 7, with near names for a path."""
    result = run("impact", word, code=7)
    assert "hint: " in result.err
    if word == "data/rwa.csv":
        assert "data/raw.csv" in result.err


def test_what_only_head_or_the_work_tree_knows(released: DvcRepo, run: Run) -> None:
    """It is known, and nothing was made from it."""
    released.git.write("notes.txt", "a note")
    digest = hashlib.md5(b"a note").hexdigest()
    answer = run("impact", "notes.txt", "--json").json
    assert (versions(answer), answer["complete"]) == ([], True)
    assert answer["matches"][0] == {"path": "notes.txt", "digest": f"md5:{digest}"}
    assert run("impact", "notes.txt", "--rev", "HEAD", code=7).out == ""


def test_bad_questions(released: DvcRepo, run: Run) -> None:
    """Nothing, a revision that is none, a date that is none."""
    assert run("impact", "", code=2).out == ""
    assert "revision" in run("impact", "data/raw.csv", "--rev", "nope", code=7).err
    assert run("impact", "data/raw.csv", "--at", "soon", code=2).out == ""
    assert "--rev" in run("impact", digest_in(released, "data/raw.csv"), "--rev", "HEAD", code=2).err
    assert "--rev" in run("impact", "params.yaml:train.depth", "--rev", "HEAD", code=2).err


# Memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["nothing", "gone", "cut", "other"])
def test_the_cache_is_only_a_cache(released: DvcRepo, run: Run, damage: str) -> None:
    """Deleted, cut or filled with something else, the answer stays the same; and a new version is seen."""
    expected = run("impact", "data/raw.csv", "--json").json
    folder = released.path / ".git/modelver/cache/impact-1"
    for place in [path for path in folder.rglob("*.json") if damage != "nothing"]:
        if damage == "gone":
            place.unlink()
        else:
            place.write_bytes(place.read_bytes()[:-9] if damage == "cut" else b'{"commits": {"x": 1}, "things": [[1]]}')
    assert run("impact", "data/raw.csv", "--json").json == expected
    released.git.tag("churn@v0.9.0")
    assert versions(run("impact", "data/raw.csv", "--json").json)[0] == "churn@v0.9.0"


def test_a_warm_answer_parses_nothing(released: DvcRepo, run: Run) -> None:
    """Neither the YAML reader nor DVC is imported the second time."""
    run("impact", "data/raw.csv")
    script = (
        "import sys\n"
        "from dvc_modelver.cli import main\n"
        "main.COMMANDS['impact'] = ''\n"
        "assert main.main(['impact', 'data/raw.csv']) == 0\n"
        "print([name for name in ('yaml', 'dvc', 'dvc_modelver.dvcio.locate') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=released.path, env=released.git.env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
