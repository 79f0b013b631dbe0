"""`modelver-dvc-sync` on the index: what agrees passes, each disagreement is named with its next step."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from tests.hooks.precommit_support import commit, hook, install_native
from tests.support import DvcRepo, Git
from tests.support.repos import run_dvc


def stage(repo: DvcRepo, name: str, old: str, new: str) -> None:
    """Change a text file and stage it."""
    path = repo.path / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    repo.git("add", "--", name)


def test_a_consistent_repository_passes_as_a_whole(dvc_repo: DvcRepo) -> None:
    """What dvc itself wrote agrees: with nothing staged every file is looked at, and nothing is said."""
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


def test_an_honest_training_passes(dvc_repo: DvcRepo) -> None:
    """A commit of new params together with what the pipeline made of them goes through."""
    dvc_repo.fake_train(9)
    dvc_repo.git("reset", "-q", "--soft", "HEAD~1")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "params.yaml",
            "depth: 6",
            "depth: 7",
            "stage train ran when params.yaml was another: train has another value",
        ),
        ("params.yaml", "keep: 30", "kept: 30", "prepare.keep is not there"),
        ("dvc.yaml", "cmd: python src/train.py", "cmd: python src/train.py -v", "stage train ran another cmd"),
        ("dvc.yaml", "    - src/train.py\n", "", "stage train ran with other deps"),
        ("dvc.yaml", "    - train\n", "    - train\n    - seed\n", "stage train has not run with params.yaml: seed"),
        ("dvc.yaml", "  evaluate:\n", "  judge:\n", "stage judge is in dvc.yaml and has no entry here"),
        ("dvc.yaml", "  evaluate:\n", "  judge:\n", "stage evaluate is not in dvc.yaml"),
        ("dvc.lock", "schema:", "<<<<<<< HEAD\nschema:", "line 1: conflict markers"),
        ("data/raw.csv.dvc", "outs:", "outs:\n<<<<<<< HEAD", "line 2: conflict markers"),
        ("dvc.lock", "depth: 6", "depth: 8", "train has another value"),
    ],
)
def test_each_disagreement_is_named(dvc_repo: DvcRepo, name: str, old: str, new: str, words: str) -> None:
    """A staged file that contradicts another stops the commit, and the message names stage and fact."""
    stage(dvc_repo, name, old, new)
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert code == 1
    assert words in said
    # Each fact is followed by an indented next step.
    lines = [line for line in said.splitlines() if not line.startswith("note")]
    assert all(line.startswith("    ") for line in lines[1::2])


def test_numbers_are_compared_as_values(dvc_repo: DvcRepo) -> None:
    """Another spelling of the same number in params is no change to DVC, and none here."""
    stage(dvc_repo, "params.yaml", "lr: 1e-05", "lr: 0.00001")
    stage(dvc_repo, "params.yaml", "depth: 6", "depth: 6.0")
    assert hook(dvc_repo.git, "dvc-sync")[0] == 0


def test_a_lock_file_alone_names_other_code(dvc_repo: DvcRepo) -> None:
    """A staged dvc.lock that was made by a train.py which is not staged is an accident of `git add`."""
    md5 = hashlib.md5((dvc_repo.path / "src/train.py").read_bytes()).hexdigest()
    stage(dvc_repo, "dvc.lock", md5, "ab" * 16)
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert (code, "stage train read another src/train.py than the one that is staged" in said) == (1, True)


def test_the_index_counts_and_not_the_work_tree(dvc_repo: DvcRepo) -> None:
    """Params that are changed but not staged are nobody's business; staged ones count though the file was put back."""
    params = dvc_repo.path / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("depth: 6", "depth: 7"))
    dvc_repo.git.write("notes.txt", "Something else\n")
    dvc_repo.git("add", "notes.txt")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")
    dvc_repo.git("add", "params.yaml")
    params.write_text(before)
    assert hook(dvc_repo.git, "dvc-sync")[0] == 1


def test_hunks_that_are_not_staged_do_not_count(dvc_repo: DvcRepo) -> None:
    """With `git add -p` one comment is staged and the value below is not: the commit is consistent."""
    params = dvc_repo.path / "params.yaml"
    before = params.read_text()
    params.write_text(f"# A comment\n{before}")
    dvc_repo.git("add", "params.yaml")
    params.write_text(f"# A comment\n{before.replace('depth: 6', 'depth: 7')}")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


@pytest.mark.parametrize("words", [("-a",), ("--", "params.yaml")], ids=["commit -a", "commit FILE"])
def test_git_tells_which_index(dvc_repo: DvcRepo, words: tuple[str, ...]) -> None:
    """`git commit -a` and `git commit FILE` have an index of their own, and that one is looked at."""
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    params = dvc_repo.path / "params.yaml"
    params.write_text(params.read_text().replace("depth: 6", "depth: 7"))
    code, said = commit(dvc_repo.git, *words)
    assert (code, "train has another value" in said) == (1, True)


def test_commit_of_one_file_leaves_what_else_is_staged_aside(dvc_repo: DvcRepo) -> None:
    """`git commit FILE` does not commit what else is staged, so that is not held against it."""
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    stage(dvc_repo, "params.yaml", "depth: 6", "depth: 7")
    dvc_repo.git.write("README.md", "# Another\n")
    assert commit(dvc_repo.git, "--", "README.md")[0] == 0
    assert commit(dvc_repo.git)[0] == 1


def test_a_linked_worktree_is_looked_at_itself(dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """Git exports GIT_DIR to hooks in a linked worktree; its index counts, and not the main one's."""
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    linked = dvc_repo.git.at(tmp_path / "linked")
    dvc_repo.git("worktree", "add", "-q", "-b", "side", linked.path)
    stage(dvc_repo, "params.yaml", "depth: 6", "depth: 7")
    linked.write("README.md", "# Another\n")
    linked("add", "README.md")
    assert commit(linked)[0] == 0
    linked.write("params.yaml", "prepare:\n  keep: 3\n")
    linked("add", "params.yaml")
    code, said = commit(linked)
    assert (code, "prepare.keep has another value" in said) == (1, True)


def test_an_intent_to_add_is_not_in_the_commit(dvc_repo: DvcRepo) -> None:
    """`git add -N` of a DVC file commits nothing, so nothing is missing of it."""
    dvc_repo.git.write(
        "new.bin.dvc", "outs:\n- md5: 00000000000000000000000000000001\n  size: 1\n  hash: md5\n  path: new.bin\n"
    )
    dvc_repo.git("add", "-N", "new.bin.dvc")
    dvc_repo.git.write("notes.txt", "x\n")
    dvc_repo.git("add", "notes.txt")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


def test_bytes_that_are_nowhere_stop_the_commit(dvc_repo: DvcRepo) -> None:
    """A lock entry whose bytes are in neither cache nor remote is refused; in either one they are enough."""
    dvc_repo.fake_train(9, push=False)
    dvc_repo.git("reset", "-q", "--soft", "HEAD~1")
    (digest,) = re.findall(
        r"models/churn.bin\n      hash: md5\n      md5: '?(\w+)", (dvc_repo.path / "dvc.lock").read_text()
    )[:1]
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")
    place = dvc_repo.object_path(digest)
    other = dvc_repo.store / "files" / "md5" / digest[:2] / digest[2:]
    other.parent.mkdir(parents=True, exist_ok=True)
    os.rename(place, other)
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")
    other.unlink()
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert (code, "the bytes of models/churn.bin are neither in the cache nor in a DVC remote" in said) == (1, True)


def test_a_clone_without_data_may_commit(dvc_repo: DvcRepo) -> None:
    """Bytes that HEAD named already are not asked for: the data need not be here to change the files' spelling."""
    stage(dvc_repo, "dvc.lock", "schema:", "# Trained monthly\nschema:")
    stage(dvc_repo, "data/raw.csv.dvc", "outs:", "# From the shop\nouts:")
    for folder in (dvc_repo.cache, dvc_repo.store):
        folder.rename(folder.with_name("away"))
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


def test_a_remote_on_a_server_is_a_note(dvc_repo: DvcRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server may have is a note; with `--ask-remote` its answer counts."""
    dvc_repo.fake_train(9, push=False)
    dvc_repo.git("reset", "-q", "--soft", "HEAD~1")
    (dvc_repo.path / ".dvc" / "config.local").write_text("['remote \"store\"']\n    url = s3://bucket/x\n")
    dvc_repo.cache.rename(dvc_repo.cache.with_name("away"))
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert code == 0
    assert "note: dvc.lock: models/churn.bin is not in the cache" in said
    monkeypatch.setattr("dvc_modelver.dvcio.act.present", lambda remote, oids: set(oids))
    assert hook(dvc_repo.git, "dvc-sync", "--ask-remote") == (0, "")
    monkeypatch.setattr("dvc_modelver.dvcio.act.present", lambda remote, oids: set())
    code, said = hook(dvc_repo.git, "dvc-sync", "--ask-remote")
    assert (code, "not in the cache, nor in the DVC remote store" in said) == (1, True)


def test_a_tracked_file_forced_into_git(dvc_repo: DvcRepo) -> None:
    """`git add -f` of a file that DVC tracks is refused, with the command that takes it out again."""
    dvc_repo.git("add", "-f", "models/churn.bin")
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert code == 1
    assert "models/churn.bin: DVC tracks this file (dvc.yaml)" in said
    assert "git rm --cached models/churn.bin" in said


def test_a_tracked_directory_keeps_its_gitignore(dvc_repo: DvcRepo) -> None:
    """In a directory that DVC tracks a forced file is refused, and a .gitignore is not."""
    listing = b'[{"md5": "900150983cd24fb0d6963f7d28e17f72", "relpath": "a"}]'
    digest = hashlib.md5(listing).hexdigest()
    for name, data in ((f"{digest}.dir", listing), ("900150983cd24fb0d6963f7d28e17f72", b"abc")):
        place = dvc_repo.cache / name[:2] / name[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    entry = f"outs:\n- md5: {digest}.dir\n  size: 3\n  nfiles: 1\n  hash: md5\n  path: images\n"
    dvc_repo.git.write("images.dvc", entry)
    dvc_repo.git.write("images/.gitignore", "*\n")
    dvc_repo.git("add", "-f", "images.dvc", "images/.gitignore")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")
    dvc_repo.git.write("images/b\n'\"c", b"abc")
    dvc_repo.git("add", "-f", "--", "images/b\n'\"c")
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert code == 1
    assert "DVC tracks the directory images (images.dvc)" in said
    (dvc_repo.cache / "90" / "0150983cd24fb0d6963f7d28e17f72").unlink()
    assert "1 of the files of images are neither" in hook(dvc_repo.git, "dvc-sync")[1]


def test_a_big_model_in_git(dvc_repo: DvcRepo) -> None:
    """A large model is refused where DVC is used, unless artifacts: declares that Git keeps it."""
    dvc_repo.git.write(
        "big.npy",
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (200000,), }".ljust(128)
        + bytes(1_600_000),
    )
    dvc_repo.git("add", "big.npy")
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert (code, "a model (npy" in said or "a model (numpy" in said) == (1, True)
    stage(dvc_repo, "dvc.yaml", "artifacts:\n", "artifacts:\n  big:\n    path: big.npy\n    type: model\n")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


def test_names_of_any_bytes(dvc_repo: DvcRepo) -> None:
    """Names with newlines, quotes and bytes that are no UTF-8 are read and shown without harm."""
    for name in (b"a\n:b'\"\t.txt", b"\xff\xfe.txt", b"-rf", b":(top)x"):
        (Path(os.fsdecode(os.fsencode(dvc_repo.path) + b"/" + name))).write_text("x\n")
    dvc_repo.git("add", "-A")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


def test_renames_and_deletions(dvc_repo: DvcRepo) -> None:
    """A renamed dependency and a deleted params file are seen as what they are to the lock file."""
    dvc_repo.git("rm", "-q", "params.yaml")
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert (code, "stage train reads params.yaml, which goes" in said) == (1, True)
    dvc_repo.git("reset", "-q", "--hard")
    dvc_repo.git("rm", "-q", "dvc.yaml")
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert (code, "there is no dvc.yaml beside it" in said) == (1, True)


def test_links_and_submodules_are_passed_over(dvc_repo: DvcRepo) -> None:
    """A symbolic link and a submodule in the index are not files to look into."""
    (dvc_repo.path / "link.pkl").symlink_to("/etc/passwd")
    dvc_repo.git("add", "link.pkl")
    dvc_repo.git("update-index", "--add", "--cacheinfo", f"160000,{dvc_repo.git.rev()},sub.dvc")
    for name in ("dvc-sync", "model-format"):
        assert hook(dvc_repo.git, name) == (0, "")


def test_an_unborn_head(git: Git) -> None:
    """The first commit of all is looked at like any other."""
    git.write("dvc.yaml", "stages:\n  train:\n    cmd: python t.py\n    outs: [m.bin]\n")
    git("add", "-A")
    code, said = hook(git, "dvc-sync")
    assert (code, "stage train is in dvc.yaml and has no entry here" in said) == (1, True)


def test_a_merge_in_conflict(dvc_repo: DvcRepo) -> None:
    """While a path is in conflict there is nothing to judge: the hook refuses and names it."""
    git = dvc_repo.git
    git("switch", "-q", "-c", "side")
    git.commit("One", {"params.yaml": "a: 1\n"})
    git("switch", "-q", "main")
    git.commit("Two", {"params.yaml": "a: 2\n"})
    git.run("merge", "side", check=False)
    code, said = hook(git, "dvc-sync")
    assert (code, said.splitlines()[0]) == (3, "error: params.yaml is in conflict")


def test_a_repository_without_dvc(plain_repo: Git) -> None:
    """Where DVC is not used nothing is asked, whatever is committed."""
    plain_repo.write("model.pkl", b"\x80\x04N." + bytes(2_000_000))
    plain_repo("add", "-A")
    assert hook(plain_repo, "dvc-sync") == (0, "")


def test_an_unknown_option(plain_repo: Git) -> None:
    """A misspelt `args:` is named, and not taken for a file."""
    assert hook(plain_repo, "dvc-sync", "--ask")[0] == 2


PIPELINE = """\
vars:
- conf/vars.json
- size: 3
stages:
  folded:
    cmd: >-
      echo folded
      again > a.txt
    params:
    - conf/nested.toml:
      - model.rates
      - model.tiny
    - conf/all.yaml:
    outs:
    - a.txt
  block:
    cmd: |
      echo one > b.txt
      echo two >> b.txt
    deps:
    - ./a.txt
    - conf/
    outs:
    - b.txt:
        cache: false
  listed:
    cmd:
    - echo ${name} > c.txt
    - echo "${size}" >> c.txt
    params:
    - conf/consts.py:
      - SHAPE
      - Net.depth
    - list
    outs:
    - c.txt
  each:
    foreach: [x, 2]
    do:
      cmd: echo ${item} > each-${item}.txt
      outs:
      - each-${item}.txt
  keyed:
    foreach:
      p: {v: 1}
      q: {v: 2}
    do:
      wdir: sub
      cmd: echo ${item.v} > ${key}.txt
      params:
      - local.yaml:
        - on
      outs:
      - ${key}.txt
  grid:
    matrix:
      a: [1, 2]
    cmd: echo ${item.a} > grid-${item.a}.txt
    outs:
    - grid-${item.a}.txt
"""


def test_what_dvc_itself_has_just_written_agrees(git: Git) -> None:
    """Templates, groups, working directories, lists, multi-line commands and four kinds of params files: no word."""
    git.commit("Begin")
    files = {
        "dvc.yaml": PIPELINE,
        "conf/vars.json": '{"name": "Bo"}',
        "conf/nested.toml": "[model]\nrates = [0.1, 1e-5]\ntiny = 1e-07\n",
        "conf/all.yaml": "a: 1e-05\nb: on\nsmall: {c: 010}\n",
        "conf/consts.py": "SHAPE = (3, 4)\n\nclass Net:\n    depth = 5\n",
        "params.yaml": "list: [7, 8]\n",
        "sub/local.yaml": "on: 0x1F\n",
    }
    for name, text in files.items():
        git.write(name, text)
    run_dvc(git, ["init", "-q"], ["repro", "-q"])
    git("add", "-A")
    assert hook(git, "dvc-sync") == (0, "")
    git.commit("All")
    assert hook(git, "dvc-sync") == (0, "")
    for name, old, new, stage in (
        ("conf/nested.toml", "1e-07", "1e-06", "folded"),
        ("conf/all.yaml", "c: 010", "c: 011", "folded"),
        ("conf/consts.py", "(3, 4)", "(3, 5)", "listed"),
        ("params.yaml", "[7,", "[6,", "listed"),
        ("sub/local.yaml", "0x1F", "0x1E", "keyed@p"),
        ("dvc.yaml", "[x, 2]", "[x, 3]", "each@3"),
    ):
        git.write(name, files[name].replace(old, new))
        git("add", name)
        code, said = hook(git, "dvc-sync")
        assert (code, f"stage {stage} " in said) == (1, True), name
        git("reset", "-q", "--hard")
