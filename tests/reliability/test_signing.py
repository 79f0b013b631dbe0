"""Signed versions: by the user's own configuration, checked by git, and made before any ref is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.tools import MODEL_CARD, Server, check_card, fsck, journal, tags_of, without
from tests.support import Clones, DvcRepo, Git, Modelver, snapshot

TAG = "churn@v0.1.0"
needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")


@pytest.fixture
def ssh_key(tmp_path: Path) -> Path:
    """A private key beside its public one, and `allowed` that trusts it for Ada."""
    key = tmp_path / "keys" / "id"
    key.parent.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", key], check=True)
    (tmp_path / "keys" / "allowed").write_text(f"ada@example.com {key.with_suffix('.pub').read_text()}")
    return key


def sign_with_ssh(repo: Git, key: Path) -> None:
    repo("config", "gpg.format", "ssh")
    repo("config", "user.signingKey", key)
    repo("config", "gpg.ssh.allowedSignersFile", key.with_name("allowed"))


def verified(repo: Git, tag: str) -> str:
    """What git says of the signature; fails when it is not good."""
    done = repo.run("verify-tag", "--raw", f"refs/tags/{tag}")
    return done.stderr.decode() + done.stdout.decode()


def shown(modelver: Modelver, repo: Git) -> tuple[object, object]:
    """(signed, version in the record)."""
    facts = modelver("show", TAG, "--json", cwd=repo).json
    return facts["signed"], facts["record"]["version"]


def test_ssh(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path) -> None:
    """`tag.gpgSign` with `gpg.format=ssh`: git verifies the tag, and its record is read."""
    sign_with_ssh(dvc_repo.git, ssh_key)
    dvc_repo.git("config", "tag.gpgSign", "true")
    modelver("release", "churn", "--stage", "prod", "-m", "words\n\n---\nmore", cwd=dvc_repo.git)
    for tag in (TAG, "churn#prod#1"):
        assert 'Good "git" signature for ada@example.com' in verified(dvc_repo.git, tag)
    assert shown(modelver, dvc_repo.git) == (True, "v0.1.0")
    fsck(dvc_repo.git)


@pytest.mark.parametrize("value", ["tag.gpgSign=true", "tag.gpgSign=1", "tag.gpgsign=Yes", "tag.forceSignAnnotated=on"])
def test_every_spelling_of_yes(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path, value: str) -> None:
    """All that git takes for yes signs."""
    sign_with_ssh(dvc_repo.git, ssh_key)
    dvc_repo.git("config", *value.split("="))
    modelver("release", "churn", cwd=dvc_repo.git)
    assert "Good" in verified(dvc_repo.git, TAG)


def test_a_key_without_a_value_is_yes(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path) -> None:
    """`[tag] gpgSign` without `=` means true in git's configuration."""
    sign_with_ssh(dvc_repo.git, ssh_key)
    with (dvc_repo.path / ".git" / "config").open("a") as config:
        config.write("[tag]\n\tgpgSign\n")
    modelver("release", "churn", cwd=dvc_repo.git)
    assert "Good" in verified(dvc_repo.git, TAG)


def test_no_is_no(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path) -> None:
    """With a key but `tag.gpgSign=false` the tag is not signed."""
    sign_with_ssh(dvc_repo.git, ssh_key)
    dvc_repo.git("config", "tag.gpgSign", "false")
    modelver("release", "churn", cwd=dvc_repo.git)
    assert shown(modelver, dvc_repo.git) == (False, "v0.1.0")
    assert dvc_repo.git.run("verify-tag", TAG, check=False).returncode != 0


def test_identity_by_include_if(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path, tmp_path: Path) -> None:
    """Who signs, how and whether may come from an `includeIf "gitdir:"` of the user's configuration."""
    work = tmp_path / "work.config"
    work.write_text(
        "[user]\n\tname = Ada at Work\n\temail = work@example.com\n"
        f"\tsigningKey = {ssh_key}\n[gpg]\n\tformat = ssh\n"
        f'[gpg "ssh"]\n\tallowedSignersFile = {ssh_key.with_name("allowed")}\n[tag]\n\tgpgSign = true\n'
    )
    config = tmp_path / "global.config"
    base = Path(dvc_repo.git.env["GIT_CONFIG_GLOBAL"]).read_text()
    config.write_text(f'{base}[includeIf "gitdir:{dvc_repo.path}/"]\n\tpath = {work}\n')
    ssh_key.with_name("allowed").write_text(f"work@example.com {ssh_key.with_suffix('.pub').read_text()}")
    env = {"GIT_CONFIG_GLOBAL": str(config)}
    modelver("release", "churn", cwd=dvc_repo.git, env=env)
    done = dvc_repo.git.run("verify-tag", "--raw", TAG, env=env)
    assert b'Good "git" signature for work@example.com' in done.stderr + done.stdout
    assert dvc_repo.git("for-each-ref", "--format=%(taggername) %(taggeremail)", f"refs/tags/{TAG}") == (
        "Ada at Work <work@example.com>"
    )


def test_signed_in_a_linked_worktree(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path, tmp_path: Path) -> None:
    """A worktree's own configuration (`config.worktree`) signs too, and a key's path may be relative to it."""
    repo = dvc_repo.git
    repo("config", "extensions.worktreeConfig", "true")
    repo("worktree", "add", "-q", "-b", "linked", tmp_path / "linked")
    linked = repo.at(tmp_path / "linked")
    shutil.copy(ssh_key, linked.path / "my-key")
    shutil.copy(ssh_key.with_suffix(".pub"), linked.path / "my-key.pub")
    for key, value in (("gpg.format", "ssh"), ("user.signingKey", "my-key"), ("tag.gpgSign", "true")):
        linked("config", "--worktree", key, value)
    linked("config", "gpg.ssh.allowedSignersFile", ssh_key.with_name("allowed"))
    shutil.copytree(repo.path / ".dvc" / "cache", linked.path / ".dvc" / "cache")
    linked("config", "--worktree", "commit.gpgSign", "true")
    modelver("release", "churn", cwd=linked)
    assert "Good" in verified(repo, TAG)
    assert linked.run("verify-commit", "HEAD").returncode == 0
    assert repo.rev("linked^") == repo.rev("main")


@pytest.fixture
def gnupg() -> Iterator[Path]:
    """A GnuPG home with a key of Ada's without a passphrase; short enough for its sockets."""
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as folder:
        env = {**os.environ, "GNUPGHOME": folder}
        quick = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key"]
        subprocess.run([*quick, "Ada Byron <ada@example.com>", "ed25519", "sign", "never"], env=env, check=True)
        yield Path(folder)
        subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)


@needs_gpg
def test_gnupg(dvc_repo: DvcRepo, modelver: Modelver, gnupg: Path) -> None:
    """`tag.gpgSign` with OpenPGP: git verifies the tag, and its record is read."""
    dvc_repo.git("config", "tag.gpgSign", "true")
    env = {"GNUPGHOME": str(gnupg)}
    modelver("release", "churn", cwd=dvc_repo.git, env=env)
    done = dvc_repo.git.run("verify-tag", "--raw", TAG, env=env)
    assert b"GOODSIG" in done.stderr
    assert shown(modelver, dvc_repo.git) == (True, "v0.1.0")


def test_the_signer_sees_no_new_ref(dvc_repo: DvcRepo, modelver: Modelver, ssh_key: Path, tmp_path: Path) -> None:
    """While the signer runs no tag exists, in the clone or elsewhere in its reach; afterwards it does."""
    repo, log = dvc_repo.git, tmp_path / "log"
    signer = tmp_path / "signer"
    look = f"env -u GIT_DIR -u GIT_OBJECT_DIRECTORY git -C {repo.path} for-each-ref refs/tags"
    signer.write_text(f'#!/bin/sh\n{look} >>{log}\necho asked >>{log}\nexec ssh-keygen "$@"\n')
    signer.chmod(0o755)
    sign_with_ssh(repo, ssh_key)
    repo("config", "gpg.ssh.program", signer)
    repo("config", "tag.gpgSign", "true")
    modelver("release", "churn", "--stage", "prod", cwd=repo)
    assert log.read_text() == "asked\nasked\n"
    assert len(repo.tags()) == 2


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
@pytest.mark.parametrize("push", [False, True], ids=["here", "push"])
def test_a_failing_signer_of_tags(two_clones: Clones, server: Server, card: bool, push: bool) -> None:
    """6 with the signer's words; no tag, no commit, nothing on the remote, all as before to the byte."""
    repo = two_clones.ada.git
    repo("config", "gpg.format", "ssh")
    repo("config", "user.signingKey", "/no/such/key")
    repo("config", "tag.gpgSign", "true")
    before, hub = snapshot(repo), two_clones.hub.refs()
    answer = server(repo, "release", "churn", *(["--push"] if push else []), *without(card), code=6)
    assert "/no/such/key" in answer.err
    assert "internal error" not in answer.err
    assert snapshot(repo) == before
    assert two_clones.hub.refs() == hub
    assert not journal(repo)


def test_a_card_commit_is_signed(dvc_repo: DvcRepo, server: Server, ssh_key: Path) -> None:
    """`commit.gpgSign` signs the card's commit, also the child commit that `--rev` makes."""
    repo = dvc_repo.git
    sign_with_ssh(repo, ssh_key)
    repo("config", "commit.gpgSign", "true")
    server(repo, "release", "churn")
    assert repo.run("verify-commit", "HEAD").returncode == 0
    assert repo("diff", "--name-only", "HEAD^", "HEAD") == MODEL_CARD
    check_card(repo, TAG)
    dvc_repo.fake_train(9)
    server(repo, "release", "churn", "--rev", "HEAD")
    assert repo.run("verify-commit", "churn@v0.2.0^{commit}").returncode == 0
    check_card(repo, "churn@v0.2.0")


@pytest.mark.parametrize("argv", [(), ("--rev", "HEAD")], ids=["HEAD", "--rev"])
def test_a_failing_signer_of_commits(dvc_repo: DvcRepo, server: Server, argv: tuple[str, ...]) -> None:
    """6 with the signer's words, and all is as before to the byte; without the fault it goes on."""
    repo = dvc_repo.git
    repo("config", "gpg.format", "ssh")
    repo("config", "user.signingKey", "/no/such/key")
    repo("config", "commit.gpgSign", "true")
    before = snapshot(repo)
    answer = server(repo, "release", "churn", *argv, code=6)
    assert "/no/such/key" in answer.err
    assert snapshot(repo) == before
    assert not journal(repo)
    repo("config", "commit.gpgSign", "false")
    server(repo, "release", "churn", *argv)
    assert list(tags_of(repo)) == [TAG]
    check_card(repo, TAG)


def test_signed_objects_are_published(two_clones: Clones, modelver: Modelver, ssh_key: Path) -> None:
    """What a colleague fetches is the signed tag, and it verifies there."""
    ada, bao = two_clones.ada.git, two_clones.bao.git
    sign_with_ssh(ada, ssh_key)
    ada("config", "tag.gpgSign", "true")
    modelver("release", "churn", "--push", cwd=ada)
    bao("fetch", "-q", "--tags")
    bao("config", "gpg.ssh.allowedSignersFile", ssh_key.with_name("allowed"))
    assert "Good" in verified(bao, TAG)
