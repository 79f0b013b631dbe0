"""Signatures that `verify` must not believe, settings that it must not follow, interruptions that it survives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.verification.verify import Options, Verification, verify
from dvc_modelver.core.progress import Progress
from tests.support import Clones, DvcRepo, Git, Modelver, Result

TAG = "churn@v0.1.0"
needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")


def make_key(folder: Path, name: str) -> Path:
    """A private SSH key beside its public one."""
    folder.mkdir(exist_ok=True)
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
    return key


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """`ada` and `eve`, two SSH keys, and `allowed`, which trusts Ada's."""
    folder = tmp_path / "keys"
    ada = make_key(folder, "ada")
    make_key(folder, "eve")
    (folder / "allowed").write_text(f"ada@example.com {ada.with_suffix('.pub').read_text()}")
    return folder


@pytest.fixture
def signed(dvc_repo: DvcRepo, modelver: Modelver, keys: Path) -> DvcRepo:
    """v0.1.0 in prod, both tags signed by Ada over SSH, and `allowed` configured."""
    git = dvc_repo.git
    git("config", "gpg.format", "ssh")
    git("config", "user.signingKey", keys / "ada")
    git("config", "tag.gpgSign", "true")
    git("config", "gpg.ssh.allowedSignersFile", keys / "allowed")
    modelver("release", "churn", "--stage", "prod", cwd=git)
    return dvc_repo


def signature(answer: Result) -> dict[str, Any]:
    """What was said of the signature of the only version."""
    (version,) = answer.json["versions"]
    return next(check for check in version["checks"] if check["check"] == "signature")


def failed(answer: Result) -> list[str]:
    """The links that failed."""
    return [c["check"] for one in answer.json["versions"] for c in one["checks"] if not c["ok"]]


def strict(modelver: Modelver, repo: DvcRepo, code: int, **options: Any) -> Result:
    return modelver("verify", "churn", "--signed", "--json", cwd=repo.git, code=code, **options)


# SSH --------------------------------------------------------------------------------------------------------------


def test_signed_by_somebody_allowed(signed: DvcRepo, modelver: Modelver) -> None:
    """A good signature of an allowed key: the answer names the signer, as git does."""
    answer = strict(modelver, signed, 0)
    assert signature(answer)["detail"] == "signed by ada@example.com"
    assert signed.git.run("verify-tag", TAG).returncode == 0


def test_without_the_flag_nothing_is_asked(signed: DvcRepo, modelver: Modelver, keys: Path) -> None:
    """Without --signed nobody's key is looked at, and nothing fails; the user's configuration can demand it."""
    (keys / "allowed").write_text("")
    assert "not checked" in signature(modelver("verify", "churn", "--json", cwd=signed.git))["detail"]
    signed.git("config", "modelver.requireSigned", "true")
    assert failed(modelver("verify", "churn", "--json", cwd=signed.git, code=1)) == ["signature"]


def test_unsigned(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """An unsigned version is said to be so, and fails only with --signed."""
    modelver("release", "churn", cwd=dvc_repo.git)
    assert signature(modelver("verify", "--json", cwd=dvc_repo.git))["detail"] == "unsigned"
    assert failed(strict(modelver, dvc_repo, 1)) == ["signature"]


def test_signed_by_somebody_else(signed: DvcRepo, modelver: Modelver, keys: Path) -> None:
    """A good signature by a key that is not allowed fails, and says which key it is."""
    (keys / "allowed").write_text(f"eve@example.com {(keys / 'eve.pub').read_text()}")
    said = signature(strict(modelver, signed, 1))
    print_of = subprocess.run(["ssh-keygen", "-l", "-f", keys / "ada.pub"], capture_output=True, text=True, check=True)
    assert print_of.stdout.split()[1] in said["detail"]
    assert "not allowed" in said["detail"]


def test_no_list_of_signers(signed: DvcRepo, modelver: Modelver) -> None:
    """Without a list nobody is allowed; the answer says how to make one."""
    signed.git("config", "--unset", "gpg.ssh.allowedSignersFile")
    assert "allowedSignersFile" in signature(strict(modelver, signed, 1))["remedy"]


def test_a_tag_altered_after_signing(signed: DvcRepo, modelver: Modelver) -> None:
    """One word of the record changed under Ada's signature."""
    forge(signed, TAG, TAG, ("Modelver-Bump: ", "Modelver-Bump: very "))
    said = signature(strict(modelver, signed, 1))
    assert "altered" in said["detail"]


def forge(repo: DvcRepo, source: str, target: str, *changes: tuple[str, str]) -> None:
    """Another object under a ref: the source's text with changes, its signature kept."""
    raw = repo.git("cat-file", "tag", f"refs/tags/{source}") + "\n"
    for old, new in changes:
        assert old in raw, raw
        raw = raw.replace(old, new, 1)
    oid = repo.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=raw)
    (repo.path / ".git/refs/tags" / target).write_text(oid + "\n")
    for name in ("seen", "seen.mark"):
        (repo.path / ".git/modelver" / name).unlink(missing_ok=True)


def test_a_signature_of_another_tag(signed: DvcRepo, modelver: Modelver) -> None:
    """Ada's signature of the promote, below the text of a release."""
    raw = signed.git("cat-file", "tag", "refs/tags/churn#prod#1")
    other = raw[raw.index("-----BEGIN SSH") :]
    own = signed.git("cat-file", "tag", f"refs/tags/{TAG}")
    forge(signed, TAG, TAG, (own[own.index("-----BEGIN SSH") :], other))
    assert "another's" in signature(strict(modelver, signed, 1))["detail"]


def test_a_signed_object_under_another_name(signed: DvcRepo, modelver: Modelver) -> None:
    """git verify-tag calls it good; verify does not."""
    oid = signed.git.rev(f"refs/tags/{TAG}")
    (signed.path / ".git/refs/tags/churn@v9.0.0").write_text(oid + "\n")
    assert signed.git.run("verify-tag", "churn@v9.0.0").returncode == 0
    answer = modelver("verify", "churn@v9.0.0", "--signed", "--json", cwd=signed.git, code=1)
    assert failed(answer)[:2] == ["name", "record"]


def test_an_unsigned_promote_of_a_signed_version(signed: DvcRepo, modelver: Modelver) -> None:
    """Whoever puts a signed version into production has to sign that too."""
    signed.git("config", "tag.gpgSign", "false")
    modelver("promote", TAG, "dev", cwd=signed.git)
    said = signature(strict(modelver, signed, 1))
    assert "churn#dev#2" in said["detail"]


def test_a_list_in_the_work_tree_is_refused(signed: DvcRepo, modelver: Modelver, keys: Path) -> None:
    """A list that the commit under check brings along is not a list: not relative, absolute, nor by a link."""
    signed.git.write("allowed", (keys / "allowed").read_text())
    (keys / "link").symlink_to(signed.path / "allowed")
    for value in ("allowed", str(signed.path / "allowed"), str(keys / "link"), "../repo/allowed"):
        for key in ("gpg.ssh.allowedSignersFile", "modelver.allowedSigners"):
            signed.git("config", key, value)
            said = signature(strict(modelver, signed, 1))
            assert "work tree" in said["detail"], value
            signed.git("config", "--unset", key)


def test_a_list_at_the_tip_of_a_branch(signed: DvcRepo, modelver: Modelver, keys: Path) -> None:
    """A list from a named branch is taken from its tip, whatever the work tree and the version's commit hold."""
    git = signed.git
    git("config", "--unset", "gpg.ssh.allowedSignersFile")
    git("switch", "-q", "-c", "protected")
    git.commit("Signers", {".signers": (keys / "allowed").read_text()})
    git("switch", "-q", "main")
    git.commit("Other signers", {".signers": f"eve@example.com {(keys / 'eve.pub').read_text()}"})
    git("config", "modelver.allowedSigners", "protected:.signers")
    assert "ada@example.com" in signature(strict(modelver, signed, 0))["detail"]
    git("config", "modelver.allowedSigners", "main:.signers")
    assert "not allowed" in signature(strict(modelver, signed, 1))["detail"]
    git("config", "modelver.allowedSigners", "nobranch:.signers")
    assert "nobranch" in signature(strict(modelver, signed, 1))["detail"]


def test_the_repositorys_own_programs_are_not_started(signed: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """A program that `.git/config` names to check signatures would say that all is well, and do more."""
    canary, liar = tmp_path / "canary", tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\ntouch {canary}\necho 'Good \"git\" signature for root with ED25519 key x'\nexit 0\n")
    liar.chmod(0o755)
    for key in ("gpg.ssh.program", "gpg.program", "gpg.openpgp.program", "gpg.x509.program"):
        signed.git("config", key, liar)
    assert "ada@example.com" in signature(strict(modelver, signed, 0))["detail"]
    assert not canary.exists()


def test_the_users_own_program_is_started(signed: DvcRepo, modelver: Modelver, tmp_path: Path, home: Path) -> None:
    """What the user's own configuration names is used."""
    log, wrapper = tmp_path / "log", tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >>{log}\nexec ssh-keygen "$@"\n')
    wrapper.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(Path(signed.git.env["GIT_CONFIG_GLOBAL"]).read_text() + f'[gpg "ssh"]\n\tprogram = {wrapper}\n')
    strict(modelver, signed, 0, env={"GIT_CONFIG_GLOBAL": str(config)})
    assert "find-principals" in log.read_text()


# OpenPGP ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gnupg() -> Iterator[Path]:
    """A GnuPG home with a key of Ada's; short enough for its sockets."""
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as folder:
        env = {**os.environ, "GNUPGHOME": folder}
        quick = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key"]
        subprocess.run([*quick, "Ada Byron <ada@example.com>", "ed25519", "sign", "never"], env=env, check=True)
        yield Path(folder)
        subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)


def gpg(home: Path, *words: str, stdin: bytes | None = None) -> bytes:
    """Run gpg in that home; its output."""
    env = {**os.environ, "GNUPGHOME": str(home)}
    done = subprocess.run(["gpg", "--batch", "--quiet", "--yes", *words], env=env, input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_gpg
def test_gnupg(dvc_repo: DvcRepo, modelver: Modelver, gnupg: Path) -> None:
    """Signed with OpenPGP: allowed while GnuPG trusts the key fully, a stranger without trust, unknown without key."""
    dvc_repo.git("config", "tag.gpgSign", "true")
    modelver("release", "churn", cwd=dvc_repo.git, env={"GNUPGHOME": str(gnupg)})
    said = signature(strict(modelver, dvc_repo, 0, env={"GNUPGHOME": str(gnupg)}))
    assert "Ada Byron <ada@example.com>" in said["detail"]
    public = gpg(gnupg, "--export", "ada@example.com")
    fingerprint = next(
        line.split(b":")[9] for line in gpg(gnupg, "--with-colons", "--list-keys").splitlines() if line[:3] == b"fpr"
    ).decode()
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as other:
        env = {"GNUPGHOME": other}
        os.chmod(other, 0o700)
        assert "not in your keyring" in signature(strict(modelver, dvc_repo, 1, env=env))["detail"]
        gpg(Path(other), "--import", stdin=public)
        said = signature(strict(modelver, dvc_repo, 1, env=env))
        assert "does not trust" in said["detail"]
        assert fingerprint in said["detail"]
        dvc_repo.git("config", "modelver.allowedKeys", fingerprint.lower())
        strict(modelver, dvc_repo, 0, env=env)
        dvc_repo.git("config", "modelver.allowedKeys", "0" * 40)
        assert "not allowed" in signature(strict(modelver, dvc_repo, 1, env=env))["detail"]
        subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, **env}, check=False)


@needs_gpg
def test_gnupg_altered(dvc_repo: DvcRepo, modelver: Modelver, gnupg: Path) -> None:
    """A tag that was altered under an OpenPGP signature."""
    dvc_repo.git("config", "tag.gpgSign", "true")
    env = {"GNUPGHOME": str(gnupg)}
    modelver("release", "churn", cwd=dvc_repo.git, env=env)
    forge(dvc_repo, TAG, TAG, ("Modelver-Bump: ", "Modelver-Bump: very "))
    assert "altered" in signature(strict(modelver, dvc_repo, 1, env=env))["detail"]


# What is read, and how far ----------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What was hashed before an interrupt is known to the next run, which reads only the rest."""
    big = dvc_repo.path / "big"
    big.mkdir()
    for number in range(24):
        (big / f"{number:02}.bin").write_bytes(number.to_bytes(2, "big") * (1 << 20))
    dvc_repo.dvc(["add", "-q", "big"])
    dvc_repo.git.write("dvc.yaml", (dvc_repo.path / "dvc.yaml").read_text() + "  big:\n    path: big\n    type: data\n")
    dvc_repo.git.commit("Big")
    modelver("release", "big", cwd=dvc_repo.git)
    time.sleep(2.1)  # what changed just now is not remembered
    memory = dvc_repo.path / ".git/modelver/cache/verify-1"
    read: set[str] = set()

    def interrupt(done: int, total: int, what: str) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    def count(done: int, total: int, what: str) -> None:
        read.add(what)

    with pytest.raises(KeyboardInterrupt):
        run_with(dvc_repo, interrupt)
    first = memory.read_bytes().count(b"sha256=")
    assert 0 < first < 24
    assert run_with(dvc_repo, count).ok
    assert len(read) == 24 - first
    assert memory.read_bytes().count(b"sha256=") == 24


def run_with(repo: DvcRepo, progress: Progress) -> Verification:
    """Verify `big`, one file at a time, telling `progress`."""
    around = Surroundings(directory=repo.path, env=repo.git.env, progress=progress)
    with Project(around) as project:
        return verify(project, "big", Options(jobs=1))


def test_ctrl_c_ends_at_once(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """An interrupt while a signer is asked ends with 130 and no traceback."""
    sleeper = tmp_path / "sleeper"
    sleeper.write_text(f"#!/bin/sh\ntouch {tmp_path / 'asked'}\nexec sleep 30\n")
    sleeper.chmod(0o755)
    body = (
        f"object {dvc_repo.git.rev()}\ntype commit\ntag churn@v0.1.0\ntagger E <e@x> 1700000000 +0000\n\nwords\n"
        "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )
    oid = dvc_repo.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=body)
    (dvc_repo.path / ".git/refs/tags/churn@v0.1.0").write_text(oid + "\n")
    config = tmp_path / "config"
    config.write_text(Path(dvc_repo.git.env["GIT_CONFIG_GLOBAL"]).read_text() + f"[gpg]\n\tprogram = {sleeper}\n")
    running = modelver.start("verify", "--signed", cwd=dvc_repo.git, env={"GIT_CONFIG_GLOBAL": str(config)})
    for _ in range(200):
        if (tmp_path / "asked").exists():
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=40)
    assert (running.returncode, b"Traceback" in said) == (130, False), said


def test_names_that_control_a_terminal(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What a tag says of its maker and its record reaches the terminal without control characters."""
    commit = dvc_repo.git.rev()
    body = (
        f"object {commit}\ntype commit\ntag churn@v0.1.0\u202e\x1b[31m\n"
        "tagger E\x1b[2Jve <e@x> 1700000000 +0000\n\nwords\n\nModelver-Format: 1\nModelver-Event: release\n"
        "Modelver-Model: ch%1B%5B31murn\n"
    )
    oid = dvc_repo.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=body)
    (dvc_repo.path / ".git/refs/tags/churn@v0.1.0").write_text(oid + "\n")
    for words in ((), ("--json",)):
        answer = modelver("verify", *words, cwd=dvc_repo.git, code=1)
        assert "\x1b" not in answer.out + answer.err
        assert "\u202e" not in answer.out + answer.err


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", ".git/config", "a\n../b"])
def test_a_record_that_names_other_files(dvc_repo: DvcRepo, modelver: Modelver, path: str) -> None:
    """Paths of a record are looked up in the commit only; nothing else is opened."""
    modelver("release", "churn", cwd=dvc_repo.git)
    raw = dvc_repo.git("cat-file", "tag", f"refs/tags/{TAG}")
    line = next(line for line in raw.splitlines() if line.startswith("Modelver-Blob"))
    forge(dvc_repo, TAG, TAG, (line, f"{line.rpartition(' ')[0]} {path.replace(chr(10), '%0A')}"))
    answer = modelver("verify", "--json", cwd=dvc_repo.git, code=1)
    assert failed(answer) == ["files"]


def test_a_tag_sixty_deep(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A tag of a tag of a tag... is answered, not followed for ever."""
    target, kind = dvc_repo.git.rev(), "commit"
    for _ in range(60):
        body = f"object {target}\ntype {kind}\ntag churn@v0.1.0\ntagger E <e@x> 1700000000 +0000\n\nwords\n"
        target, kind = dvc_repo.git("hash-object", "-t", "tag", "-w", "--stdin", input=body), "tag"
    (dvc_repo.path / ".git/refs/tags/churn@v0.1.0").write_text(target + "\n")
    modelver("verify", cwd=dvc_repo.git, code=0)


def test_packed_refs_that_lie(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """git believes the peeled id in `packed-refs`; verify holds it against the tag object."""
    modelver("release", "churn", "--no-card", cwd=dvc_repo.git)
    old = dvc_repo.git.rev(f"{TAG}^{{commit}}")
    other = dvc_repo.fake_train(20)
    dvc_repo.git("pack-refs", "--all")
    packed = dvc_repo.path / ".git/packed-refs"
    packed.write_text(packed.read_text().replace(f"^{old}", f"^{other}"))
    answer = modelver("verify", "--json", cwd=dvc_repo.git, code=1)
    assert failed(answer) == ["commit"]


def test_a_rolled_back_server(two_clones: Clones, modelver: Modelver) -> None:
    """A server that shows an older list: what this clone saw and no longer finds is named."""
    ada, bao = two_clones.ada.git, two_clones.bao.git
    modelver("release", "churn", "--push", cwd=ada)
    bao("fetch", "-q", "--tags")
    modelver("list", cwd=bao)
    two_clones.hub("update-ref", "-d", f"refs/tags/{TAG}")
    bao("fetch", "-q", "--prune", "--prune-tags", "origin")
    answer = modelver("verify", "--json", cwd=bao, code=1)
    assert failed(answer) == ["ref"]


def test_a_pipe_in_the_cache(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A pipe or a device where an object should be is no object; nothing hangs."""
    modelver("release", "churn", cwd=dvc_repo.git)
    digest = Git.__call__(dvc_repo.git, "cat-file", "tag", TAG).partition("md5:")[2].split()[0]
    place = dvc_repo.object_path(digest)
    place.unlink()
    os.mkfifo(place)
    answer = modelver.process("verify", "--json", cwd=dvc_repo.git, code=1, timeout=20)
    assert failed(answer) == ["cache"]
