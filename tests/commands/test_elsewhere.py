"""Another repository by path and URL, where it is not as one hopes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvc_modelver.commands.project import Project, Surroundings
from tests.support import Clones, DvcRepo, Modelver


@pytest.mark.parametrize("form", ["path", "url"])
def test_a_server_whose_head_names_no_branch(modelver: Modelver, two_clones: Clones, tmp_path: Path, form: str) -> None:
    """`git init --bare` names a branch that nobody may ever push: the versions are read and fetched all the same."""
    ada, hub = two_clones.ada, two_clones.hub
    config = f"[core]\n    remote = near\n['remote \"near\"']\n    url = {ada.store}\n"
    ada.git.commit("Name the store by its full path", {".dvc/config": config})
    ada.git("push", "-q", "origin", "main")
    modelver("release", "churn", "--stage", "prod", "--push", cwd=ada.git)
    hub("symbolic-ref", "HEAD", "refs/heads/never-pushed")
    repo = str(hub.path) if form == "path" else f"file://{hub.path}"
    assert modelver("show", "churn", "--repo", repo, "--json", cwd=tmp_path).json["versions"][0]["version"] == "v0.1.0"
    modelver("get", "churn#prod", "--repo", repo, "-o", tmp_path / "got.pkl", cwd=tmp_path)
    assert (tmp_path / "got.pkl").read_bytes() == ada.model.read_bytes()


def test_a_tree_that_leads_out_is_not_followed(dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """A hand-made tree with `..` in it does not write DVC's configuration outside of our scratch directory."""
    git = dvc_repo.git
    blob = git.run("hash-object", "-w", "--stdin", input=b"[core]\n").stdout.decode().strip()
    inner = tree(dvc_repo, b"100644", b"config", blob)
    dvc = tree(dvc_repo, b"40000", b".dvc", inner)
    root = tree(dvc_repo, b"40000", b"..", dvc)
    commit = git("commit-tree", root, "-m", "hostile")
    bare = tmp_path / "bare.git"
    git("clone", "-q", "--bare", "-c", "transfer.fsckObjects=false", str(dvc_repo.path), str(bare))
    git.at(bare)("fetch", "-q", str(dvc_repo.path), commit)
    git.at(bare)("update-ref", "refs/heads/main", commit)
    with Project(Surroundings(directory=bare, env=dict(os.environ))) as project:
        assert project.head == commit
        scratch = project.data_root
        assert not (scratch.parent / ".dvc").exists()
        assert list(scratch.rglob("config")) == []


def tree(repo: DvcRepo, mode: bytes, name: bytes, oid: str) -> str:
    """A tree with one entry, whatever its name."""
    raw = mode + b" " + name + b"\0" + bytes.fromhex(oid)
    made = repo.git.run("hash-object", "-t", "tree", "-w", "--literally", "--stdin", input=raw)
    return made.stdout.decode().strip()
