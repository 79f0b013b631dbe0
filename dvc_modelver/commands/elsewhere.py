"""Another repository, named by path or URL: opened for reading only, without a full clone where Git allows it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.releases import tag_patterns
from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import BadInput, EnvironmentProblem
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.process import GitProcess, scrubbed

_url = re.compile(r"(?:https?|ssh|git|file)://[^\s\0]+", re.IGNORECASE).fullmatch
_scp = re.compile(r"[\w.-]+@[\w.-]+:[^\s\0:][^\s\0]*").fullmatch


@contextmanager
def open_elsewhere(around: Surroundings, repo: str, name: str | None = None) -> Iterator[Project]:
    """The repository that `repo` names; whatever had to be fetched goes away again.

    Args:
        name: of a URL, only the tags of this artifact (100,000 tags take git minutes to write down).

    Raises `BadInput` when `repo` is neither a directory nor a URL that Git fetches without running a program,
    `EnvironmentProblem` when it cannot be reached.
    """
    place = around.directory / os.path.expanduser(repo)
    if repo and not repo.startswith("-") and os.path.isdir(place):
        # Its configuration may name a promisor remote, and with it a program that git runs to fetch what is missing.
        # Git before 2.45 knows no GIT_NO_LAZY_FETCH; without any allowed protocol it fetches nothing.
        still = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
        with Project(replace(around, directory=place, env={**around.env, **still}), foreign=True) as project:
            yield project
        return
    if not (_url(repo) or _scp(repo)):
        raise BadInput(
            f"{redact(repo)!a} is neither a directory nor a URL that modelver fetches",
            hint="a path, or a URL that begins https://, ssh://, git://, file:// or user@host:",
        )
    with scratch("repo") as folder:
        _fetch(around, repo, folder, tag_patterns(name) if name is not None else ("refs/tags/*",))
        with Project(replace(around, directory=folder), foreign=True) as project:
            # Every tag that matters was fetched, so what is cut off is history that no answer here needs.
            project.repository = replace(project.repository, shallow=False)
            yield project


def _fetch(around: Surroundings, url: str, folder: Path, tags: Sequence[str]) -> None:
    """The tags and HEAD, one commit deep; trees and files come when they are looked at, if the server can do that."""
    git = GitProcess(folder, scrubbed(around.env) | {"GIT_TERMINAL_PROMPT": "0"})
    git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=main", ".")
    for key, value in (("url", url), ("promisor", "true"), ("partialclonefilter", "blob:none")):
        git.run("config", f"remote.origin.{key}", value)
    specs = [f"+{pattern}:{pattern}" for pattern in tags]
    fetch = ("fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags", "origin")
    done = git.complete(*fetch, *specs, "+HEAD:refs/heads/main")
    if done.status != 0 and "remote ref HEAD" in done.stderr:
        # A server whose HEAD names a branch that nobody pushed has versions all the same.
        done = git.complete(*fetch, *specs)
    if done.status != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")
        raise EnvironmentProblem(
            f"cannot fetch {redact(url)}: {redact(one_line(said.removeprefix('fatal:').strip()))}",
            hint="check the address, the network, and that you may read it",
        )
