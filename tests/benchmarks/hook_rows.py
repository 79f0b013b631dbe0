"""The rows of the native Git hooks: what a push costs with pre-push installed, and without.

`row_pre_push(bench)` yields what `run.py` measures, as the rows in it do.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.run import Bench, Comparison

_MD5 = re.compile(rb"md5: '?([0-9a-f]{32}(?:\.dir)?)")


def row_pre_push(bench: Bench) -> Iterator[Comparison]:
    """One tag: as `git push` of it and twice py+typer; all tags: twice `git push` of them."""
    from tests.benchmarks.run import Command, Comparison, Side

    repo, hub = _pushing(bench), bench.folder / "pushing-hub.git"
    tag = bench._git(repo, "for-each-ref", "--count=1", "--format=%(refname)", "refs/tags/churn@*").strip()
    count = len(bench._git(repo, "for-each-ref", "--format=x", "refs/tags").split())
    empty = functools.partial(_empty, bench, repo, hub)

    def push(*words: str) -> Side:
        return Side([Command(["git", "push", "-q", *words], repo)], prepare=empty)

    typer = bench.typer()
    without = push("--no-verify", "origin", tag)
    yield Comparison(
        row="pre-push",
        work="git push of one tag, the hook installed",
        against="the same without it, 2 x py+typer",
        ours=push("origin", tag),
        theirs=Side([*without.commands, typer, typer], prepare=empty),
        budget=1,
    )
    yield Comparison(
        row="pre-push",
        work=f"git push of {count:,} tags, the hook installed",
        against="the same without it",
        ours=push("--tags", "origin"),
        theirs=push("--tags", "--no-verify", "origin"),
        budget=2,
    )


def _pushing(bench: Bench) -> Path:
    """`large` with our hooks, and a DVC remote that has a file for every object (nobody reads them)."""
    path, store = bench.folder / "pushing", bench.folder / "pushing-store"
    if path.exists():
        return path
    shutil.copytree(bench.large, path, symlinks=True)
    for digest in _digests(bench, path):
        place = store / "files" / "md5" / digest[:2] / digest[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    config = f"[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = {store}\n"
    (path / ".dvc" / "config").write_text(config)
    bench._git(path, "remote", "add", "origin", str(bench.folder / "pushing-hub.git"))
    from tests.benchmarks.run import MODELVER

    subprocess.run([*MODELVER, "hooks", "install"], cwd=path, env=bench.env, stdout=subprocess.DEVNULL, check=True)
    return path


def _digests(bench: Bench, repo: Path) -> set[str]:
    """Every digest that a `dvc.lock` of the history names."""
    listed = bench._git(repo, "rev-list", "--all", "--objects", "--", "dvc.lock").splitlines()
    oids = "".join(f"{line.split()[0]}\n" for line in listed if line.endswith(" dvc.lock"))
    done = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=repo, env=bench.env, input=oids.encode(), capture_output=True, check=True
    )
    return {found.decode() for found in _MD5.findall(done.stdout)}


def _empty(bench: Bench, repo: Path, hub: Path) -> None:
    """A server that has the branch and no tag."""
    base = hub.with_suffix(".base")
    if not base.exists():
        bench._git(repo, "init", "-q", "--bare", str(base))
        bench._git(repo, "push", "-q", "--no-verify", str(base), "HEAD:refs/heads/main")
    shutil.rmtree(hub, ignore_errors=True)
    shutil.copytree(base, hub)
