"""The hooks for pre-commit in commits that are no plain additions: amended, reworded, merged, renamed, filtered."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
from collections import OrderedDict
from pathlib import Path

import pytest

from tests.hooks.precommit_support import commit, hook, install_native
from tests.support import DvcRepo, Git, Modelver


def take_data_away(repo: DvcRepo) -> None:
    """As in a clone that has fetched no data, with the DVC remote's disk not mounted."""
    for folder in (repo.cache, repo.store):
        folder.rename(folder.with_name("away"))


@pytest.mark.parametrize("words", [("--amend",), ("--allow-empty",)])
def test_a_commit_without_a_change(dvc_repo: DvcRepo, words: tuple[str, ...]) -> None:
    """Another message, or an empty commit, holds nothing new: what the repository holds already does not stop it."""
    take_data_away(dvc_repo)
    assert hook(dvc_repo.git, "dvc-sync")[0] == 1  # as in pre-commit run --all-files
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    assert commit(dvc_repo.git, *words)[0] == 0


def test_a_reworded_commit(dvc_repo: DvcRepo) -> None:
    """`git rebase -i` gives an older commit other words, through the hook, in a clone without data."""
    dvc_repo.fake_train(9)
    dvc_repo.git.commit("Last", {"notes.txt": "x\n"})
    take_data_away(dvc_repo)
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    editors = {"GIT_SEQUENCE_EDITOR": "sed -i s/^pick/reword/", "GIT_EDITOR": "sed -i s/^/Re:/"}
    dvc_repo.git("rebase", "-q", "-i", "HEAD~2", env=editors)
    assert [line[:3] for line in dvc_repo.git("log", "-2", "--format=%s").splitlines()] == ["Re:", "Re:"]


WHOLE = """\
stages:
  score:
    cmd: "true"
    params:
    - extra.yaml:
"""
LOCK = "schema: '2.0'\nstages:\n  score:\n    cmd: 'true'\n"


@pytest.mark.parametrize(
    ("locked", "words"),
    [
        ("    params:\n      extra.yaml:\n        a: 1\n        b: 2\n", ""),
        ("    params:\n      extra.yaml:\n        a: 1\n", "has not run with extra.yaml: b"),
        ("", "has not run with extra.yaml"),
    ],
)
def test_a_params_file_as_a_whole(dvc_repo: DvcRepo, locked: str, words: str) -> None:
    """A key that is new in a params file which a stage reads as a whole is new to the stage, as DVC says too."""
    dvc_repo.git("rm", "-q", "dvc.yaml", "dvc.lock")
    for name, text in (("dvc.yaml", WHOLE), ("dvc.lock", LOCK + locked), ("extra.yaml", "a: 1\nb: 2\n")):
        dvc_repo.git.write(name, text)
        dvc_repo.git("add", "--", name)
    code, said = hook(dvc_repo.git, "dvc-sync")
    assert (code, words in said) == (int(bool(words)), True)


@pytest.mark.parametrize("attribute", ["filter=strip", "working-tree-encoding=UTF-16LE", "ident", "-filter"])
def test_a_file_that_git_keeps_in_another_form(dvc_repo: DvcRepo, attribute: str) -> None:
    """DVC hashed what the work tree has: where a filter (nbstripout) lies between, Git's bytes prove nothing."""
    dvc_repo.git.write(".gitattributes", f"src/*.py {attribute}\n")
    path, lock = dvc_repo.path / "src/train.py", dvc_repo.path / "dvc.lock"
    dvc_repo.git("rm", "-q", "--cached", "src/train.py")
    path.write_text(path.read_text() + "# Another\n", encoding="UTF-16LE" if "UTF" in attribute else None)
    lock.write_text(f"# Another run\n{lock.read_text()}")
    dvc_repo.git("add", "-A")
    assert hook(dvc_repo.git, "dvc-sync")[0] == int(attribute == "-filter")


def test_a_big_model_that_is_renamed(dvc_repo: DvcRepo) -> None:
    """A large model that Git has already is not committed by accident when it gets another name."""
    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (200000,), }"
    dvc_repo.git.write("big.npy", header.ljust(128) + bytes(1_600_000))
    dvc_repo.git("add", "big.npy")
    assert hook(dvc_repo.git, "dvc-sync")[0] == 1
    dvc_repo.git.commit("On purpose")
    dvc_repo.git("mv", "big.npy", "large.npy")
    assert hook(dvc_repo.git, "dvc-sync") == (0, "")


@pytest.mark.parametrize("name", ["pre-commit", "pre-merge-commit"])
def test_a_merge_in_a_clone_without_data(dvc_repo: DvcRepo, name: str) -> None:
    """What the other side of a merge has named or keeps in Git is no news to it, whoever commits the merge."""
    git = dvc_repo.git
    git("checkout", "-q", "-b", "other")
    dvc_repo.fake_train(9)
    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (200000,), }"
    git.commit("On purpose", {"big.npy": header.ljust(128) + bytes(1_600_000)})
    git("checkout", "-q", "-f", "main")
    git.commit("Beside", {"notes.txt": "x\n"})
    take_data_away(dvc_repo)
    install_native(git, name, "dvc-sync")
    if name == "pre-commit":
        git("merge", "-q", "--no-commit", "other")
        code, said = commit(git)
        assert (code, "neither" in said) == (0, False), said
    else:
        git("merge", "-q", "--no-edit", "other")
    assert len(git("show", "-s", "--format=%P").split()) == 2


def test_a_merge_that_names_other_bytes_than_its_sides(dvc_repo: DvcRepo) -> None:
    """What is staged on top of a merge is this commit's own."""
    git = dvc_repo.git
    git("checkout", "-q", "-b", "other")
    dvc_repo.fake_train(9)
    git("checkout", "-q", "-f", "main")
    git("merge", "-q", "--no-commit", "--no-ff", "other")
    path = dvc_repo.path / "data/raw.csv.dvc"
    path.write_text(f"outs:\n- md5: {'ab' * 16}\n  size: 3\n  hash: md5\n  path: raw.csv\n")
    git("add", "-A")
    code, said = hook(git, "dvc-sync")
    assert (code, "the bytes of data/raw.csv are neither in the cache nor in a DVC remote" in said) == (1, True)


def test_a_card_that_a_sparse_checkout_leaves_out(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The card is brought up to date from the one that the index has: what people wrote into it stays."""
    git, place = dvc_repo.git, dvc_repo.path / "model_cards/churn.md"
    modelver("card", "update", cwd=git)
    text = place.read_text().replace("## Limitations\n", "## Limitations\n\nPeople wrote this.\n")
    git.commit("The card", {"model_cards/churn.md": text})
    git("sparse-checkout", "set", "--no-cone", "/*", "!/model_cards/", "!/data/")
    assert not place.exists()
    assert "there is no card" not in modelver("card", "check", cwd=git).err
    assert modelver("card", "update", cwd=git).out == "Every card is up to date.\n"
    params = dvc_repo.path / "params.yaml"
    params.write_text(params.read_text().replace("depth: 6", "depth: 7"))
    git("add", "params.yaml")
    assert hook(git, "card-update")[0] == 1
    assert "People wrote this." in place.read_text()


def test_cards_where_the_git_directory_lies_elsewhere(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """With `git --git-dir=PLACE --work-tree=DIR` the cards of that index are judged and brought up to date."""
    git = dvc_repo.git
    modelver("card", "update", cwd=git)
    git.commit("The card")
    (git.path / ".git").rename(tmp_path / "elsewhere")
    env = {"GIT_DIR": str(tmp_path / "elsewhere"), "GIT_WORK_TREE": str(git.path)}
    for name in ("card", "card-update"):
        assert hook(git, name, env=env)[0] == 0
    params = git.path / "params.yaml"
    params.write_text(params.read_text().replace("depth: 6", "depth: 7"))
    git("add", "params.yaml", env=env)
    for name in ("card", "card-update"):
        code, said = hook(git, name, env=env)
        assert (code, "model_cards/churn.md" in said) == (1, True)


def test_a_model_that_git_lfs_keeps(plain_repo: Git) -> None:
    """Of a file that Git LFS keeps the index has a pointer: the bytes that it names are judged, where they are here."""
    data = pickle.dumps(OrderedDict(a=1))
    digest = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"
    plain_repo.write("model.pkl", pointer)
    plain_repo("add", "model.pkl")
    assert hook(plain_repo, "model-format") == (0, "")
    plain_repo.write(f".git/lfs/objects/{digest[:2]}/{digest[2:4]}/{digest}", data)
    code, said = hook(plain_repo, "model-format")
    assert (code, "model.pkl: loading it can run code (pickle" in said) == (1, True)


@pytest.mark.parametrize("name", ["a b.bin", "-a.bin", "$(touch canary).bin", "it's.bin"])
def test_remedies_can_be_pasted(dvc_repo: DvcRepo, name: str) -> None:
    """Whatever a file is called, the command that takes it out of the index does just that."""
    git = dvc_repo.git
    digest = hashlib.md5(b"abc").hexdigest()
    git.write(f"{name}.dvc", f"outs:\n- md5: {digest}\n  size: 3\n  hash: md5\n  path: {json.dumps(name)}\n")
    git.write(name, b"abc")
    git("add", "-f", "--", name, f"{name}.dvc")
    said = hook(git, "dvc-sync")[1]
    (remedy,) = re.findall(r"^    (git rm --cached .*), and name it", said, re.MULTILINE)
    subprocess.run(["sh", "-c", remedy], cwd=git.path, env=git.env, check=True)
    assert name not in git("ls-files").splitlines()
    assert not (git.path / "canary").exists()


def test_scissors_in_a_message_that_nobody_edits(plain_repo: Git) -> None:
    """git keeps what stands below a line of scissors in `commit -m`, so that is looked at as well."""
    install_native(plain_repo, "commit-msg", "commit-msg")
    code, said = commit(plain_repo, "--allow-empty", "-m", f"# {'-' * 24} >8 {'-' * 24}\nModelver-Format: 1")
    assert (code, "lines that begin with Modelver-" in said) == (1, True)


def test_a_release_whose_card_a_sparse_checkout_leaves_out(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The card is committed all the same; when a hook stops that, all is put back and the next release goes through."""
    git = dvc_repo.git
    modelver("card", "update", cwd=git)
    git.commit("The card")
    dvc_repo.fake_train(9)
    git("sparse-checkout", "set", "--no-cone", "/*", "!/model_cards/")
    stopping = install_native(git, "pre-commit", "no-such-hook")
    modelver("release", "churn", cwd=git, code=3)
    assert not (git.path / ".git/modelver/journal").exists()
    stopping.unlink()
    modelver("release", "churn", cwd=git)
    assert git("show", "--name-only", "--format=", "HEAD") == "model_cards/churn.md"
    assert git("status", "--porcelain") == ""
