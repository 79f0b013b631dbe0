"""What the reliability tests share: the forking server, the git that kills, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc_modelver.core.records import BlobLine, Record
from dvc_modelver.core.tagobjects import parse_tag_object
from tests.support import DvcRepo, Git, snapshot

KILLED = -9
CARD = "model_cards/{name}.md"
"""Where a model's card is."""
MODEL_CARD = CARD.format(name="churn")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a forked command answered; `code` is -9 when it was killed."""

    code: int
    out: str
    err: str
    count: str

    def __str__(self) -> str:
        return f"-> {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Server:
    """One forking server; a command at a time runs in it, servers run side by side."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, repo: Git, *argv: str, env: Mapping[str, str] | None = None, **order: Any) -> None:
        """Start a command; it runs at once."""
        assert self._process.stdin is not None
        line = json.dumps({"argv": list(argv), "cwd": str(repo.path), "env": {**repo.env, **(env or {})}, **order})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> Answer:
        """Wait for the end of what was sent."""
        assert self._process.stdout is not None
        raw = json.loads(self._process.stdout.readline())
        return Answer(raw["code"], raw["out"], raw["err"], raw["count"])

    def __call__(
        self, repo: Git, *argv: str, code: int | None = 0, env: Mapping[str, str] | None = None, **order: Any
    ) -> Answer:
        """Run a command to its end; another exit code than `code` fails the test (None: any)."""
        self.send(repo, *argv, env=env, **order)
        answer = self.answer()
        assert code is None or answer.code == code, f"modelver {' '.join(argv)} {answer}"
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()


_WRAPPER = """\
#!/bin/sh
# Runs the real git; kills the process that called it before or after the call number $KILL_AT.
if ! [ -r "/proc/$PPID/cmdline" ] || ! tr '\\0' ' ' <"/proc/$PPID/cmdline" | grep -q server.py; then
    exec {git} "$@"
fi
echo "$*" >>"$KILL_LOG"
number=$(wc -l <"$KILL_LOG")
if [ "$number" -eq "$KILL_AT" ] && [ "$KILL_WHEN" = before ]; then
    kill -9 $PPID
    exit 1
fi
if [ "$number" -eq "$KILL_AT" ]; then
    parent=$PPID
    trap '' PIPE
    {git} "$@"
    status=$?
    kill -9 "$parent"
    exit $status
fi
exec {git} "$@"
"""


def killing_git(folder: Path, env: Mapping[str, str]) -> Path:
    """A directory for PATH with a `git` that kills its caller at a certain call."""
    import shutil

    real = shutil.which("git", path=env["PATH"])
    folder.mkdir()
    (folder / "git").write_text(_WRAPPER.format(git=real))
    (folder / "git").chmod(0o755)
    return folder


def kill_env(wrapper: Path, repo: Git, log: Path, at: int, when: str) -> dict[str, str]:
    """Variables under which the call number `at` of git kills (0: none, they are only counted in `log`)."""
    log.write_text("")
    path = f"{wrapper}:{repo.env['PATH']}"
    return {"PATH": path, "KILL_AT": str(at), "KILL_LOG": str(log), "KILL_WHEN": when}


def fsck(repo: Git) -> None:
    """No error in the object database (dangling objects are fine)."""
    done = repo.run("fsck", "--strict", "--no-progress", check=False)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


def litter(repo: Git) -> list[str]:
    """Locks and half-written files of ours, in Git's directory and in the work tree."""
    names = [*repo.path.rglob("*.lock"), *repo.path.rglob("*modelver-tmp*"), *repo.path.rglob("*.new")]
    names += repo.path.rglob("tmp_obj_*")
    return sorted(
        str(path.relative_to(repo.path))
        for path in names
        if path.name not in ("dvc.lock",) and ".dvc/tmp" not in str(path)
    )


def state(repo: Git) -> dict[str, str]:
    """A snapshot in which the index counts by what it holds, not by its bytes."""
    found = {key: value for key, value in snapshot(repo).items() if not key.endswith("/index")}
    return found | {"index": repo("ls-files", "--stage")}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """What differs between two snapshots."""
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def worktree(seen: Mapping[str, str]) -> dict[str, str]:
    """Of a snapshot or state: all but the refs."""
    return {key: value for key, value in seen.items() if not key.startswith("ref ")}


def journal(repo: Git) -> bool:
    return (repo.path / ".git" / "modelver" / "journal").exists()


def tags_of(repo: Git) -> dict[str, str]:
    """Tag name -> object id."""
    return {name.removeprefix("refs/tags/"): oid for name, oid in repo.refs("refs/tags/").items()}


def hook(git_dir: Path, name: str, script: str) -> Path:
    """Install a hook."""
    path = git_dir / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def pushed(repo: DvcRepo) -> None:
    """Publish the branch, so that only tags are left to push."""
    repo.git("push", "-q", "origin", "HEAD")


# Cards ---------------------------------------------------------------------------------------------------------------

_BLOCK = re.compile(
    r"<!-- modelver:begin (\S+) sha256=([0-9a-f]{16})([^>\n]*) -->\n(.*?)<!-- modelver:end \1 -->\n", re.DOTALL
)


def without(card: bool) -> tuple[str, ...]:
    """The words of a release with its card (the default), or of one that only tags."""
    return () if card else ("--no-card",)


def record_of(repo: Git, tag: str) -> Record:
    """The record in a tag's message."""
    found = parse_tag_object("", repo.run("cat-file", "tag", f"refs/tags/{tag}").stdout)
    assert found is not None
    assert found.record is not None
    return found.record


def with_plots(repo: DvcRepo, points: str = "1,2\n2,3\n") -> None:
    """The card has a plot of these points, a picture beside it; committed."""
    pipeline = (repo.path / "dvc.yaml").read_text()
    if "plots:" not in pipeline:
        pipeline += "plots:\n- plots.csv\n"
    config = "cards: {plots: [plots.csv]}\n"
    repo.git.commit("Plots", {"dvc.yaml": pipeline, ".modelver.yaml": config, "plots.csv": f"x,y\n{points}"})


def pictures(repo: Git, commit: str = "HEAD") -> set[str]:
    """The pictures beside the cards of a commit."""
    names = repo("ls-tree", "-r", "--name-only", commit, "model_cards/").splitlines()
    return {name for name in names if name.endswith(".svg")}


def check_card(repo: Git, tag: str, *, committed: bool = True) -> str:
    """The card in the version's own commit, after what must hold of every released card.

    It names the version and no other, each block is what its digest says, the card's numbers are that commit's, and the
    record names that very blob.

    Args:
        committed: whether the release made the commit: then the card alone is in it.
    """
    name, version = tag.split("@")
    path = CARD.format(name=name)
    commit = repo.rev(f"refs/tags/{tag}^{{commit}}")
    assert record_of(repo, tag).card == BlobLine(repo.rev(f"{commit}:{path}"), path)
    text = repo.run("cat-file", "blob", f"{commit}:{path}").stdout.decode()
    check_blocks(text, name, version)
    if name == "churn":
        assert f"`md5:{hashlib.md5(_model_at(repo, commit)).hexdigest()}`" in text
    beside = pictures(repo, commit)
    assert {f"model_cards/{found}" for found in re.findall(r"\]\(([^)\s]+\.svg)\)", text)} == beside
    if committed:
        assert set(repo("diff", "--name-only", f"{commit}^", commit).splitlines()) == {path} | (
            beside ^ pictures(repo, f"{commit}^")
        )
    return text


def _model_at(repo: Git, commit: str) -> bytes:
    """The model's bytes, found in the cache by what the commit's lock says."""
    lock = repo("show", f"{commit}:dvc.lock")
    found = re.search(r"outs:\n    - path: models/churn.bin\n      hash: md5\n      md5: '?([0-9a-f]+)", lock)
    assert found is not None, lock
    return (repo.path / ".dvc/cache/files/md5" / found[1][:2] / found[1][2:]).read_bytes()


def check_blocks(text: str, name: str, version: str) -> None:
    """The card names `version` and no other, and each block's digest is that of its text."""
    found = _BLOCK.findall(text)
    assert len(found) >= 8, text
    named = set()
    for block, digest, attributes, inside in found:
        assert hashlib.sha256(inside.strip("\n").encode()).hexdigest().startswith(digest), block
        named |= {word for word in attributes.split() if word.startswith("version=")}
    assert named == {f"version={version}"}
    assert set(re.findall(rf"modelver get {name}@(\S+)", text)) == {version}
