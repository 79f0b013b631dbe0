"""Reading history: one `git log` that names what each commit changed, and where a clone's history ends.

Nothing is simplified away: 10,000 commits with their changed paths take git 0.2 s, and a file that was renamed, or a
merge that belongs to nobody's branch, is seen like any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import IO

from dvc_modelver.core.origins import Logged
from dvc_modelver.core.tagobjects import EPOCH, Identity
from dvc_modelver.gitio.process import Completed, GitProcess, failure
from dvc_modelver.gitio.repository import Repository

_CHUNK = 1 << 20
_MARK = b"\x01"
_FORMAT = "--format=%x01%H %P"
_CONFIG = ("log.showRoot=true", "log.showSignature=false", "log.follow=false", "diff.renames=false")
_GRAFTS = "GIT_GRAFT_FILE"
_author = re.compile(rb"^author (.*?) ?<([^>\n]*)> (-?\d{1,15}) [+-]\d{2,6}$", re.MULTILINE)
_encoding = re.compile(rb"^encoding (\S+)$", re.MULTILINE)
_MAX_SECONDS = 253_402_300_799  # 9999-12-31


def read_log(git: GitProcess, commit: str, *, folders: bool = False) -> Iterator[Logged]:
    """Every commit of the history of `commit` (or of a range `A..B`), parents before children, by topology alone.

    Replacements and grafts are ignored.  What a commit changed is told against its first parent; links and
    submodules count as absent.

    Args:
        folders: tell changed directories (their trees) too.

    Raises:
        GitFailed: the history cannot be read to its end.
    """
    words = ["log", "--raw", "-z", "--no-abbrev", "--no-renames", "--topo-order", "--reverse", "--no-color"]
    words += ["--full-history", "--diff-merges=first-parent", "--no-ext-diff", "--ignore-submodules=none", _FORMAT]
    words += [*(["-t"] if folders else []), "--end-of-options", commit, "--"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            git.argv(words, config=_CONFIG),
            cwd=git.directory,
            env={**git.env, _GRAFTS: os.devnull},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        ended = False
        try:
            if process.stdout is not None:
                yield from parse_log(_chunks(process.stdout))
            ended = True
        finally:
            _end(process, ended)
        if process.returncode != 0:
            errors.seek(0)
            raise failure(Completed(process.returncode, b"", errors.read().decode("utf-8", "replace")), "log")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _end(process: subprocess.Popen[bytes], ended: bool) -> None:
    """Wait for git; stop it first when nobody reads on."""
    if not ended:
        process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def parse_log(chunks: Iterable[bytes]) -> Iterator[Logged]:
    """`git log --raw -z` in our format: a commit, then `:MODE MODE OLD NEW STATUS`, path, ... each ended by NUL."""
    head: bytes | None = None
    changes: list[tuple[str, str | None]] = []
    tokens = _tokens(chunks)
    for token in tokens:
        token = token.lstrip(b"\n")
        if token.startswith(b":"):
            changes.append((next(tokens, b"").decode("utf-8", "surrogateescape"), _present(token)))
        elif token.startswith(_MARK):
            if head is not None:
                yield _logged(head, changes)
            head, changes = token, []
    if head is not None:
        yield _logged(head, changes)


def _tokens(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.strip():
        yield rest


def _present(meta: bytes) -> str | None:
    _, mode, _, oid, _ = meta.split(b" ")
    return oid.decode("ascii") if mode.startswith((b"100", b"040")) else None


def _logged(head: bytes, changes: list[tuple[str, str | None]]) -> Logged:
    commit, *parents = head[1:].decode("ascii").split()
    return Logged(commit, tuple(parents), changes)


# Where it ends, and who -----------------------------------------------------------------------------------------


def history_ends(repository: Repository) -> frozenset[str]:
    """The commits whose parents a shallow clone left out; none in a whole one."""
    try:
        return frozenset((repository.common_dir / "shallow").read_text("ascii").split())
    except FileNotFoundError:
        return frozenset()


def rewritten_by(repository: Repository) -> str | None:
    """What pretends another history here and is ignored: `grafts`, `replacements`; None when nothing does."""
    grafts = repository.common_dir / "info" / "grafts"
    if grafts.is_file() and grafts.stat().st_size:
        return "grafts"
    return "replacements" if repository.git.line("for-each-ref", "--count=1", "refs/replace/") else None


def read_experiments(git: GitProcess) -> dict[str, tuple[str, str]]:
    """Commit -> (name, commit that it began from) of the DVC experiments here; the first name of a commit by order."""
    found: dict[str, tuple[str, str]] = {}
    for line in git.text("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/").splitlines():
        oid, _, ref = line.partition(" ")
        parts = ref.split("/")
        if len(parts) == 5 and len(parts[2]) == 2 and len(parts[3]) in (38, 62):
            found.setdefault(oid, (parts[4], parts[2] + parts[3]))
    return found


def parse_author(raw: bytes) -> tuple[Identity, datetime]:
    """Who wrote a commit (its raw object), and the author's own date in UTC; the epoch when it has none."""
    header = raw.partition(b"\n\n")[0]
    match = _author.search(header)
    if match is None:
        return Identity("", ""), EPOCH
    named = _encoding.search(header)
    encoding = named[1].decode("ascii", "replace") if named else "utf-8"
    name, email = (_decode(part, encoding) for part in match.group(1, 2))
    seconds = min(max(int(match[3]), 0), _MAX_SECONDS)
    return Identity(name, email), datetime.fromtimestamp(seconds, tz=timezone.utc)


def _decode(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def deepen(git: GitProcess, tag: str) -> None:
    """Bring the whole history of a tag into a scratch clone that was fetched one commit deep.

    Files of up to 1 MiB come with it: asking for each old `dvc.lock` by itself would be a fetch each.
    Raises `GitFailed`.
    """
    ref = f"+refs/tags/{tag}:refs/tags/{tag}"
    git.run("fetch", "--quiet", "--unshallow", "--filter=blob:limit=1m", "--no-tags", "origin", ref)
