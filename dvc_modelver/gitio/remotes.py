"""The Git remote: what tags it has, and publishing ours to it in one atomic step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import PREFIX
from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import Conflict, EnvironmentProblem
from dvc_modelver.gitio.process import Completed, GitProcess
from dvc_modelver.gitio.refs import parse_show_ref


def push_remote(git: GitProcess, branch: str | None) -> str | None:
    """The remote that `git push` would use: the branch's, else `origin`, else the only one; None without any."""
    config = git.config
    names = sorted({key[7:-4] for key in config if key.startswith("remote.") and key.endswith(".url")})
    short = (branch or "").removeprefix("refs/heads/")
    keys = (f"branch.{short}.pushremote", "remote.pushdefault", f"branch.{short}.remote")
    chosen = next((config[key] for key in keys if config.get(key)), None)
    if chosen and chosen != ".":
        return chosen
    if "origin" in names:
        return "origin"
    return names[0] if len(names) == 1 else None


def push_branch(git: GitProcess, branch: str, remote: str) -> str:
    """The ref of `remote` that `branch` (`refs/heads/work`) is published to: its own name, as `git push REMOTE BRANCH`
    would, unless `push.default` says that it goes to the branch that it tracks."""
    short, config = branch.removeprefix("refs/heads/"), git.config
    tracks = config.get(f"branch.{short}.merge", "")
    upstream = config.get("push.default") in ("upstream", "tracking") and config.get(f"branch.{short}.remote") == remote
    return tracks if upstream and tracks.startswith("refs/heads/") else branch


def read_remote_tags(git: GitProcess, remote: str, patterns: Sequence[str] = ()) -> list[TagRef]:
    """The tags that `remote` has now.  Raises `EnvironmentProblem` when it cannot be asked."""
    done = git.complete("ls-remote", "--tags", "--", remote, *patterns, env={"GIT_TERMINAL_PROMPT": "0"})
    if done.status != 0:
        raise EnvironmentProblem(
            f"cannot ask the remote {redact(remote)}: {_words(done)}", hint="check the network, or pass --offline"
        )
    return parse_show_ref(done.stdout.replace(b"\t", b" "))


def read_remote_tags_and(git: GitProcess, remote: str, ref: str) -> tuple[list[TagRef], str | None]:
    """All tags of `remote`, and what the full ref name `ref` holds there: one question.  Raises as the others."""
    lines = _ask(git, remote, f"{PREFIX}*", ref).splitlines(keepends=True)
    mark = b"\t" + PREFIX.encode()
    return parse_show_ref(b"".join(line for line in lines if mark in line).replace(b"\t", b" ")), _held(lines, ref)


def read_remote_ref(git: GitProcess, remote: str, ref: str) -> str | None:
    """What the full ref name `ref` holds on `remote` now.  Raises `EnvironmentProblem` when it cannot be asked."""
    return _held(_ask(git, remote, ref).splitlines(), ref)


def _ask(git: GitProcess, remote: str, *patterns: str) -> bytes:
    done = git.complete("ls-remote", "--", remote, *patterns, env={"GIT_TERMINAL_PROMPT": "0"})
    if done.status != 0:
        message = f"cannot ask the remote {redact(remote)}: {_words(done)}"
        raise EnvironmentProblem(message, hint="check the network, then run it again")
    return done.stdout


def _held(lines: Sequence[bytes], ref: str) -> str | None:
    rows = (line.rstrip(b"\n").partition(b"\t") for line in lines)
    return next((oid.decode("ascii") for oid, _, name in rows if name == ref.encode()), None)


def fetch_objects(git: GitProcess, remote: str, refs: Sequence[str]) -> None:
    """Bring what the remote's `refs` name as objects, and change no ref; what cannot be had is left out."""
    quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
    git.complete("fetch", *quiet, "--refmap=", "--", remote, *refs, env={"GIT_TERMINAL_PROMPT": "0"})


def push_url(git: GitProcess, remote: str) -> str:
    """Where a push to `remote` goes: a mirror that one fetches from may lag behind it."""
    done = git.complete("remote", "get-url", "--push", "--", remote)
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n") if done.status == 0 else remote


@dataclass(frozen=True, slots=True)
class PushRef:
    """One ref to publish: `oid` as `ref`; `new` refs must not be on the remote yet."""

    oid: str
    ref: str
    new: bool = True


def push(git: GitProcess, remote: str, refs: Sequence[PushRef], dry_run: bool = False) -> Mapping[str, str]:
    """Publish all `refs` or none; the flag that the server gave each (`*` new, `=` was there, ` ` moved on).

    The lease is for new tags only.  A lease on a branch at its fetched tip would erase a colleague's commit, so
    branches go as plain refspecs that the server accepts only as a fast-forward.

    Raises `Conflict` when the remote has another object under a new name or the branch has moved,
    `EnvironmentProblem` when it refuses or cannot be reached.
    """
    leases = [f"--force-with-lease={r.ref}:" for r in refs if r.new]
    specs = [f"{r.oid}:{r.ref}" for r in refs]
    extra = ["--dry-run"] if dry_run else []
    done = git.complete(
        "push", "--porcelain", "--atomic", "--no-follow-tags", *extra, *leases, "--", remote, *specs,
        config=("push.followTags=false", "push.recurseSubmodules=no"), literal=False,
    )  # fmt: skip
    flags = parse_push(done.stdout)
    rejected = {ref: said for ref, (flag, said) in flags.items() if flag == "!"}
    if rejected or done.status != 0:
        raise _refusal(done, remote, rejected)
    return {ref: flag for ref, (flag, _) in flags.items()}


def parse_push(raw: bytes) -> Mapping[str, tuple[str, str]]:
    """`git push --porcelain` as ref -> (flag, what the server said)."""
    answers: dict[str, tuple[str, str]] = {}
    for line in raw.decode("utf-8", "replace").split("\n"):
        parts = line.split("\t")
        if len(parts) >= 3 and len(parts[0]) == 1 and ":" in parts[1]:
            answers[parts[1].partition(":")[2]] = (parts[0], parts[2])
    return answers


_TAKEN = ("stale info", "already exists", "fetch first", "non-fast-forward", "cannot lock ref", "is at ")


def _refusal(done: Completed, remote: str, rejected: Mapping[str, str]) -> Exception:
    said = _server_words(done)
    taken = [ref for ref, words in rejected.items() if any(word in words for word in _TAKEN)]
    if not taken and any("atomic transaction failed" in words for words in rejected.values()):
        # What was wrong stands in the server's own lines only: `cannot lock ref ...: reference already exists`.
        taken = list(rejected) if any(word in said for word in ("already exists", "is at ", "but expected")) else []
    if taken:
        names = ", ".join(ref.removeprefix(PREFIX).removeprefix("refs/heads/") for ref in taken)
        # Fetching alone brings nobody's own branch up to theirs.
        bring = "git pull" if all(ref.startswith("refs/heads/") for ref in taken) else "git fetch --tags"
        return Conflict(
            f"{redact(remote)} has moved on: {names} ({redact(one_line(rejected[taken[0]]))})",
            hint=f"{bring}, then run it again",
        )
    flags = "; ".join(f"{ref.removeprefix(PREFIX)} {words}" for ref, words in rejected.items())
    words = redact(one_line(f"{flags}: {said}" if flags and said else flags or said)) or _words(done)
    if rejected:
        return EnvironmentProblem(
            f"{redact(remote)} refused the push: {words}", hint="ask whoever runs that server, or its policy"
        )
    return EnvironmentProblem(f"the push to {redact(remote)} did not go through: {words}", hint="run it again")


_GIT_ADDS = ("To ", "Done", "hint:", "error: failed to push some refs")


def _server_words(done: Completed) -> str:
    """What the server's hooks and the user's own said, without what git adds around it."""
    lines = [line.strip() for line in done.stderr.splitlines()]
    # A pre-push hook's stdout is git's own, among the porcelain lines.
    lines += [line for line in done.stdout.decode("utf-8", "replace").splitlines() if "\t" not in line]
    server = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    own = [line for line in lines if not line.startswith(("remote:", *_GIT_ADDS))]
    return " ".join(word for word in (server or own)[:10] if word)


def _words(done: Completed) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:", "remote:"))), lines[0] if lines else "")
    return redact(one_line(said.removeprefix("fatal:").strip())) or f"exit status {done.status}"
