"""Making tag objects without a ref, signed when the user's configuration says so.

A tag object that no ref names is invisible and harmless: everything can be checked, and pushed, before the one
step that makes the tag exist.
"""

from __future__ import annotations

from collections.abc import Mapping

from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.process import GitFailed, GitProcess, is_true
from dvc_modelver.gitio.repository import Repository

# What decides who signs and how; read where includeIf applies and handed on.
_SIGNING_KEYS = ("user.", "gpg.", "tag.", "committer.", "author.")


def committer(git: GitProcess) -> str:
    """`NAME <EMAIL> SECONDS ZONE` as git would write it now.  Raises `EnvironmentProblem` without an identity."""
    try:
        return git.line("var", "GIT_COMMITTER_IDENT")
    except GitFailed as error:
        if "date" in error.stderr:
            raise EnvironmentProblem(
                "git cannot read the time in GIT_COMMITTER_DATE", hint="unset it, or write it as 2026-01-31T12:00:00Z"
            ) from error
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
    return {key: value for key, value in git.config.items() if key.startswith(_SIGNING_KEYS)}


def _create_signed(repository: Repository, name: str, commit: str, message: str, config: Mapping[str, str]) -> str:
    """git signs only where it also makes a ref: let it, in a throw-away repository that shares our objects."""
    git = repository.git
    objects = str(repository.common_dir / "objects")
    settings = [f"{key}={value}" for key, value in config.items()]
    with scratch("tag") as folder:
        object_format = git.line("rev-parse", "--show-object-format")
        bare = GitProcess(folder, git.env)
        bare.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", ".")
        # Started in the user's work tree: a key's path may be relative to it.
        shared = {"GIT_DIR": str(folder), "GIT_OBJECT_DIRECTORY": objects}
        raw = message.encode("utf-8", "surrogateescape")
        sign = ("tag", "-s", "--cleanup=verbatim", "-F", "-", "--end-of-options", name, commit)
        done = git.complete(*sign, stdin=raw, env=shared, config=settings)
        if done.status != 0:
            raise _not_signed(done.stderr)
        made = bare.run("rev-parse", "--verify", f"refs/tags/{name}", env=shared).decode("ascii").strip()
    # git 2.39 leaves an unsigned tag, and 0, when ssh-keygen fails.
    if b"-----BEGIN " not in git.run("cat-file", "tag", made).rpartition(raw)[2]:
        raise _not_signed(done.stderr)
    return made


def _not_signed(stderr: str) -> EnvironmentProblem:
    said = redact(one_line(" ".join(line for line in stderr.splitlines() if line.strip())))
    return EnvironmentProblem(
        f"the tag could not be signed: {said or 'git made no signature'}",
        hint="see user.signingKey and gpg.format; tag.gpgSign=false makes versions without a signature",
    )
