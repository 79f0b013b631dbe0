#!/usr/bin/env python3
"""Run gto, dvc and git beside `modelver` where they are known to go wrong, and print what each of them did.

    python tests/reliability/peers.py                     # every case, a minute or two
    python tests/reliability/peers.py --markdown          # the table of docs/peers.md
    python tests/reliability/peers.py race kill-push      # only these

Each case builds its repositories in a temporary directory and runs the real programs there; every word of the table is
chosen by what was seen afterwards in refs, files, output and exit codes.  The exit code is 1 when modelver did not do
what it promises.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from markdown_it import MarkdownIt  # noqa: E402

from tests.reliability.tools import hook, tags_of  # noqa: E402
from tests.support import Clones, DvcRepo, Git, Modelver, Result, Templates, snapshot  # noqa: E402
from tests.support.environment import prepare_home  # noqa: E402

SECRET = "hunter2swordfish"
PATIENCE = 20.0
"""Seconds that a peer is given for an answer that takes no tenth of a second on a sound repository."""
FAST = 5.0
"""Seconds within which modelver answers in any repository."""
MEMORY = 2 << 30
"""Bytes that a peer may take: it must not drag the machine down with it."""
FIRST, SECOND = "churn@v0.1.0", "churn@v0.2.0"


@dataclass(frozen=True, slots=True)
class Side:
    """What one program was seen to do."""

    ok: bool
    """Whether that is what its user may expect."""
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One case, played by both."""

    case: str
    peer: Side
    ours: Side


@dataclass(frozen=True, slots=True)
class Done:
    """A peer's answer; `code` is None when it had to be stopped."""

    code: int | None
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both streams."""
        return self.out + self.err


def side(program: str, *facts: tuple[bool, str, str]) -> Side:
    """Put what was seen into words: each fact is (is it well, words if so, words if not).

    Args:
        program: the commands that were run, separated by a comma and a space.
    """
    words = "; ".join(well if ok else badly for ok, well, badly in facts)
    programs = ", ".join(f"`{one}`" for one in program.split(", "))
    return Side(all(ok for ok, _, _ in facts), f"{programs}: {words}")


class Scene:
    """A fresh directory for one case: ready-made repositories, and the programs that act on them."""

    def __init__(self, templates: Templates, folder: Path, modelver: Modelver) -> None:
        self.templates, self.folder, self.modelver = templates, folder, modelver

    def repo(self, name: str) -> DvcRepo:
        """A repository with DVC, nothing released."""
        return self.templates.dvc(self.folder / name)

    def clones(self, name: str) -> Clones:
        """A server and two people's clones of it, nothing released."""
        return self.templates.clones(self.folder / name)

    def versions(self, name: str) -> tuple[DvcRepo, bytes, bytes]:
        """`churn` v0.1.0, and v0.2.0 at HEAD; the bytes of both."""
        repo = self.repo(name)
        first = repo.model.read_bytes()
        self.release(repo)
        repo.fake_train(9)
        self.release(repo)
        return repo, first, repo.model.read_bytes()

    def release(self, repo: DvcRepo) -> None:
        """The next version of `churn`, without a commit for its card."""
        self.ours(repo, "release", "churn", "--offline", "--no-card")

    def ours(
        self,
        repo: DvcRepo | Git,
        *words: str | Path,
        code: int | None = 0,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """`modelver`, a minute later."""
        git = repo.git if isinstance(repo, DvcRepo) else repo
        git.clock.tick()
        return self.modelver(*words, cwd=git, code=code, env=env)

    def model(self, repo: DvcRepo) -> Any:
        """What `modelver list --json` says of `churn`."""
        (found,) = [one for one in self.ours(repo, "list", "--json").json["models"] if one["name"] == "churn"]
        return found

    def held(self, repo: DvcRepo) -> str | None:
        """The version in production, by modelver."""
        stage = self.model(repo)["stages"].get("prod")
        return stage["version"] if stage else None


def peer(repo: DvcRepo | Git, *words: str | Path, env: Mapping[str, str] | None = None, bounded: bool = False) -> Done:
    """Run a peer's own command in a process of its own.

    Args:
        bounded: give it no more than `PATIENCE` and `MEMORY`.
    """
    git = repo.git if isinstance(repo, DvcRepo) else repo
    try:
        done = subprocess.run(
            [*map(str, words)],
            cwd=git.path,
            env={**git.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE if bounded else 300,
            preexec_fn=_limit_memory if bounded else None,
        )
    except subprocess.TimeoutExpired:
        return Done(None, "", "")
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def gto_holder(repo: DvcRepo) -> str | None:
    """The version in production, by gto."""
    done = peer(repo, "gto", "show", "--json")
    assert done.code == 0, done
    held = json.loads(done.out)["churn"]["stage"].get("prod")
    assert held is None or isinstance(held, str)
    return held


Sides = tuple[Side, Side]
"""What the peer did, what modelver did."""
Play = Callable[[Scene], Sides]


@dataclass(frozen=True, slots=True)
class Case:
    """One failure of a peer and how it is played."""

    text: str
    """What the table says of it."""
    slow: bool
    """Whether it takes many seconds, or starts DVC."""
    play: Play


CASES: dict[str, Case] = {}
"""By name, in the table's order."""


def case(name: str, text: str, *, slow: bool = False) -> Callable[[Play], Play]:
    """Register a case under `name`."""

    def register(play: Play) -> Play:
        CASES[name] = Case(text, slow, play)
        return play

    return register


# Tags and stages ------------------------------------------------------------------------------------------------------


@case("race", "two clones release the same number at once")
def race(scene: Scene) -> Sides:
    def start(name: str) -> Clones:
        clones = scene.clones(name)
        scene.ours(clones.ada, "release", "churn", "--push", "--no-card")
        clones.bao.git("fetch", "-q", "--tags")
        clones.ada.fake_train(9)
        clones.bao.fake_train(10)
        return clones

    theirs, ours = start("gto"), start("ours")
    words = ("gto", "register", "churn", "--version", "v0.1.1", "--push")
    assert peer(theirs.ada, *words).code == 0
    peer(theirs.bao, *words)
    again = peer(theirs.bao, *words)
    kept = tags_of(theirs.bao.git).get("churn@v0.1.1")
    fetch = peer(theirs.bao, "git", "fetch", "--tags")
    command = ("release", "churn", "--version", "v0.1.1", "--push", "--no-card")
    scene.ours(ours.ada, *command)
    before = snapshot(ours.bao.git)
    lost = scene.ours(ours.bao, *command, code=None).code
    same = snapshot(ours.bao.git) == before
    retried = scene.ours(ours.bao, "release", "churn", "--push", "--no-card", code=None).code
    after = len(tags_of(ours.hub)) == 3 and tags_of(ours.bao.git).items() <= tags_of(ours.hub).items()
    return side(
        "gto",
        (
            kept in (None, tags_of(theirs.hub)["churn@v0.1.1"]),
            "the loser has no tag of its own",
            "the loser keeps a tag that nobody else has",
        ),
        (again.code == 0, "a retry succeeds", f"a retry fails{' (already registered)' * ('already' in again.said)}"),
        (fetch.code == 0, "`git fetch --tags` works", f"`git fetch --tags` fails{_clobber(fetch)}"),
    ), side(
        "release --push",
        (lost == 4, "the loser is told (exit 4)", f"the loser gets exit {lost}"),
        (same, "its clone is as before", "its clone has changed"),
        (retried == 0 and after, "a retry takes the next number", f"a retry fails ({retried})"),
    )


def _clobber(fetch: Done) -> str:
    return " (would clobber existing tag)" * ("would clobber" in fetch.said)


@case("kill-push", "`kill -9` when the push begins, then the same command again")
def kill_push(scene: Scene) -> Sides:
    theirs, ours = scene.clones("gto"), scene.clones("ours")
    script = (
        "import os, sys, scmrepo.git; from gto.cli import app\n"
        "scmrepo.git.Git.push_refspecs = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        "app(['register', 'churn', '--push'])\n"
    )
    assert peer(theirs.ada, sys.executable, "-c", script).code == -9
    again = peer(theirs.ada, "gto", "register", "churn", "--push")
    tags = set(tags_of(theirs.hub))
    wrapper = scene.folder / "wrapper"
    wrapper.mkdir()
    real = shutil.which("git", path=ours.ada.git.env["PATH"])
    text = f'#!/bin/sh\ncase " $* " in *" push "*) kill -9 $PPID; exit 1;; esac\nexec {real} "$@"\n'
    (wrapper / "git").write_text(text)
    (wrapper / "git").chmod(0o755)
    command = ("release", "churn", "--push", "--no-card")
    path = {"PATH": f"{wrapper}{os.pathsep}{ours.ada.git.env['PATH']}"}
    killed = scene.modelver.process(*command, cwd=ours.ada.git, env=path, code=None)
    assert killed.code == -9, killed
    second = scene.ours(ours.ada, *command, code=None).code
    published = tags_of(ours.hub) == tags_of(ours.ada.git) != {}
    return side(
        "gto",
        (again.code == 0, "runs again", f"refuses{' (already registered)' * ('already' in again.said)}"),
        (bool(tags), "the version is pushed", "the version is not pushed"),
    ), side(
        "release --push",
        (second == 0, "runs again", f"exit {second}"),
        (published, "the version is here and on the server", "the version is not on the server"),
    )


@case("clock", "the second promote comes from a machine an hour behind")
def clock(scene: Scene) -> Sides:
    repo, _, _ = scene.versions("repo")
    scene.ours(repo, "promote", FIRST, "prod", "--offline")
    repo.git.clock.tick(-3600)
    scene.ours(repo, "promote", SECOND, "prod", "--offline")
    repo.git.clock.tick(3600)
    return _holders(scene, repo, "v0.2.0")


@case("second", "promotes number 9 and 10 fall into one second")
def second(scene: Scene) -> Sides:
    repo, _, _ = scene.versions("repo")
    repo.git.clock.tick()
    for counter in range(1, 11):
        version = SECOND if counter % 2 == 0 else FIRST
        repo.git("tag", "-a", "-m", "By hand", "--", f"churn#prod#{counter}", f"{version}^{{}}")
    return _holders(scene, repo, "v0.2.0")


def _holders(scene: Scene, repo: DvcRepo, expected: str | None) -> Sides:
    shown = expected or "nothing"
    theirs, ours = gto_holder(repo), scene.held(repo)
    return (
        side("gto show", (theirs == expected, f"production holds {shown}", f"production holds {theirs}, not {shown}")),
        side("list", (ours == expected, f"production holds {shown}", f"production holds {ours}, not {shown}")),
    )


@case("withdraw-stage", "the holder of a stage is withdrawn from it", slow=True)
def withdraw_stage(scene: Scene) -> Sides:
    repo, _, latest = scene.versions("repo")
    for tag in (FIRST, SECOND):
        scene.ours(repo, "promote", tag, "prod", "--offline")
    scene.ours(repo, "withdraw", "churn#prod", "--offline")
    back = gto_holder(repo)
    out = scene.folder / "fetched"
    got = peer(repo, "dvc", "artifacts", "get", repo.path, "churn", "--stage", "prod", "-o", out)
    served = got.code == 0 and out.exists() and out.read_bytes() == latest
    held, code = scene.held(repo), scene.ours(repo, "get", "churn#prod", "-o", scene.folder / "ours", code=None).code
    return side(
        "gto, dvc",
        (back is None, "gto shows the stage empty", f"gto puts {back} back"),
        (not served, "dvc serves nothing", "`dvc artifacts get --stage prod` serves the withdrawn version"),
    ), side(
        "withdraw",
        (held is None, "the stage is empty", f"the stage holds {held}"),
        (code == 7, "`get` says so (exit 7)", f"`get` exits {code}"),
    )


@case("counter", "two people promote and withdraw under one counter, the clocks disagree")
def counter(scene: Scene) -> Sides:
    repo, _, _ = scene.versions("repo")
    for name in ("churn#prod!#5", "churn#prod#5"):
        repo.git.tag(name)
    return _holders(scene, repo, None)


@case("bad-tag", "one malformed tag: `X@created`, or a version on a tree", slow=True)
def bad_tag(scene: Scene) -> Sides:
    failed, shown = [], []
    for number, (name, rev) in enumerate({"churn@created": "HEAD", "churn@v9.0.0": "HEAD^{tree}"}.items()):
        repo, _, _ = scene.versions(f"repo-{number}")
        assert gto_holder(repo) is None  # it works before
        repo.git.tag(name, rev=rev)
        failed.append(peer(repo, "gto", "show").code != 0)
        shown.append(scene.model(repo)["latest"] == "v0.2.0")
    return side("gto", (not any(failed), "shows the others", f"`gto show` fails altogether, {sum(failed)} of 2")), side(
        "list", (all(shown), "costs only itself, all else is shown", f"fails {2 - sum(shown)} of 2")
    )


@case("same-commit", "two versions on one commit, which is in a stage", slow=True)
def same_commit(scene: Scene) -> Sides:
    repo = scene.repo("repo")
    for name in ("churn@v1.0.0", "churn#prod#1"):
        repo.git.tag(name)
    assert gto_holder(repo) == "v1.0.0"  # it works before
    repo.git.tag("churn@v1.1.0")
    code, held = peer(repo, "gto", "show").code, scene.held(repo)
    return (
        side("gto", (code == 0, "answers", "`gto show` fails altogether")),
        side(
            "list",
            (
                held == "v1.0.0",
                "the stage holds the version that was there when it was set",
                f"production holds {held}",
            ),
        ),
    )


@case("shallow", "`git clone --depth 1` of a project with versions")
def shallow(scene: Scene) -> Sides:
    repo, _, _ = scene.versions("repo")
    repo.fake_train(10)
    clones = []
    for name in ("theirs", "mine"):
        repo.git("clone", "-q", "--depth", "1", repo.path.as_uri(), scene.folder / name)
        clones.append(repo.git.at(scene.folder / name))
    shown = peer(clones[0], "gto", "show", "--json")
    registered = peer(clones[0], "gto", "register", "churn")
    again = clones[0].tags()
    listed = scene.ours(clones[1], "list", "--json", code=None)
    code = scene.ours(clones[1], "release", "churn", code=None).code
    return side(
        "gto",
        (shown.code != 0 or shown.out.strip() != "{}", "says that it cannot know", "finds nothing, exit 0"),
        (registered.code != 0, "registers nothing", f"`register` issues {', '.join(again)}"),
    ), side(
        "list, release",
        (bool(listed.json.get("incomplete")), "`list` says incomplete", "`list` says nothing"),
        (code == 6 and not clones[1].tags(), "`release` refuses (exit 6)", f"`release` exits {code}"),
    )


@case("half-push", "a version and its stage are pushed, the server refuses the version")
def half_push(scene: Scene) -> Sides:
    theirs, ours = scene.clones("git"), scene.clones("ours")
    for clones in (theirs, ours):
        hook(clones.hub.path, "update", 'case "$1" in *@*) exit 1;; esac')
    names = ("churn@v0.1.0", "churn#prod#1")
    for name in names:
        theirs.ada.git.tag(name)
    peer(theirs.ada, "git", "push", "origin", *(f"refs/tags/{name}" for name in names))
    landed = sorted(tags_of(theirs.hub))
    code = scene.ours(ours.ada, "release", "churn", "--stage", "prod", "--push", "--no-card", code=None).code
    clean = tags_of(ours.hub) == tags_of(ours.ada.git) == {}
    return side("git push", (not landed, "neither lands", f"`{'`, `'.join(landed)}` lands alone")), side(
        "release --push",
        (clean, "neither lands, neither is here", "one of them stayed"),
        (code == 6, "exit 6", f"exit {code}"),
    )


@case("branch-lease", "an atomic push with a lease on the branch, a colleague's commit fetched but not merged")
def branch_lease(scene: Scene) -> Sides:
    theirs, ours = scene.clones("git"), scene.clones("ours")
    commits = []
    for clones in (theirs, ours):
        commits.append(clones.bao.git.commit("By Bao", {"notes.txt": "hello\n"}))
        clones.bao.git("push", "-q", "origin", "main")
        clones.ada.git("fetch", "-q")
    theirs.ada.fake_train(9)
    theirs.ada.git.tag(FIRST)
    lease = f"--force-with-lease=refs/heads/main:{commits[0]}"
    pushed = peer(theirs.ada, "git", "push", "--atomic", lease, "origin", "main", f"refs/tags/{FIRST}")
    before = snapshot(ours.ada.git)
    code = scene.ours(ours.ada, "release", "churn", "--push", code=None).code
    same = snapshot(ours.ada.git) == before
    return side(
        "git push", (_kept(theirs.hub, commits[0]), "the commit stays", f"the commit is erased, exit {pushed.code}")
    ), side(
        "release --push",
        (_kept(ours.hub, commits[1]), "the commit stays", "the commit is erased"),
        (code == 4 and same, "the clone is as before (exit 4)", f"exit {code}"),
    )


def _kept(hub: Git, commit: str) -> bool:
    return hub.run("merge-base", "--is-ancestor", commit, "main", check=False).returncode == 0


# Signatures -----------------------------------------------------------------------------------------------------------


def _signing(repo: DvcRepo, folder: Path) -> None:
    """Ada signs every tag with an SSH key that she trusts."""
    folder.mkdir(exist_ok=True)
    key = folder / "id"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", key], check=True)
    (folder / "allowed").write_text(f"ada@example.com {key.with_suffix('.pub').read_text()}")
    settings = {"gpg.format": "ssh", "user.signingKey": key, "tag.gpgSign": "true"}
    for name, value in {**settings, "gpg.ssh.allowedSignersFile": folder / "allowed"}.items():
        repo.git("config", name, value)


@case("sign", "`tag.gpgSign=true`, and `=yes`, which is the same to Git", slow=True)
def sign(scene: Scene) -> Sides:
    theirs, ours = [], []
    for value in ("true", "yes"):
        one, other = scene.repo(f"gto-{value}"), scene.repo(f"ours-{value}")
        for repo in (one, other):
            _signing(repo, scene.folder / "keys")
            repo.git("config", "tag.gpgSign", value)
        code = peer(one, "gto", "register", "churn", "--version", "v0.1.0").code
        theirs.append(_signed(one, value, f"an unsigned tag, exit {code}" if one.git.tags() else f"fails ({code})"))
        scene.release(other)
        ours.append(_signed(other, value, "an unsigned tag"))
    return side("gto register", *theirs), side("release", *ours)


def _signed(repo: DvcRepo, value: str, badly: str) -> tuple[bool, str, str]:
    good = repo.git.run("verify-tag", FIRST, check=False).returncode == 0
    return good, f"`{value}`: a signed tag", f"`{value}`: {badly}"


@case("rename", "a signed tag object under another version's name")
def rename(scene: Scene) -> Sides:
    repo = scene.repo("repo")
    _signing(repo, scene.folder / "keys")
    scene.release(repo)
    (repo.path / ".git/refs/tags/churn@v9.0.0").write_text(repo.git.rev(f"refs/tags/{FIRST}") + "\n")
    good = peer(repo, "git", "verify-tag", "churn@v9.0.0").code == 0
    answer = scene.ours(repo, "verify", "churn@v9.0.0", "--signed", "--json", code=None)
    failed = [check["check"] for one in answer.json["versions"] for check in one["checks"] if not check["ok"]]
    got = scene.ours(repo, "get", "churn@v9.0.0", "-o", scene.folder / "got", code=None).code
    return side("git verify-tag", (not good, "refuses it", "calls it good")), side(
        "verify, get",
        (answer.code == 1 and "name" in failed, "`verify` names it (exit 1)", f"`verify` exits {answer.code}"),
        (got != 0 and not (scene.folder / "got").exists(), "`get` refuses", "`get` gives it out"),
    )


# Bytes ----------------------------------------------------------------------------------------------------------------


def _object(folder: Path, data: bytes) -> Path:
    digest = hashlib.md5(data).hexdigest()
    return folder / digest[:2] / digest[2:]


def _corrupt(path: Path) -> bytes:
    """Other bytes of the same length, read-only as DVC leaves its objects."""
    data = b"x" * path.stat().st_size
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)
    return data


def _lose(repo: DvcRepo, data: bytes, *, store: bool) -> None:
    for folder in [repo.cache, *([repo.store / "files" / "md5"] if store else [])]:
        path = _object(folder, data)
        path.chmod(0o644)
        path.unlink()


@case("altered", "an object of the cache is altered, then back to its version", slow=True)
def altered(scene: Scene) -> Sides:
    theirs, first, _ = scene.versions("dvc")
    ours, _, latest = scene.versions("ours")
    for repo in (theirs, ours):
        bad = _corrupt(_object(repo.cache, first))
    code = peer(theirs, "git", "checkout", "-q", FIRST).code or peer(theirs, "dvc", "checkout").code
    status = peer(theirs, "dvc", "status")
    back = scene.ours(ours, "rollback", "churn", "v0.1.0", "--offline", code=None).code
    found = ours.model.read_bytes()
    return side(
        "dvc checkout",
        (theirs.model.read_bytes() != bad, "the wrong bytes stay out", f"the wrong bytes, exit {code}"),
        ("up to date" not in status.out, "`dvc status` notices", "`dvc status`: up to date"),
    ), side(
        "rollback",
        (
            found == (first if back == 0 else latest),
            "the right bytes, from the remote" if back == 0 else f"nothing changed (exit {back})",
            "the wrong bytes",
        ),
        (
            scene.ours(ours, "verify", FIRST, "--force", code=None).code == (0 if back == 0 else 1),
            "`verify` agrees" if back == 0 else "`verify` names it (exit 1)",
            "`verify` does not see it",
        ),
    )


@case("missing", "an object is nowhere, another version's file lies in the work tree")
def missing(scene: Scene) -> Sides:
    theirs, first, _ = scene.versions("dvc")
    ours, _, _ = scene.versions("ours")
    for repo in (theirs, ours):
        _lose(repo, first, store=True)
    peer(theirs, "git", "checkout", "-q", FIRST)
    code = peer(theirs, "dvc", "checkout").code
    before = snapshot(ours.git)
    back = scene.ours(ours, "rollback", "churn", "v0.1.0", "--offline", code=None).code
    return side(
        "dvc checkout",
        (theirs.model.exists(), "fails and keeps the file", f"fails ({code}), and has removed the file"),
    ), side(
        "rollback",
        (back == 5, "refuses before the first change (exit 5)", f"exit {back}"),
        (snapshot(ours.git) == before, "all is as before", "something changed"),
    )


@case("remote", "an object of the DVC remote is corrupt", slow=True)
def remote(scene: Scene) -> Sides:
    theirs, first, _ = scene.versions("dvc")
    ours, _, _ = scene.versions("ours")
    for repo in (theirs, ours):
        _lose(repo, first, store=False)
        bad = _corrupt(_object(repo.store / "files" / "md5", first))
    peer(theirs, "git", "checkout", "-q", FIRST)
    code = peer(theirs, "dvc", "pull").code
    out = scene.folder / "got"
    got = scene.ours(ours, "get", FIRST, "-o", out, code=None).code
    return side(
        "dvc pull",
        (not theirs.model.exists() or theirs.model.read_bytes() != bad, "refuses", f"the wrong bytes, exit {code}"),
        (not _object(theirs.cache, first).exists(), "the cache stays clean", "they are in the cache as good"),
    ), side(
        "get",
        (got == 5 and not out.exists(), "refuses (exit 5)", f"exit {got}"),
        (not _object(ours.cache, first).exists(), "nothing bad in the cache", "they are in the cache"),
    )


@case("ignored", "back to a version that tracks a file which is ignored today", slow=True)
def ignored(scene: Scene) -> Sides:
    repos = []
    for name in ("git", "ours"):
        repo = scene.repo(name)
        repo.git.commit("Notes", {"notes.txt": "then\n"})
        scene.release(repo)
        repo.git("rm", "-q", "notes.txt")
        repo.fake_train(9)
        text = (repo.path / ".gitignore").read_text()
        repo.git.commit("Ignore", {".gitignore": text + "notes.txt\n"})
        repo.git.write("notes.txt", "mine\n")
        repos.append(repo)
    theirs, ours = repos
    code = peer(theirs, "git", "checkout", "-q", FIRST).code or peer(theirs, "dvc", "checkout").code
    lost = (theirs.path / "notes.txt").read_text() != "mine\n"
    codes = [scene.ours(ours, "rollback", "churn", "v0.1.0", how, code=None).code for how in ("--tree", "--detach")]
    kept = (ours.path / "notes.txt").read_text() == "mine\n"
    return side("git checkout", (not lost, "keeps the file", f"overwrites the file silently, exit {code}")), side(
        "rollback --tree, --detach",
        (kept, "the file stays", "the file is overwritten"),
        (codes == [3, 3], "refused (exit 3)", f"exits {codes}"),
    )


@case("unsaved", "back to a version while the model in the work tree is not saved anywhere", slow=True)
def unsaved(scene: Scene) -> Sides:
    repos = [scene.versions(name)[0] for name in ("dvc", "ours")]
    for repo in repos:
        repo.model.unlink()
        repo.model.write_bytes(b"hours of training\n")
    theirs, ours = repos
    head = theirs.git.rev()
    moved = peer(theirs, "git", "checkout", "-q", FIRST).code == 0 and theirs.git.rev() != head
    code = peer(theirs, "dvc", "checkout").code
    half = moved and theirs.model.read_bytes() == b"hours of training\n"
    before = snapshot(ours.git)
    codes = [scene.ours(ours, "rollback", "churn", "v0.1.0", *how, code=None).code for how in ([], ["--detach"])]
    same = snapshot(ours.git) == before
    return side(
        "git, dvc checkout", (not half, "both or none", f"Git has moved, dvc refuses ({code}): half rolled back")
    ), side(
        "rollback",
        (codes == [3, 3], "refused before the first change (exit 3)", f"exits {codes}"),
        (same, "all is as before", "something changed"),
    )


@case("symlink", "an output behind a symbolic link to `.git/hooks`", slow=True)
def symlink(scene: Scene) -> Sides:
    repos = []
    for name in ("dvc", "ours"):
        repo = scene.repo(name)
        shutil.rmtree(repo.path / "models")
        (repo.path / "models").symlink_to(".git/hooks")
        (repo.path / ".git/hooks").mkdir(exist_ok=True)
        repo.git("add", "-f", "models")
        repo.git.commit("A link")
        repo.git.tag(FIRST)
        repos.append(repo)
    theirs, ours = repos
    code = peer(theirs, "dvc", "checkout").code
    planted = (theirs.path / ".git/hooks/churn.bin").exists()
    commands = (["get", FIRST], ["get", FIRST, "-o", "models/churn.bin"], ["rollback", "churn", "v0.1.0", "--tree"])
    codes = [scene.ours(ours, *words, code=None).code for words in commands]
    clean = not (ours.path / ".git/hooks/churn.bin").exists()
    return side("dvc checkout", (not planted, "refuses", f"writes into `.git/hooks`, exit {code}")), side(
        "get, rollback",
        (clean, "nothing is written there", "written into `.git/hooks`"),
        (set(codes) <= {2, 3, 5}, "refused", f"exits {codes}"),
    )


# Output and surroundings ----------------------------------------------------------------------------------------------


@case("markdown", "params with `|`, `<script>` and a password, compared as Markdown", slow=True)
def markdown(scene: Scene) -> Sides:
    repo = scene.repo("repo")
    scene.release(repo)
    text = (repo.path / "params.yaml").read_text()
    extra = f"  password: {SECRET}\n  note: 'left|right'\n  page: '<script>alert(1)</script>'\n"
    repo.git.write("params.yaml", text + extra)
    repo.fake_train(9)
    scene.release(repo)
    peer_out = peer(repo, "dvc", "params", "diff", "--all", "--md", FIRST, SECOND).out
    our_out = scene.ours(repo, "compare", FIRST, SECOND, "--md").out
    assert "note" in peer_out
    return side("dvc params diff --md", *_markdown(peer_out)), side("compare --md", *_markdown(our_out))


def _markdown(text: str) -> list[tuple[bool, str, str]]:
    """What a reader sees, by a CommonMark parser with tables."""
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)]
    whole = any("left|right" in cell for cell in cells)
    return [
        (whole, "the cells are whole", "the `|` breaks the table"),
        ("<script" not in page, "markup is text", "`<script>` passes"),
        (SECRET not in text, "the password is hidden", "the password is printed"),
    ]


@case("html", "`</script>` in a plot's data, as an HTML page", slow=True)
def html(scene: Scene) -> Sides:
    theirs, ours = [], []
    for name, label in {"sound": "leaves", "hostile": "</script><script>alert(1)</script>"}.items():
        repo = scene.repo(name)
        plot = "    plots:\n    - plots.csv: {cache: false, template: confusion, x: actual, y: said}\n"
        text = (repo.path / "dvc.yaml").read_text().replace("artifacts:\n", f"{plot}artifacts:\n")
        data = f"actual,said\n{label},{label}\nstays,stays\n{label},stays\n"
        repo.git.commit("Plots", {"dvc.yaml": text, "plots.csv": data})
        scene.release(repo)
        repo.fake_train(9)
        done = peer(repo, "dvc", "plots", "show", "plots.csv", "-o", scene.folder / name / "plots")
        assert done.code == 0, done
        theirs.append((scene.folder / name / "plots/index.html").read_text())
        scene.ours(repo, "compare", FIRST, "HEAD", "--html", scene.folder / name / "page.html")
        ours.append((scene.folder / name / "page.html").read_text())
    assert "leaves" in ours[0]
    assert "&lt;/script" in ours[1]  # it is shown
    words = ("it stays data", "it ends the page's script and begins its own")
    return (
        side("dvc plots show", (_scripts(theirs[0]) == _scripts(theirs[1]), *words)),
        side("compare --html", (_scripts(ours[0]) == _scripts(ours[1]), *words)),
    )


def _scripts(page: str) -> list[str]:
    """Where scripts begin and end, by a parser of HTML."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "script":
                found.append("begin")

        def handle_endtag(self, tag: str) -> None:
            if tag == "script":
                found.append("end")

    Reader().feed(page)
    return found


@case("bomb", "a YAML alias bomb as params", slow=True)
def bomb(scene: Scene) -> Sides:
    repo = scene.repo("repo")
    scene.release(repo)
    assert peer(repo, "dvc", "status", bounded=True).code == 0  # it works before
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    text = (repo.path / "params.yaml").read_text() + "\n".join(rows) + "\n"
    pipeline = (repo.path / "dvc.yaml").read_text().replace("    - train\n", "    - train\n    - a29\n")
    repo.git.commit("A bomb", {"params.yaml": text, "dvc.yaml": pipeline})
    done = peer(repo, "dvc", "status", bounded=True)
    seconds, codes = [], set()
    for words in (["list"], ["release", "churn"], ["compare", FIRST, "HEAD"]):
        begun = time.monotonic()
        codes.add(scene.ours(repo, *words, code=None).code)
        seconds.append(time.monotonic() - begun)
    return side(
        "dvc status", (done.code == 0, "answers", f"no answer within {PATIENCE:.0f} s and {MEMORY >> 30} GiB")
    ), side(
        "list, release, compare",
        (max(seconds) < FAST, f"each answers within {FAST:.0f} s", f"takes {max(seconds):.0f} s"),
        (codes <= set(range(8)), "with an exit code of the table", f"exits {sorted(codes)}"),
    )


@case("password", "a repository at `https://user:password@host` that cannot be reached", slow=True)
def password(scene: Scene) -> Sides:
    repo = scene.repo("repo")
    url = f"https://bot:{SECRET}@127.0.0.1:9/x.git"
    https = {"GIT_ALLOW_PROTOCOL": "https"}
    said = {
        "gto": peer(repo, "gto", "show", "--repo", url, env=https).said,
        "dvc": peer(repo, "dvc", "get", url, "model", env=https).said,
    }
    told = [name for name, text in said.items() if SECRET in text]
    ours = scene.ours(repo, "list", "--repo", url, code=None, env=https)
    return side("gto show, dvc get", (not told, "hide the password", f"printed by {' and '.join(told)}")), side(
        "list --repo",
        (SECRET not in ours.out + ours.err, "the password is hidden", "the password is printed"),
        (ours.code == 6, "exit 6", f"exit {ours.code}"),
    )


@case("option", "a tag named `--output=F`")
def option(scene: Scene) -> Sides:
    repos = []
    for name in ("git", "ours"):
        repo, _, _ = scene.versions(name)
        refs = repo.path / ".git/refs/tags"
        (refs / "--output=F").write_text((refs / FIRST).read_text())
        repos.append(repo)
    theirs, ours = repos
    for tag in theirs.git.tags():
        peer(theirs, "git", "log", "-1", tag)
    before = snapshot(ours.git)
    for words in (["list"], ["history"], ["show", "churn"], ["verify", "--all"], ["doctor"]):
        scene.ours(ours, *words, code=None)
    return side("git log TAG", (not (theirs.path / "F").exists(), "no file", "writes the log into a file `F`")), side(
        "list, history, show, verify, doctor",
        (snapshot(ours.git) == before, "no file is written", "something is written"),
    )


@case("git-dir", "`GIT_DIR` inherited from a Git hook, asked about another repository")
def git_dir(scene: Scene) -> Sides:
    here, (there, _, _) = scene.repo("here"), scene.versions("there")
    env = {"GIT_DIR": str(here.path / ".git")}
    found = peer(here, "git", "-C", there.path, "rev-parse", "HEAD", env=env).out.strip()
    answer = scene.ours(here, "list", "-C", there.path, "--json", env=env)
    latest = next(one["latest"] for one in answer.json["models"] if one["name"] == "churn")
    wrong = "answers for the repository of the hook"
    return (
        side("git -C", (found == there.git.rev(), "answers for the other one", wrong)),
        side("list -C", (latest == "v0.2.0", "answers for the other one", wrong)),
    )


# The table ------------------------------------------------------------------------------------------------------------


def play(name: str, templates: Templates, folder: Path, modelver: Modelver) -> Row:
    """Play one case below `folder`, which must be empty."""
    folder.mkdir(parents=True, exist_ok=True)
    found = CASES[name]
    return Row(found.text, *found.play(Scene(templates, folder, modelver)))


def render_markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = ["| case | the peer did | modelver did |", "|---|---|---|"]
    lines += ["| " + " | ".join(_cell(text) for text in (r.case, r.peer.words, r.ours.words)) + " |" for r in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def render_text(rows: Sequence[Row]) -> str:
    """The table for a terminal: a paragraph for each case."""
    return "\n".join(f"{r.case}\n  peer      {r.peer.words}\n  modelver  {r.ours.words}\n" for r in rows)


def main(argv: Sequence[str]) -> int:
    """Play the cases that are asked for and print what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args(argv)
    names = options.cases or list(CASES)
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}")
    rows = []
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        top = Path(name).resolve()
        home = prepare_home(top / "home")
        templates, modelver = Templates(top / "templates", home), Modelver(Git(home, home))
        for number, wanted in enumerate(names, start=1):
            print(f"{number}/{len(names)} {wanted}", file=sys.stderr, flush=True)
            rows.append(play(wanted, templates, top / wanted, modelver))
    print((render_markdown if options.markdown else render_text)(rows), end="")
    return 0 if all(row.ours.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
