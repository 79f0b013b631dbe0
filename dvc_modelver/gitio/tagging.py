"""Making tag objects without a ref, signed when the user's configuration says so.

A tag object that no ref names is invisible and harmless: everything can be checked, and pushed, before the one
step that makes the tag exist.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.process import GitFailed, GitProcess
from dvc_modelver.gitio.remotes import is_true, read_config
from dvc_modelver.gitio.repository import Repository

# What decides who signs and how; read where includeIf applies and handed on.
_SIGNING_KEYS = ("user.", "gpg.", "tag.", "committer.", "author.")


def committer(git: GitProcess) -> str:
    """`NAME <EMAIL> SECONDS ZONE` as git would write it now.  Raises `EnvironmentProblem` without an identity."""
    try:
        return git.line("var", "GIT_COMMITTER_IDENT")
    except GitFailed as error:
        raise EnvironmentProblem(
            "git does not know who you are", hint="git config user.name NAME && git config user.email ADDRESS"
        ) from error


def create_tag_object(repository: Repository, name: str, commit: str, message: str, *, ident: str) -> str:
    """The id of a new annotated tag object `name` on `commit`; no ref is touched."""
    config = _identity_config(repository.git)
    if is_true(config.get("tag.gpgsign")) or is_true(config.get("tag.forcesignannotated")):
        return _create_signed(repository, name, commit, message, config)
    head = f"object {commit}\ntype commit\ntag {name}\ntagger {ident}\n\n"
    raw = (head + message).encode("utf-8", "surrogateescape")
    return repository.git.run("mktag", "--no-strict", stdin=raw).decode("ascii").strip()


def _identity_config(git: GitProcess) -> Mapping[str, str]:
    """The effective settings under `_SIGNING_KEYS`, keys in lower case; the last value of a key counts."""
    return {key: value for key, value in read_config(git).items() if key.startswith(_SIGNING_KEYS)}


def _create_signed(repository: Repository, name: str, commit: str, message: str, config: Mapping[str, str]) -> str:
    """git signs only where it also makes a ref: let it, in a throw-away repository that shares our objects."""
    git = repository.git
    objects = str(repository.common_dir / "objects")
    settings = [f"{key}={value}" for key, value in config.items()]
    with tempfile.TemporaryDirectory(prefix="modelver-tag-") as folder:
        bare = GitProcess(Path(folder), git.env)
        object_format = git.line("rev-parse", "--show-object-format")
        bare.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", ".")
        shared = {"GIT_DIR": folder, "GIT_OBJECT_DIRECTORY": objects}
        raw = message.encode("utf-8", "surrogateescape")
        sign = ("tag", "-s", "--cleanup=verbatim", "-F", "-", "--end-of-options", name, commit)
        bare.run(*sign, stdin=raw, env=shared, config=settings)
        done = bare.run("rev-parse", "--verify", f"refs/tags/{name}", env=shared)
        return done.decode("ascii").strip()
