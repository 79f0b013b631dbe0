"""`modelver-model-format` and `modelver-commit-msg`: what is refused, and what the policy lets through."""

from __future__ import annotations

import bz2
import hashlib
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.hooks.commit_msg import check_message
from dvc_modelver.hooks.staged import parse_batch, parse_raw
from tests.hooks.precommit_support import commit, hook, install_native
from tests.support import DvcRepo, Git

PICKLE = pickle.dumps(OrderedDict(a=1))


def _zip(name: str, data: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(name, data)
    return raw.getvalue()


def _joblib() -> bytes:
    import joblib
    import numpy as np

    raw = io.BytesIO()
    joblib.dump({"w": np.zeros(4)}, raw)
    return raw.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.pkl", PICKLE),
        ("without_suffix", PICKLE),
        ("m.old.pkl", pickle.dumps(OrderedDict(a=1), protocol=0)),
        ("m.pkl.bz2", bz2.compress(PICKLE)),
        ("m.pt", _zip("archive/data.pkl", PICKLE)),
        ("m.zip", _zip("inner.joblib", PICKLE)),
        ("m.joblib", _joblib()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formats_that_carry_code(plain_repo: Git, name: str, data: bytes) -> None:
    """Pickle is found by its bytes, also compressed, zipped and under another name."""
    plain_repo.write(name, data)
    plain_repo("add", "-A")
    code, said = hook(plain_repo, "model-format")
    assert (code, said.startswith(f"{name}: loading it can run code (")) == (1, True)
    assert "safe " not in said.replace("safetensors", "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("LICENSE", b"It is so.\nN.\n"),
        ("Makefile", b"all:\n\ttrue\n"),
        ("N", b"N."),
        ("m.safetensors", len(b"{}").to_bytes(8, "little") + b"{}"),
        ("empty.pkl", b""),
        ("notes.txt", PICKLE),
    ],
)
def test_what_is_none_passes(plain_repo: Git, name: str, data: bytes) -> None:
    """Text, formats without code and files that no library loads as a model stop nothing."""
    plain_repo.write(name, data)
    plain_repo("add", "-A")
    assert hook(plain_repo, "model-format") == (0, "")


def test_nothing_is_unpickled(plain_repo: Git, tmp_path: Path) -> None:
    """A pickle that would write a file when loaded is named, and the file is not written."""
    canary = tmp_path / "canary"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.write_text, (canary, "here")

    plain_repo.write("m.pkl", pickle.dumps(Hostile()))
    plain_repo("add", "-A")
    assert hook(plain_repo, "model-format")[0] == 1
    assert not canary.exists()


def test_the_staged_bytes_count(plain_repo: Git) -> None:
    """A model that was replaced in the work tree after `git add` is judged by what is staged."""
    plain_repo.write("m.bin", PICKLE)
    plain_repo("add", "-A")
    plain_repo.write("m.bin", b"plain")
    assert hook(plain_repo, "model-format")[0] == 1
    plain_repo("add", "-A")
    plain_repo.write("m.bin", PICKLE)
    assert hook(plain_repo, "model-format") == (0, "")


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("models: {allow_code: true}", 0),
        ("models: {allow_code: false}", 1),
        ("models: {allow_code: ['old/*']}", 0),
        ("models: {allow_code: ['new/*']}", 1),
        ("models: {allow_code: 3}", 2),
        ("models: {allow: true}", 2),
        ("push: false", 1),
    ],
)
def test_policy_is_the_staged_one(plain_repo: Git, policy: str, code: int) -> None:
    """`models.allow_code` says what may pass; it is read from the index, and a wrong one is named."""
    plain_repo.write("old/m.pkl", PICKLE)
    plain_repo.write(".modelver.yaml", f"{policy}\n")
    plain_repo("add", "-A")
    plain_repo.write(".modelver.yaml", "models: [\n")
    assert hook(plain_repo, "model-format")[0] == code


def test_policy_in_pyproject(plain_repo: Git) -> None:
    """The policy may stand in pyproject.toml."""
    plain_repo.write("m.pkl", PICKLE)
    plain_repo.write("pyproject.toml", "[tool.modelver.models]\nallow_code = true\n")
    plain_repo("add", "-A")
    assert hook(plain_repo, "model-format") == (0, "")


def test_an_output_of_dvc(dvc_repo: DvcRepo) -> None:
    """What a staged .dvc file newly names is looked at in the cache; without its bytes nothing is said of it."""
    digest = hashlib.md5(PICKLE).hexdigest()
    place = dvc_repo.object_path(digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(PICKLE)
    entry = f"outs:\n- md5: '{digest}'\n  size: {len(PICKLE)}\n  hash: md5\n  path: m.dat\n"
    dvc_repo.git.write("m.dat.dvc", entry)
    dvc_repo.git("add", "m.dat.dvc")
    code, said = hook(dvc_repo.git, "model-format")
    assert (code, said.startswith("m.dat: loading it can run code (pickle, imports collections.OrderedDict)")) == (
        1,
        True,
    )
    place.unlink()
    assert hook(dvc_repo.git, "model-format") == (0, "")


# Commit messages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Train a model\n\nBetter data.\n", []),
        ("Modelver-Format: 1\n", [1]),
        ("A\n\nModelver-Event: release\nmodelver-x\n Modelver-y\n", [3]),
        (f"A\n\ntoken ghp_{'a1' * 18}\n", [3]),
        (f"A\n# {'-' * 24} >8 {'-' * 24}\n+Modelver-Format: 1\nModelver-Format: 1\n", []),
    ],
)
def test_messages(text: str, lines: list[int]) -> None:
    """Lines that a record is made of and secrets are named by line; the diff of `commit -v` is no message."""
    assert [found.path for found in check_message(text)] == [f"message line {n}" for n in lines]


@given(st.text())
def test_a_message_without_reserved_lines_never_has_one(text: str) -> None:
    """Whatever people write, only lines that begin so are taken for a record's."""
    reserved = [n for n, line in enumerate(text.split("\n"), 1) if line.startswith("Modelver-")]
    found = [f.path for f in check_message(text) if "record" in f.problem]
    assert found == [f"message line {n}" for n in reserved]


def test_commit_message_through_git(plain_repo: Git) -> None:
    """git itself starts the hook, and the commit is not made; the secret itself is not repeated."""
    install_native(plain_repo, "commit-msg", "commit-msg")
    before = plain_repo.rev()
    secret = f"ghp_{'a1' * 18}"
    code, said = commit(plain_repo, "--allow-empty", "-m", f"Modelver-Format: 1\nuse {secret}")
    assert (code, plain_repo.rev()) == (1, before)
    assert "message line 3: lines that begin with Modelver-" in said
    assert "looks like a secret: GitHub token" in said
    assert secret not in said
    assert commit(plain_repo, "--allow-empty")[0] == 0


@pytest.mark.parametrize(("cleanup", "code"), [(None, 0), ("strip", 0), ("scissors", 0), ("whitespace", 1)])
def test_gits_own_words_in_an_edited_message(plain_repo: Git, cleanup: str | None, code: int) -> None:
    """The names of files in the template's comments are no message, as long as git takes the comments out."""
    install_native(plain_repo, "commit-msg", "commit-msg")
    plain_repo.write(f"ghp_{'a1' * 18}", "untracked\n")
    if cleanup is not None:
        plain_repo("config", "commit.cleanup", cleanup)
    editor = plain_repo.path / ".git" / "editor"
    editor.write_text('#!/bin/sh\n{ echo Subject; cat "$1"; } >"$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    env = {"GIT_EDITOR": str(editor)}
    done = plain_repo.run("commit", "--allow-empty", "--status", check=False, env=env)
    assert done.returncode == code, done.stderr


# What git prints -------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("AMDTU"), st.binary(min_size=1).filter(lambda name: 0 not in name))))
def test_raw_rows(rows: list[tuple[str, bytes]]) -> None:
    """Any name between NULs comes back byte for byte, one row for one path."""
    oid = "0" * 40
    raw = b"".join(f":100644 100755 {oid} {oid} {status}".encode() + b"\0" + name + b"\0" for status, name in rows)
    found = [(change.status, change.path.encode("utf-8", "surrogateescape")) for change in parse_raw(raw)]
    assert found == rows


@given(st.lists(st.binary()))
def test_batches(blobs: list[bytes]) -> None:
    """Bytes of blobs come back whole, whatever line ends they hold, and missing ones do not disturb."""
    raw = b"".join(b"%040x blob %d\n%b\n%040x missing\n" % (n, len(blob), blob, n) for n, blob in enumerate(blobs))
    assert [data for _, data in parse_batch(raw)] == blobs
