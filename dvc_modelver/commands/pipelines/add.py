"""`pipeline add`: write a pipeline stage that runs one of our checks into the `dvc.yaml` of this directory.

What a stage depends on are files, never a commit or a tag, so that DVC can tell when it has to run again.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePosixPath

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.gating.measure import measure_files
from dvc_modelver.commands.gating.policy import read_policy
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import exclusive, refuse_inside_dvc
from dvc_modelver.dvcio.dvcyaml import ProjectFile, parse_dvc_yaml
from dvc_modelver.dvcio.pipelines import NAME, add_stage, find_stage, is_plain_command, render_stage, wrap_stage
from dvc_modelver.dvcio.profiled import PROFILE_SUFFIX
from dvc_modelver.dvcio.profiles import table_format
from dvc_modelver.dvcio.settings import CONFIG_FILE, PYPROJECT
from dvc_modelver.errors import BadInput, Conflict, EnvironmentProblem, NotFound, Refused
from dvc_modelver.gitio.commits import write_file

DVC_YAML = "dvc.yaml"
ENVIRONMENT = "environment.json"


class Kind(str, Enum):
    """What a pipeline stage can do for us."""

    GATE = "gate"
    CARD_DATA = "card-data"
    VALIDATE = "validate"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """What the user asked for; paths are as seen from the directory that the command works in."""

    kind: Kind
    subject: str | None
    """A model (gate), a table (card-data, validate), a pipeline stage (environment)."""
    name: str | None = None
    """Of the new pipeline stage."""
    policy: str | None = None
    profile: str | None = None
    train: str | None = None
    out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """What is written, and why."""

    file: str
    """The `dvc.yaml`, from the repository's root."""
    stage: str
    text: str
    """As it stands in the file."""
    changed: bool
    created: bool = False
    """Whether the file comes with it."""
    next: tuple[str, ...] = ()
    """Commands that are still to be run."""
    notes: tuple[str, ...] = ()


def plan_stage(project: Project, request: AddRequest) -> StagePlan:
    """What `write_stage` would do.

    Raises:
        BadInput: the table, name or `dvc.yaml` is none that a stage can be made of.
        NotFound: no such model or pipeline stage.
        Conflict: another stage has that name, or writes that file.
        EnvironmentProblem: not a DVC repository.
        Refused: inside a running pipeline stage, or `dvc.yaml` is a link.
    """
    return _plan(project, request)[0]


def write_stage(project: Project, request: AddRequest) -> StagePlan:
    """Write the stage; raises as `plan_stage` does.  The same again changes nothing."""
    if not _plan(project, request)[0].changed:
        return _plan(project, request)[0]
    with exclusive(project, False):
        # Read again: a person may have thought for minutes, and edited the file meanwhile.
        plan, data = _plan(project, request)
        if plan.changed:
            write_file(project.root / plan.file, data)
    return plan


def _plan(project: Project, request: AddRequest) -> tuple[StagePlan, bytes]:
    refuse_inside_dvc(project)
    here = project.around.directory.resolve()
    place = here / DVC_YAML
    _refuse_no_dvc(project, here)
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise Refused(f"{DVC_YAML} is not a regular file", hint="replace it by the file itself")
    data = place.read_bytes() if place.exists() else b""
    file = place.relative_to(project.root.resolve()).as_posix()
    if request.kind is Kind.ENVIRONMENT:
        return _wrap(request, data, file)
    made = _MAKERS[request.kind](project, request, parse_dvc_yaml(data, file))
    stage = request.name or made.stage
    _check_words(stage, made.body)
    plan = StagePlan(
        file=file,
        stage=stage,
        text=render_stage(stage, made.body),
        changed=True,
        created=not place.exists(),
        next=made.next,
    )
    old = find_stage(data, stage, name=file)
    if old == made.body:
        return replace(plan, changed=False), data
    if old is not None:
        raise Conflict(f"{file} has another pipeline stage {stage}", hint="--as NAME gives this one another name")
    _refuse_taken(parse_dvc_yaml(data, file), made.out)
    return plan, add_stage(data, stage, made.body, name=file)


def _refuse_no_dvc(project: Project, here: Path) -> None:
    root = project.root.resolve()
    above = [place for place in (here, *here.parents) if place == root or place.is_relative_to(root)]
    if not any((place / ".dvc").is_dir() for place in above):
        raise EnvironmentProblem("this is not a DVC repository", hint="dvc init")


def _check_words(stage: str, body: Mapping[str, object]) -> None:
    if not NAME.match(stage):
        raise BadInput(f"{stage} is no name for a pipeline stage", hint="letters, digits, '-' and '_'")
    if "${" in repr(body):
        raise BadInput("DVC would take '${' for a template", hint="rename the file")


def _refuse_taken(file: ProjectFile, out: str) -> None:
    for stage in file.stages.values():
        if any(one.path == out for one in stage.outs):
            raise Conflict(
                f"the pipeline stage {stage.name} writes {out} already", hint="--out FILE names another file"
            )


# What each kind is ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    stage: str
    body: Mapping[str, object]
    out: str
    next: tuple[str, ...] = ()


def _gate(project: Project, request: AddRequest, file: ProjectFile) -> _Made:
    model = _subject(request, "a model")
    with Bytes(project) as at_hand:
        measured = measure_files(project, model, at_hand)
        known = sorted(measured.metrics)
        if read_policy(project, request.policy).significance is not None:
            known += sorted(measured.predictions())
    short = model.rpartition(":")[2]
    reference, out = f"gate/{short}.json", request.out or f"gate/{short}-result.json"
    metrics = [path for path in (_here(project, path) for path in known) if path != out] or _defined(file, out)
    if not metrics:
        raise BadInput(f"{model} has no metrics file", hint="name one under metrics: of the stage that measures it")
    policy = [request.policy] if request.policy is not None else _config(project)
    words = ["modelver", "gate", model, *_option("--policy", request.policy), "--reference", reference, "--out", out]
    return _Made(
        stage=f"gate-{_stem(short)}",
        body={"cmd": shlex.join(words), "deps": [*metrics, *policy, reference], "outs": [{out: {"cache": False}}]},
        out=out,
        next=_unless(
            project, reference, ["modelver", "gate", model, *_option("--policy", request.policy)], "--update-reference"
        ),
    )


def _unless(project: Project, file: str, words: list[str], option: str) -> tuple[str, ...]:
    """How to make a file that the stage needs, when it is not there."""
    if (project.around.directory / file).exists():
        return ()
    named = ["--reference", file] if option == "--update-reference" else [file]
    return (shlex.join([*words, option, *named]), f"git add {shlex.quote(file)}")


def _defined(file: ProjectFile, out: str) -> list[str]:
    """The metrics of a pipeline that has not run yet."""
    outs = (one for stage in file.stages.values() if not stage.group and not stage.wdir for one in stage.outs)
    return sorted({one.path for one in outs if one.kind == "metrics" and one.path != out and "${" not in one.path})


def _config(project: Project) -> list[str]:
    """The configuration, where it says what is good enough."""
    if project.config.gate is None and not project.config.metrics:
        return []
    found = (name for name in (CONFIG_FILE, PYPROJECT) if (project.root / name).is_file())
    return [_here(project, name) for name in list(found)[:1]]


def _validate(project: Project, request: AddRequest, file: ProjectFile) -> _Made:
    table = _table(request)
    stem = _stem(PurePosixPath(table).name)
    profile = request.profile or f"validate/{stem}.profile.json"
    out = request.out or f"validate/{stem}.json"
    options = [*_option("--policy", request.policy), *_option("--train", request.train)]
    deps = [table, profile, *(path for path in (request.policy, request.train) if path is not None)]
    words = ["modelver", "validate", _word(table), "--profile", profile, *options, "--out", out]
    return _Made(
        stage=f"validate-{stem}",
        body={"cmd": shlex.join(words), "deps": deps, "outs": [{out: {"cache": False}}]},
        out=out,
        next=_unless(project, profile, ["modelver", "validate", _word(table)], "--write-profile"),
    )


def _card_data(project: Project, request: AddRequest, file: ProjectFile) -> _Made:
    table = _table(request)
    out = request.out or f"{table}{PROFILE_SUFFIX}"
    words = ["modelver", "validate", _word(table), "--write-profile", out]
    body = {"cmd": shlex.join(words), "deps": [table], "outs": [{out: {"cache": False}}]}
    return _Made(stage=f"card-data-{_stem(PurePosixPath(table).name)}", body=body, out=out)


_MAKERS: Mapping[Kind, Callable[[Project, AddRequest, ProjectFile], _Made]] = {
    Kind.GATE: _gate,
    Kind.VALIDATE: _validate,
    Kind.CARD_DATA: _card_data,
}


def _wrap(request: AddRequest, data: bytes, file: str) -> tuple[StagePlan, bytes]:
    """The training's own command, recorded: only the training knows with what it ran."""
    stage = _subject(request, "the pipeline stage that trains")
    found = find_stage(data, stage, name=file)
    if not isinstance(found, dict):
        raise NotFound(f"{file} has no pipeline stage {stage}", hint="dvc stage list")
    out = request.out or ENVIRONMENT
    before = shlex.join(["modelver", "run", *(["--environment", out] if out != ENVIRONMENT else []), "--"]) + " "
    project = parse_dvc_yaml(data, file)
    if project.stages[stage].group:
        raise BadInput(
            f"{stage} is a group of pipeline stages, of which each would write {out}",
            hint="write 'modelver run --environment FILE --' before its command and FILE under its outs, one for each",
        )
    cmd = found.get("cmd")
    if isinstance(cmd, str) and cmd.startswith("modelver run "):
        return StagePlan(file=file, stage=stage, text=f"    cmd: {cmd}\n", changed=False), data
    if not is_plain_command(cmd):
        raise BadInput(
            f"the command of {stage} is more than one program with its words",
            hint=f"write '{before.strip()}' before the one that trains, and {out} under its outs",
        )
    outs = project.stages[stage].outs
    _refuse_taken(project, out)
    # An output outside of DVC's cache would keep DVC from remembering the runs of a stage whose others are in it.
    kept = not outs or any(one.cached for one in outs)
    item: object = out if kept else {out: {"cache": False}}
    changed = wrap_stage(data, stage, before, item, name=file)
    text = render_stage(stage, {"cmd": f"{before}{cmd}", "outs": [item]})
    notes = (
        f"{stage} runs once more: its command is another",
        "runtime.json changes with each run: git ignores it best",
    )
    return StagePlan(file=file, stage=stage, text=text, changed=True, notes=notes), changed


def _subject(request: AddRequest, what: str) -> str:
    if request.subject is None:
        raise BadInput(
            f"pipeline add {request.kind.value} needs the name of {what}", hint="modelver pipeline add --help"
        )
    return request.subject


def _table(request: AddRequest) -> str:
    table = PurePosixPath(os.path.normpath(_subject(request, "a table"))).as_posix()
    kind = table_format(table)
    if kind is None or (kind.startswith("json") and not kind.startswith("jsonl")):
        raise BadInput(f"{table} is no table by its name", hint="one of .csv, .tsv, .jsonl (also .gz) and .parquet")
    return table


def _word(path: str) -> str:
    """As a command takes it for a path, and for no option."""
    return f"./{path}" if path.startswith("-") else path


def _here(project: Project, path: str) -> str:
    """A path from the repository's root as seen from this directory."""
    return Path(os.path.relpath(project.root.resolve() / path, project.around.directory.resolve())).as_posix()


def _option(name: str, value: str | None) -> list[str]:
    return [name, value] if value is not None else []


def _stem(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name.split(".")[0]).strip("-") or "data"
