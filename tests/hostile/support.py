"""How an attack is tried: a repository in a box, every command on it, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import DvcRepo, Git, Result, isolated_env

DRIVER = Path(__file__).with_name("driver.py")
ALLOWED = {"git", "dvc", "ssh-keygen"}
FOR_GIT = ("git-hook", "merge-driver")
"""Commands that git starts."""
SECONDS = 5.0
SECRET = "hunter2swordfish"
"""In every password, token and signature of these tests: it must never be seen again."""

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_STRACE = shutil.which("strace")


@dataclass(frozen=True, slots=True)
class Box:
    """A repository (churn@v0.1.0 in prod, churn@v0.2.0 at HEAD), and what an attack must not reach."""

    repo: DvcRepo

    @property
    def git(self) -> Git:
        return self.repo.git

    @property
    def top(self) -> Path:
        """Holds everything of this test: repo, store, outside."""
        return self.repo.path.parent

    @property
    def outside(self) -> Path:
        """A directory of the user's, beside the repository."""
        return self.top / "outside"

    @property
    def canary(self) -> Path:
        """Comes into being when an attack gets something executed."""
        return self.outside / "CANARY"

    @property
    def touch(self) -> str:
        """A shell command that proves execution."""
        return f"touch {shlex.quote(str(self.canary))}"

    def program(self, path: Path) -> Path:
        """An executable script that proves execution."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{self.touch}\ncat >/dev/null\n")
        path.chmod(0o755)
        return path

    def module(self, name: str) -> None:
        """A Python module in the repository's root that proves its import."""
        self.git.write(name, f"import pathlib\npathlib.Path({str(self.canary)!r}).touch()\n")

    def release_by_hand(self, version: str = "v0.3.0", message: str = "Release", **files: str) -> str:
        """Commit what is there and tag it as GTO would."""
        self.git.commit("A commit")
        return self.git.tag(f"churn@{version}", message)


@dataclass(frozen=True, slots=True)
class Report:
    """What all the commands did."""

    results: Mapping[str, Result]
    seconds: Mapping[str, float]
    written: tuple[str, ...]
    started: frozenset[str]
    unpickled: tuple[str, ...]
    imported: tuple[str, ...]
    texts: str = field(repr=False, default="")


def few(names: Iterable[str], *fast: str) -> list[object]:
    """All the names as parameters: those in `fast` for every run, the others (a second each) for the long one."""
    every = list(names)
    assert set(fast) <= set(every), set(fast) - set(every)
    return [pytest.param(name, marks=() if name in fast else pytest.mark.long, id=ascii(name)[1:-1]) for name in every]


def commands(box: Box) -> dict[str, list[str]]:
    """Every reading command, in the forms that people and scripts read, every way to fetch, and a release."""
    got = box.top / "got"
    return {
        "list": ["list", "--md"],
        "list json": ["list", "--json"],
        "show": ["show", "churn"],
        "show json": ["show", "churn", "--json"],
        "show latest": ["show", "churn@latest"],
        "show latest json": ["show", "churn@latest", "--json"],
        "show stage": ["show", "churn#prod"],
        "history": ["history", "--csv"],
        "history at": ["history", "--at", "2030-01-01", "--json"],
        "doctor": ["doctor"],
        "verify": ["verify", "--all", "--remote"],
        "verify gc": ["verify", "--gc"],
        "gate": ["gate", "churn", "--md"],
        "gate json": ["gate", "churn", "--against", "churn@v0.1.0", "--json"],
        "gate refresh": ["gate", "churn", "--update-reference", "--dry-run"],
        "experiments": ["list", "--experiments", "--json"],
        "hooks status": ["hooks", "status", "--json"],
        "reproduce": ["reproduce", "churn", "--dry-run"],
        "rollback": ["rollback", "churn", "v0.1.0", "--dry-run"],
        "get old": ["get", "churn@v0.1.0", "-o", str(got / "old")],
        "get": ["get", "churn", "-o", str(got / "latest")],
        "show elsewhere": ["show", "churn@latest", "--repo", "."],
        "get elsewhere": ["get", "churn", "--repo", ".", "-o", str(got / "elsewhere")],
        "get by URL": ["get", "churn", "--repo", box.repo.path.as_uri(), "-o", str(got / "by-url")],
        "release": ["release", "churn"],
    }


def attack(
    box: Box,
    extra: Mapping[str, list[str]] | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    without: Collection[str] = (),
    may_write: Collection[str] = (),
    alone: bool = False,
    stdin: Mapping[str, str] | None = None,
) -> Report:
    """Run all commands in the repository and check everything that must hold whatever the attack is.

    Args:
        may_write: files that the commands are meant to write, and directories (`x/`) in which they may write any.
        alone: run no commands but the `extra` ones.
        stdin: what a command reads, by its name.
    """
    box.outside.mkdir(exist_ok=True)
    for name in ("got", "tmp"):
        (box.top / name).mkdir(exist_ok=True)
    before = _outside(box)
    usual = {} if alone else commands(box)
    wanted = {name: words for name, words in usual.items() if name not in without} | dict(extra or {})
    report = _run(box, wanted, env or {}, seconds, stdin or {})
    assert not box.canary.exists(), "the repository got something executed"
    assert not (box.repo.path / "CANARY").exists(), "the repository got something executed"
    assert _outside(box) == before, "something outside the repository was written"
    assert report.started <= ALLOWED, f"started: {sorted(report.started - ALLOWED)}"
    assert report.unpickled == (), "something was unpickled"
    assert report.imported == (), "the repository got a module imported"
    stray = [path for path in report.written if not _may_write(box, Path(path), may_write)]
    assert stray == [], f"written outside: {stray}"
    for name, result in report.results.items():
        check_answer(result)
        assert report.seconds[name] < seconds, f"{report.seconds[name]:.1f} s: {result.args}"
    assert _leftovers(box) == []
    return report


def check_answer(result: Result) -> None:
    """An exit code of the table, two lines on failure, no traceback, nothing hidden, no secret."""
    shown = Result(result.args, result.code, result.out[:3000], result.err[:3000])
    assert result.code in range(8), shown
    assert "Traceback" not in result.out + result.err, shown
    assert not _HIDDEN.search(result.err), shown
    assert not _HIDDEN.search(result.out), shown
    assert SECRET not in result.out + result.err, shown
    words = [line.partition(":")[0] for line in result.err.splitlines()]
    if result.args[0] in FOR_GIT:  # git's own words stand around these, and theirs are sentences
        assert not result.out, shown
        return
    assert set(words) <= {"error", "hint", "note", "warning"}, shown
    failed = result.code > 1 and result.args[:2] != ("hooks", "install")  # that ends with 3 and lines to add
    assert words.count("error") == int(failed), shown
    assert not failed or words.count("hint") == 1, shown
    if "--json" in result.args:
        assert result.json["schema"] == 1


def _run(
    box: Box, wanted: Mapping[str, list[str]], env: Mapping[str, str], seconds: float, stdin: Mapping[str, str]
) -> Report:
    report, trace = box.top / "report.json", box.top / "trace"
    tracer = [_STRACE, "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve", "-o", str(trace)] if _STRACE else []
    process = subprocess.Popen(
        [*tracer, sys.executable, str(DRIVER), str(report)],
        cwd=box.repo.path,
        env=isolated_env(box.git.home) | {"TMPDIR": str(box.top / "tmp")} | dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        rows = json.dumps([(words, stdin.get(name, "")) for name, words in wanted.items()])
        _, said = process.communicate(rows.encode(), timeout=seconds * max(len(wanted), 3))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # strace alone would leave what it traces
        process.communicate()
        raise AssertionError(f"more than {seconds * len(wanted):.0f} s for {len(wanted)} commands") from None
    assert report.exists(), said.decode(errors="replace")
    found = json.loads(report.read_text())
    report.unlink()
    results = {
        name: Result(tuple(row["args"]), row["code"], row["out"], row["err"])
        for name, row in zip(wanted, found["results"], strict=True)
    }
    started = {Path(str(name).split()[0]).name for name in found["started"]}
    if trace.exists():
        started |= _executed(trace.read_text(errors="replace"))
        trace.unlink()
    return Report(
        results=results,
        seconds={name: row["seconds"] for name, row in zip(wanted, found["results"], strict=True)},
        written=tuple(found["written"]),
        started=frozenset(started),
        unpickled=tuple(found["unpickled"]),
        imported=tuple(found["imported"]),
    )


def _executed(trace: str) -> set[str]:
    """The programs that any process of the tree started, without the one that all began with.

    Git starts parts of itself from its own directory, and `git fetch` of a directory runs `git-upload-pack` by a
    shell that it starts itself.
    """
    names = set()
    for line in trace.splitlines()[1:]:
        match = re.search(r'execve\("([^"]*)", \[(.*)\]', line)
        if match is None or line.endswith("ENOENT (No such file or directory)"):
            continue
        name = Path(match[1]).name
        shell = name == "sh" and "git-upload-pack" in match[2] and "CANARY" not in match[2]
        names.add("git" if name.startswith("git-") or shell else name)
    return names


def _outside(box: Box) -> dict[str, str]:
    """Everything beside the repository but what was fetched."""
    found = {}
    for path in sorted(box.top.rglob("*")):
        inside = path.relative_to(box.top).parts
        if inside[0] in ("repo", "got", "tmp", "report.json", "trace") or path.is_dir():
            continue
        found[str(path)] = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _may_write(box: Box, path: Path, files: Collection[str]) -> bool:
    meant = [box.repo.path / name for name in files]
    if path in [p for file in meant for p in (file, file.parent, file.with_name(f".{file.name}.modelver-tmp"))]:
        return True
    if any(path.is_relative_to(box.repo.path / name) for name in files if name.endswith("/")):
        return True
    git = box.repo.path / ".git"
    dvc = box.repo.path / ".dvc"
    if path == dvc and dvc.exists():  # `mkdir -p .dvc/cache/...`
        return True
    places = [git / "modelver", dvc / "cache", dvc / "tmp", box.top / "got", box.top / "tmp", Path("/dev")]
    return any(path == place or path.is_relative_to(place) for place in places)


def _leftovers(box: Box) -> list[Path]:
    return [*(p for p in box.top.rglob("*") if "modelver-tmp" in p.name), *(box.top / "tmp").iterdir()]


# Writing what git would not -----------------------------------------------------------------------------------------


def write_object(git: Git, kind: str, body: bytes) -> str:
    """Put an object of any content into the repository; its id."""
    raw = f"{kind} {len(body)}\0".encode() + body
    oid = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    place = git.path / ".git" / "objects" / oid[:2] / oid[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(zlib.compress(raw, 1))
    return oid


def write_ref(git: Git, name: str, oid: str) -> None:
    """Put a ref there, whatever git thinks of its name or target."""
    place = git.path / ".git" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{oid}\n")


def tag_body(
    target: str,
    name: str,
    *,
    kind: str = "commit",
    message: bytes = b"A tag\n",
    tagger: bytes = b"Mallory <m@example.com> 1735800000 +0000",
) -> bytes:
    """The bytes of a tag object."""
    return f"object {target}\ntype {kind}\ntag {name}\ntagger ".encode() + tagger + b"\n\n" + message


def write_tag(git: Git, name: str, target: str, **parts: object) -> str:
    """A tag object with its ref; the object's id."""
    oid = write_object(git, "tag", tag_body(target, name, **parts))  # type: ignore[arg-type]
    write_ref(git, f"refs/tags/{name}", oid)
    return oid
