"""What walks over history remember changes how long an answer takes, and never the answer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.provenance import ancestry, ancestrymemory
from dvc_modelver.commands.provenance.ancestry import Ancestry, read_ancestry
from dvc_modelver.commands.provenance.ancestryasks import Ask
from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.lock import parse_lock
from tests.support import DvcRepo, Git, Modelver

HEXES = tuple(hashlib.md5(bytes([n])).hexdigest() for n in range(8))
CODE = tuple(f"print({n})\n".encode() for n in range(3))
REVISION = "c" * 40


def lock(model: int, data: int, style: int) -> bytes:
    """A `dvc.lock` of two stages: as DVC writes it, quoted, with a stage that cannot be read, or listing a folder."""
    quote = "'" if style == 1 else ""
    train = (
        "  train:\n    cmd: python train.py\n    deps:\n"
        f"    - path: raw.csv\n      hash: md5\n      md5: {quote}{HEXES[data]}{quote}\n      size: 1\n"
        f"    outs:\n    - path: model.bin\n      hash: md5\n      md5: {HEXES[4 + model]}\n      size: 2\n"
    )
    other = {
        2: f"  other:\n    cmd: [\n    outs:\n    - path: x\n      md5: {HEXES[data]}\n",
        3: "  other:\n    cmd: x\n    outs:\n    - path: x\n      hash: md5\n      files:\n"
        f"      - relpath: a\n        md5: {HEXES[data]}\n        size: 1\n",
    }.get(style, f"  other:\n    cmd: x\n    deps:\n    - path: x\n      md5: {HEXES[data]}\n      size: 1\n")
    return f"schema: '2.0'\nstages:\n{train}{other}".encode()


def files(number: int) -> dict[str, bytes]:
    """The files of a commit, told by a number."""
    number, style = divmod(number, 5)
    number, model = divmod(number, 4)
    number, data = divmod(number, 4)
    number, code = divmod(number, 3)
    number, rate = divmod(number, 3)
    moved = number % 2
    found = {
        "params.yaml": f"train:\n  rate: {('0.1', '1e-1', '2')[rate]}\n  deep: {code}\nother: {data}\n".encode(),
        f"{'lib' if moved else 'src'}/train.py": CODE[code],
        "data.dvc": (
            f"deps:\n- path: raw\n  repo:\n    url: u\n    rev_lock: {REVISION if data else 'd' * 40}\n"
            f"outs:\n- md5: {HEXES[data]}\n  size: 1\n  path: data\n"
        ).encode(),
    }
    if style != 4:
        found["sub/dvc.lock" if moved else "dvc.lock"] = lock(model, data, style)
    return found


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def folder(data: bytes) -> str:
    entry = b"100644 train.py\0" + bytes.fromhex(blob(data))
    return hashlib.sha1(b"tree %d\0" % len(entry) + entry).hexdigest()


def every_ask() -> Iterator[Ask]:
    """One of every kind of everything that `files` may make."""
    for n, digest in enumerate(HEXES):
        yield Ask(node=f"digest {n}", digest=f"md5:{digest}")
    for n, data in enumerate(CODE):
        yield Ask(node=f"blob {n}", blob=blob(data))
        yield Ask(node=f"folder {n}", folder=folder(data))
    for model in range(4):
        for data in range(4):
            stage = next(parse_lock(lock(model, data, 0), "dvc.lock").stages())
            digests = tuple(item.digest or "" for item in (*stage.outs, *stage.deps))
            yield Ask(node=f"entry {model} {data}", entry=stage.digest, holds=digests)
    for rate in (0.1, 2, 2.0, 3):
        for deep in range(3):
            yield Ask(node=f"values {rate!r} {deep}", values=("params.yaml", {"train.rate": rate, "train.deep": deep}))
    for data in range(4):
        yield Ask(node=f"other {data}", values=("params.yaml", {"other": data}))
    for url, revision in (("u", REVISION), ("u", "e" * 40), ("v", REVISION)):
        yield Ask(node=f"import {url} {revision}", imported=(url, "raw", revision))


ASKS = tuple(every_ask())


def build(git: Git, commits: Sequence[tuple[int, Sequence[int], int]]) -> list[str]:
    """Commits of (files, parents by number from the end, seconds), by one `git fast-import`; their ids."""
    stream: list[bytes] = []
    for n, (number, parents, at) in enumerate(commits):
        stream.append(b"commit refs/heads/c%d\nmark :%d\n" % (n, n + 1))
        stream.append(b"committer A <a@example.com> %d +0000\ndata 0\n" % (1_700_000_000 + at))
        chosen = dict.fromkeys(n - p % n for p in (parents or (0,)) if n)
        stream += [b"%s :%d\n" % (b"merge" if i else b"from", parent) for i, parent in enumerate(chosen)]
        stream.append(b"deleteall\n")
        for path, data in files(number).items():
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    git("fast-import", "--quiet", input=b"".join(stream))
    return [git("rev-parse", f"refs/heads/c{n}") for n in range(len(commits))]


def opened(git: Git) -> Project:
    return Project(Surroundings(directory=git.path, env=git.env))


def ask(project: Project, commit: str, asks: Sequence[Ask] = ASKS) -> Ancestry:
    """The answer from what is remembered, as far as that goes."""
    with Bytes(project) as at_hand:
        return read_ancestry(project, commit, asks, at_hand)


def ask_history(project: Project, commit: str, asks: Sequence[Ask] = ASKS) -> Ancestry:
    """The answer without any memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ancestry, "_is_of_history_alone", lambda *_: False)
        return ask(project, commit, asks)


def memory(git: Git) -> Path:
    return git.path / ".git" / "modelver" / "cache" / ancestrymemory.FORMAT


# Often the same files again, so that most things begin late in the history and on one side of it.
NUMBERS = st.one_of(st.just(0), st.just(0), st.integers(0, 5 * 4 * 4 * 3 * 3 * 2 - 1))
PARENTS = st.one_of(st.just([]), st.lists(st.integers(0, 5), min_size=1, max_size=3))
COMMITS = st.lists(st.tuples(NUMBERS, PARENTS, st.integers(0, 10**6)), min_size=3, max_size=14)
QUESTIONS = st.lists(
    st.tuples(st.integers(0, 13), st.one_of(st.just(2**16 - 1), st.integers(0, 2**16 - 1))), min_size=3, max_size=9
)


@settings(max_examples=25)
@given(COMMITS, QUESTIONS, st.sampled_from([0, 2, 200]), st.sampled_from([3, 2000]))
def test_an_answer_from_memory_is_that_of_the_whole_history(
    tmp_path_factory: pytest.TempPathFactory,
    home: Path,
    commits: list[tuple[int, list[int], int]],
    questions: list[tuple[int, int]],
    near: int,
    far: int,
) -> None:
    """On histories with merges, reverts, renames and lying clocks, whatever was asked before, in whatever order."""
    git = Git(tmp_path_factory.mktemp("random") / "repo", home).init()
    ids = build(git, commits)
    with pytest.MonkeyPatch.context() as patch, opened(git) as project:
        patch.setattr(ancestry, "NEAR", near)
        patch.setattr(ancestrymemory, "_FAR", far)
        for number, some in questions:
            asks = [one for n, one in enumerate(ASKS) if some >> (n % 16) & 1]
            commit = ids[number % len(ids)]
            assert ask(project, commit, asks) == ask_history(project, commit, asks)


def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The revisions of which the log is read from now on."""
    found: list[str] = []

    def read_log(git: object, commit: str, *, folders: bool = False) -> object:
        found.append(commit)
        return real(git, commit, folders=folders)  # type: ignore[arg-type]

    real = ancestry.read_log
    monkeypatch.setattr(ancestry, "read_log", read_log)
    monkeypatch.setattr(ancestrymemory, "read_log", read_log)
    return found


LINE = [(n * 7 % 720, [], n) for n in range(12)]


def test_the_same_again_reads_no_history(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time, from another process or worktree, the log is not read at all."""
    ids = build(git, LINE)
    read = walks(monkeypatch)
    with opened(git) as project:
        first = ask(project, ids[-1])
    assert read == [ids[-1]]
    git("worktree", "add", "-q", "--detach", "../other", ids[0])
    for place in (git, git.at(git.path.parent / "other")):
        with opened(place) as project:
            assert ask(project, ids[-1]) == first
    assert read == [ids[-1]]


def test_later_commits_are_read_alone(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a newer commit only what is new is read, even for bytes that were never asked for."""
    build(git, [(0, [], n) for n in range(10)])
    ids = build(git, [*((0, [], n) for n in range(10)), (5, [], 11), (25, [], 12)])
    read = walks(monkeypatch)
    with opened(git) as project:
        ask(project, ids[9], [Ask(node="x", digest=f"md5:{HEXES[4]}")])
        found = ask(project, ids[11], [Ask(node="y", digest=f"md5:{HEXES[5]}")])
        assert found.answers["y"].origin is not None
        assert found.answers["y"].origin.commit == ids[10]
        assert read == [ids[9], f"{ids[9]}..{ids[11]}"]


def test_a_side_branch_from_before_is_seen(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a branch that began before the remembered commit brings is found, from where all still came together."""
    steps = [(0, [], n) for n in range(6)]
    ids = build(git, [*steps, (5, [2], 9), (5, [1, 2], 10)])
    read = walks(monkeypatch)
    with opened(git) as project:
        ask(project, ids[5])
        asks = [Ask(node="y", digest=f"md5:{HEXES[5]}")]
        assert ask(project, ids[7], asks) == ask_history(project, ids[7], asks)
        assert read[1] == f"{ids[4]}..{ids[7]}"


def test_an_older_commit_knows_nothing_of_its_siblings(git: Git) -> None:
    """Of two branches that were remembered together each is asked alone, and neither has what the other brought."""
    ids = build(git, [(0, [], 0), (5, [], 1), (10, [1], 2), (15, [0, 1], 3), (20, [], 4)])
    with opened(git) as project:
        for commit in (ids[4], *ids):
            assert ask(project, commit) == ask_history(project, commit)


def test_an_unrelated_history_is_seen(git: Git) -> None:
    """What a branch with a root of its own brings by a merge is older than the merge."""
    ids = build(git, [(0, [], 0), (0, [], 1)])
    git("switch", "-q", "--orphan", "other")
    begun = git.commit("Elsewhere", {"dvc.lock": lock(1, 0, 0).decode()})
    merge = git("commit-tree", f"{begun}^{{tree}}", "-m", "x", "-p", ids[1], "-p", begun)
    asks = [Ask(node="x", digest=f"md5:{HEXES[5]}")]
    with opened(git) as project:
        ask(project, ids[1], asks)
        found = ask(project, merge, asks)
        assert found == ask_history(project, merge, asks)
        assert found.answers["x"].origin is not None
        assert found.answers["x"].origin.commit == begun


@pytest.mark.parametrize("suffix", ["base", "facts"])
@pytest.mark.parametrize("how", ["flip", "cut", "empty", "garbage", "gone", "folder"])
def test_damage_costs_only_time(git: Git, suffix: str, how: str) -> None:
    """Wherever a file is damaged, however little, it is as good as none, and is written again."""
    ids = build(git, LINE)
    with opened(git) as project:
        expected = ask(project, ids[-1])
        (place,) = memory(git).glob(f"*.{suffix}")
        data = place.read_bytes()
        for at in range(0, len(data), 1 + len(data) // 12) if how == "flip" else (0,):
            place.unlink()
            if how == "flip":
                place.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            elif how == "folder":
                place.mkdir()
            elif how != "gone":
                place.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "garbage": os.urandom(3000)}[how])
            assert ask(project, ids[-1]) == expected
        if how != "folder":
            assert place.read_bytes() == data


def test_where_nothing_can_be_written_it_answers(git: Git) -> None:
    """A cache that cannot be written is no error."""
    ids = build(git, LINE)
    with opened(git) as project:
        expected = ask_history(project, ids[-1])
        memory(git).parent.mkdir(parents=True)
        memory(git).write_text("in the way")
        assert ask(project, ids[-1]) == expected


def test_history_that_was_rewritten_and_pruned(git: Git) -> None:
    """After a rebase and `git gc` nothing is left of the commits that were remembered, and answers are those of now."""
    ids = build(git, LINE)
    with opened(git) as project:
        ask(project, ids[-1])
    for n in range(5, len(ids)):
        git("update-ref", "-d", f"refs/heads/c{n}")
    git("switch", "-q", "c4")
    new = git.commit("Another", files(33))  # type: ignore[arg-type]
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now")
    with opened(git) as project:
        assert project.objects.commit(ids[-1]) is None
        assert ask(project, new) == ask_history(project, new)


def test_a_clone_that_becomes_shallow_does_not_remember(git: Git, tmp_path: Path) -> None:
    """Where history is cut off, what was remembered before the cut is not used."""
    ids = build(git, LINE)
    git("clone", "-q", "--branch", f"c{len(ids) - 1}", f"file://{git.path}", str(tmp_path / "clone"))
    clone = git.at(tmp_path / "clone")
    with opened(clone) as project:
        assert ask(project, ids[-1]).complete
    clone("fetch", "-q", "--depth=2", "origin", f"c{len(ids) - 1}")
    with opened(clone) as project:
        found = ask(project, ids[-1])
        assert found == ask_history(project, ids[-1])
        assert not found.complete


def test_incomplete_answers_are_not_kept(git: Git) -> None:
    """While an old state is missing the answer says so each time; when it is back, the answer is whole."""
    ids = build(git, [(0, [], 0), (5, [], 1), (10, [], 2)])
    state = git("rev-parse", f"{ids[1]}:dvc.lock")
    place = git.path / ".git" / "objects" / state[:2] / state[2:]
    with opened(git) as project:
        expected = ask_history(project, ids[-1])
    hidden = place.rename(place.with_name("hidden"))
    with opened(git) as project:
        assert not ask(project, ids[-1]).complete
        assert not memory(git).exists()
    hidden.rename(place)
    with opened(git) as project:
        assert ask(project, ids[-1]) == expected


def test_what_lies_inside_directories_is_not_kept(git: Git) -> None:
    """Listings come and go with DVC's cache."""
    ids = build(git, LINE)
    inside = Output(path="kept", digest=f"md5:{HEXES[0]}.dir"), "a"
    with opened(git) as project:
        ask(project, ids[-1], [Ask(node="x", digest=f"md5:{HEXES[1]}", inside=inside)])
    assert not memory(git).exists()


def test_a_digest_that_hides_in_an_escape_is_found(git: Git) -> None:
    """A history in which YAML spells a digest in another way than by its letters is not remembered."""
    git.commit("Plain", {"dvc.lock": lock(0, 0, 0).decode()})
    hidden = lock(1, 0, 1).decode().replace(f"'{HEXES[0]}'", f'"\\x{ord(HEXES[0][0]):02x}{HEXES[0][1:]}"')
    last = git.commit("Escaped", {"dvc.lock": hidden})
    with opened(git) as project:
        assert ask(project, last) == ask_history(project, last)
    assert not memory(git).exists()


def test_it_stays_small(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many histories those that were used last are kept, below the limit."""
    commits = [(n, [], n) for n in range(4)]
    ids = build(git, [one for n in range(8) for one in [*commits[:3], (n * 11, [4 * n], n)]])
    monkeypatch.setattr(ancestrymemory, "MAX_BYTES", 60_000)
    with opened(git) as project:
        for commit in ids:
            ask(project, commit)
            assert sum(file.stat().st_size for file in memory(git).iterdir()) <= 60_000


def test_somebody_elses_is_neither_read_nor_written(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """With --repo nothing is remembered there, and what lies there is not believed."""
    dvc_repo.git.tag("churn@v0.1.0")
    before = modelver("lineage", "churn", "--repo", str(dvc_repo.path), "--json", cwd=tmp_path).json
    assert not memory(dvc_repo.git).exists()
    modelver("lineage", "churn", "--json", cwd=dvc_repo.git)
    (facts,) = memory(dvc_repo.git).glob("*.facts")
    facts.write_bytes(b"x")
    assert before == modelver("lineage", "churn", "--repo", str(dvc_repo.path), "--json", cwd=tmp_path).json
    assert facts.read_bytes() == b"x"


def test_the_command_says_the_same_from_memory(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Byte for byte, for each of a model's versions, asked in any order, before and after they were remembered."""
    for depth in (8, 6, 9, 8):
        dvc_repo.fake_train(depth)
        dvc_repo.git.tag(f"churn@v0.{len(dvc_repo.git.refs())}.0")
    names = [ref.rpartition("/")[2] for ref in dvc_repo.git.refs() if "@v" in ref]
    cold = {}
    for name in names:
        cold[name] = modelver("lineage", name, "--json", cwd=dvc_repo.git).out
        shutil.rmtree(memory(dvc_repo.git))
    for name in (*names, *reversed(names), names[2]):
        assert cold[name] == modelver("lineage", name, "--json", cwd=dvc_repo.git).out
    assert json.loads(cold[names[0]])["complete"]


def test_two_at_once(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Two processes that write the same files both answer, and what they leave is sound."""
    dvc_repo.fake_train(8)
    dvc_repo.git.tag("churn@v0.1.0")
    running = [modelver.start("lineage", "churn", "--json", cwd=dvc_repo.git) for _ in range(3)]
    answers = {process.communicate(timeout=120)[0] for process in running}
    assert len(answers) == 1
    assert answers == {modelver("lineage", "churn", "--json", cwd=dvc_repo.git).out.encode()}
    assert {file.suffix for file in memory(dvc_repo.git).iterdir()} == {".base", ".facts"}
