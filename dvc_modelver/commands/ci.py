"""CI jobs for a repository: which files, filled with its models, and what is to be set up beside them.

The templates are valid files of their platform; what stands for the repository's own words is written `__SO__`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.core.names import check_stage
from dvc_modelver.core.text import one_line
from dvc_modelver.dvcio.config import read_dvc_config
from dvc_modelver.dvcio.paths import parents
from dvc_modelver.errors import BadInput, Conflict, EnvironmentProblem, Refused
from dvc_modelver.gitio.process import GitProcess
from dvc_modelver.resources import template_path

PLATFORMS = ("github", "gitlab")
_FOLDERS = {"github": ".github", "gitlab": ".gitlab"}
_SCRIPTS = ("install.sh", "dvc-remote.sh", "compare.sh", "release.sh", "deploy-held.sh", "guard.sh", "server.py")
_PEOPLES = ("deploy.sh", "live-metrics.sh")
"""To be filled in: once they are there, they are never looked at again."""
_INCLUDING = ".gitlab-ci.yml"
_INCLUDED = ".gitlab/modelver/modelver.yml"

_EXTRAS = {
    **{"s3": "s3", "gs": "gs", "azure": "azure", "ssh": "ssh", "gdrive": "gdrive", "oss": "oss", "hdfs": "hdfs"},
    **{"webdav": "webdav", "webdavs": "webdav", "webhdfs": "webhdfs", "http": "", "https": ""},
}
"""Scheme of the DVC remote's URL -> the extra of the package `dvc` that reaches it."""
_CLOUDS = {
    "s3": "secrets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, variable AWS_DEFAULT_REGION",
    "gs": "secret GOOGLE_CREDENTIALS_JSON (GitLab: a variable GOOGLE_APPLICATION_CREDENTIALS of the type File)",
    "azure": "secret AZURE_STORAGE_CONNECTION_STRING",
}
"""Extra -> what lets a job reach that cloud; the others take a `.dvc/config.local`."""
_for_cloud = re.compile(r" # (s3|gs|azure)$")
_each_stage = re.compile(r"# modelver: for each stage\n(.*?)# modelver: end\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class CiPlan:
    """What `init --ci` writes, and what it leaves to people."""

    files: Mapping[str, bytes]
    """By path from the root: those that are not there yet."""
    settings: tuple[str, ...]
    """What is to be set up on the platform, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What the repository puts into the templates."""

    models: tuple[str, ...]
    stages: tuple[str, ...]
    guarded: str
    """The stage that pull requests are compared with, and that is guarded."""
    branch: str
    extra: str | None
    """How `dvc` reaches the remote; None: no remote that a runner could reach."""


def plan_ci(project: Project, platform: str, models: Sequence[str], stages: Sequence[str] = ()) -> CiPlan:
    """The jobs of `models` for a platform; `stages` are the allowed ones, empty when any is.

    Raises:
        BadInput: there is no such platform, or no model.
        Conflict: a file is there with other content.
        Refused: a file is to be written through a symbolic link.
    """
    if platform not in PLATFORMS:
        raise BadInput(f"there are no CI jobs for {one_line(platform, 40)}", hint=f"--ci {' or '.join(PLATFORMS)}")
    if not models:
        raise BadInput("no model is declared that CI could work for", hint="declare one under artifacts: in dvc.yaml")
    words = _words(project, models, stages)
    wanted = {path: render(text, words) for path, text in _templates(platform)}
    including = _is_included(project.root) if platform == "gitlab" else None
    if including is not None:
        del wanted[_INCLUDING]
    return CiPlan(
        files={path: data for path, data in wanted.items() if _is_missing(project.root, path, data)},
        settings=tuple(_settings(platform, words, by_hand=including is False)),
    )


# Read -------------------------------------------------------------------------------------------------------------


def _templates(platform: str) -> Iterator[tuple[str, str]]:
    """(path in the repository, text)."""
    folder = f"{_FOLDERS[platform]}/modelver"
    for name in (*_SCRIPTS, *_PEOPLES):
        yield f"{folder}/{name}", _text("shared", name)
    if platform == "github":
        for name in ("check", "release", "deploy", "guard"):
            yield f".github/workflows/modelver-{name}.yml", _text("github", f"modelver-{name}.yml")
    else:
        yield f"{folder}/git-access.sh", _text("gitlab", "git-access.sh")
        yield _INCLUDED, _text("gitlab", "modelver.yml")
        yield _INCLUDING, _text("gitlab", _INCLUDING)


def _text(*parts: str) -> str:
    return template_path("ci", *parts).read_text(encoding="utf-8")


def _words(project: Project, models: Sequence[str], stages: Sequence[str]) -> _Words:
    allowed = tuple(stages) or project.config.stages
    held = {stage for model in project.registry.models.values() for stage in model.stage_names}
    known = allowed or tuple(sorted({"prod", *held}))
    guarded = "prod" if "prod" in known else known[-1]
    return _Words(
        models=tuple(models),
        stages=tuple(check_stage(stage) for stage in known),
        guarded=guarded,
        branch=_default_branch(project.repository.git),
        extra=_extra(project, models),
    )


def _default_branch(git: GitProcess) -> str:
    """What the remote calls its default branch, as far as this clone knows; else the branch that is checked out."""
    for ref, before in (("refs/remotes/origin/HEAD", "refs/remotes/origin/"), ("HEAD", "refs/heads/")):
        found = git.complete("symbolic-ref", "--quiet", ref).stdout.decode("utf-8", "surrogateescape").strip()
        if found.startswith(before) and found.isprintable():
            return found.removeprefix(before)
    return "main"


def _extra(project: Project, models: Sequence[str]) -> str | None:
    """How `dvc` reaches the default remote of the first model's DVC repository."""
    folders = (folder for name in models for folder in parents(name.replace(":", "/")) if ":" in name)
    root = next((root for folder in folders if ((root := project.root / folder) / ".dvc").is_dir()), project.root)
    try:
        url = read_dvc_config(root / ".dvc", env=project.around.env).remote().url
    except EnvironmentProblem:
        return None
    return _EXTRAS.get(url.partition("://")[0].lower()) if "://" in url else None


def _is_included(root: Path) -> bool | None:
    """Whether the `.gitlab-ci.yml` of people has our jobs; None when it is ours to write, or as we write it."""
    path = root / _INCLUDING
    if not os.path.lexists(path):
        return None
    data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    return None if data == _text("gitlab", _INCLUDING).encode() else _INCLUDED.encode() in data


def _is_missing(root: Path, path: str, data: bytes) -> bool:
    """Whether `path` is to be written.  Raises `Conflict` when something else is there, `Refused` behind a link."""
    place = root / path
    for parent in place.relative_to(root).parents:
        if (root / parent).is_symlink():
            raise Refused(f"{parent} is a symbolic link: {path} would be written elsewhere", hint="replace it")
    if not os.path.lexists(place):
        return True
    if place.name in _PEOPLES and place.is_file():
        return False
    if place.is_symlink() or not place.is_file() or place.read_bytes() != data:
        raise Conflict(f"{path} is there with other content", hint=f"git mv {path} elsewhere, and merge by hand")
    return False


# Decide -----------------------------------------------------------------------------------------------------------


def render(text: str, words: _Words) -> bytes:
    """A template with the repository's words.  They are JSON strings there, which YAML reads as they are."""
    lines = [line for line in text.split("\n") if not (mark := _for_cloud.search(line)) or mark[1] == words.extra]
    text = "\n".join(_for_cloud.sub("", line) for line in lines)
    text = _each_stage.sub(lambda found: "".join(_of_stage(found[1], stage) for stage in words.stages), text)
    packages = " ".join(("dvc-modelver", *([f"dvc[{words.extra}]"] if words.extra else [])))
    inside = {
        "[__MODELS__]": json.dumps(list(words.models)),
        "__MODEL_WORDS__": json.dumps(" ".join(words.models)),
        "__STAGE__": json.dumps(words.guarded),
        "__BRANCH__": json.dumps(words.branch),
        "'__PACKAGES__'": f"'{packages}'",
        "__PACKAGES__": json.dumps(packages),
    }
    for place, word in inside.items():
        text = text.replace(place, word)
    return text.encode()


def _of_stage(text: str, stage: str) -> str:
    return text.replace("__EACH_STAGE__", stage)


def _settings(platform: str, words: _Words, *, by_hand: bool) -> Iterator[str]:
    folder = f"{_FOLDERS[platform]}/modelver"
    if by_hand:
        yield f"{_INCLUDING} stays as it is: add  include: [{{local: {_INCLUDED}}}]"
    yield f"write into {folder}/deploy.sh how a model is deployed, into {folder}/live-metrics.sh how it is measured"
    if words.extra is None:
        yield "the DVC remote cannot be reached by a runner: dvc remote add -d NAME URL, then the secrets for it"
    else:
        yield _CLOUDS.get(words.extra, "secret DVC_CONFIG_LOCAL_BASE64: base64 -w0 .dvc/config.local") + (
            f" (reach the DVC remote, {words.extra or 'http'})"
        )
    if platform == "github":
        yield f"environments with required reviewers: {', '.join(words.stages)}"
        yield f"the release job pushes tags, and the cards' commit to {words.branch}: let GitHub Actions by its rules"
    else:
        yield "variable MODEL_PUSH_TOKEN (masked, protected): a project access token with write_repository"
        yield "variable MODEL_COMMENT_TOKEN (masked): a project access token with api, of the role Reporter"
        yield f"protected environments with approvals: {', '.join(words.stages)}; protected tags: *#*, *@*"
        yield "a pipeline schedule with the variable MODEL_GUARD=1"
