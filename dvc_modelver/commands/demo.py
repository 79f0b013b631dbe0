"""`demo`: a model's whole life in a real project, each step a command that anyone could type.

The steps are data, lines for the shell; what they print is what git, dvc, python and modelver print.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput, EnvironmentProblem, Refused
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.process import find_program, scrubbed
from dvc_modelver.resources import template_path

PROJECT = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command line."""

    line: str
    note: str = ""
    """Why, for the first step of a few; shown above the line."""
    only_if: str = ""
    """A question to the shell; the step is left out, unseen, unless its exit status is 0."""


class Shown(Enum):
    """What kind of line the transcript gets."""

    NOTE = "note"
    COMMAND = "command"
    OUTPUT = "output"


Show = Callable[[Shown, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step after it ran."""

    line: str
    seconds: float
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstrated:
    """The whole demonstration."""

    directory: Path
    project: Path
    steps: tuple[Done, ...]
    seconds: float
    setup: tuple[str, ...]
    """What to type before `next` in the user's own shell."""
    next: tuple[str, ...]


NEXT = (
    "modelver show digits@v0.2.0",
    "modelver card show digits",
    "modelver get digits@v0.1.0 -o fetched/first.joblib",
    "modelver compare digits@v0.1.0 digits@v0.2.0 --html comparison.html",
    "modelver lineage digits#prod",
    "modelver promote digits@v0.1.0 prod",
    "modelver rollback digits --dry-run",
    "modelver history digits",
    "gto show",
)


def story(template: Path) -> tuple[Step, ...]:
    """The steps, in a new directory; `template` holds the project's files."""
    return (
        Step(line="git init -q -b main project", note="A project in Git, its data in DVC, and a remote for each."),
        Step(line="cd project"),
        *_settings(),
        Step(line="dvc init -q"),
        Step(line="git init -q --bare -b main ../git-remote.git && git remote add origin ../git-remote.git"),
        Step(line="dvc remote add -q -d storage ../dvc-remote"),
        Step(
            line=f"cp -R {shlex.quote(f'{template}/.')} .",
            note="A pipeline of prepare, train and evaluate; its dvc.yaml declares the model.",
        ),
        Step(line="tail -n 6 dvc.yaml"),
        Step(line="dvc repro"),
        Step(line="git add . && git commit -q -m 'Read digits with three trees'"),
        Step(line="git push -q -u origin main"),
        Step(line="modelver release digits", note="The first version: a tag that names this commit and these bytes."),
        Step(line="modelver push"),
        Step(line="modelver promote digits@v0.1.0 prod --push", note="Stages say which version runs where."),
        Step(
            line="sed -i.old 's/trees: 3/trees: 60/' params.yaml && rm params.yaml.old",
            note="A larger forest is the next version, published with its bytes; what changed gives its number.",
        ),
        Step(line="dvc repro -q"),
        Step(line="git commit -q -a -m 'Read digits with sixty trees' && git push -q origin main"),
        Step(line="modelver release digits -m 'A larger forest' --push"),
        Step(line="modelver promote digits@v0.2.0 staging --push"),
        Step(
            line="modelver card show digits@v0.2.0 | sed -n '/^Compared/,/^<details>/{/^<details>/!p;}'",
            note="Each version has a card, in the commit that its tag names: people's words, and what the files say.",
        ),
        Step(line="modelver list"),
        Step(
            line="modelver compare digits@v0.1.0 digits@v0.2.0 --only-changed | grep -v by_digit",
            note="Is the new one better, and is that more than chance? Both tracked what they predicted.",
        ),
        Step(line="modelver promote digits#staging prod -m 'Better by every metric' --push"),
        Step(line="modelver history"),
        Step(
            line="modelver get digits#prod -o fetched/digits.joblib",
            note="Anyone with a clone gets what prod runs, verified, and uses it.",
        ),
        Step(line="python src/predict.py fetched/digits.joblib"),
    )


def _settings() -> tuple[Step, ...]:
    """What the user's own Git may need for commits that ask nobody; kept in the project alone."""
    return (
        Step(line="git config user.name 'Demo User'", only_if="! git config user.name | grep -q ."),
        Step(line="git config user.email demo@example.com", only_if="! git config user.email | grep -q ."),
        *(
            Step(line=f"git config {key} false", only_if=f'test "$(git config --type=bool {key})" = true')
            for key in ("commit.gpgSign", "tag.gpgSign", "tag.forceSignAnnotated")
        ),
        Step(line="git config push.gpgSign false", only_if="git config push.gpgSign"),
        # Hooks for all of a user's repositories may refuse what this one commits.
        Step(line="git config core.hooksPath .git/hooks", only_if="git config core.hooksPath"),
    )


def demo(around: Surroundings, directory: Path, *, python: str, show: Show) -> Demonstrated:
    """Make the project in `directory` and walk through it.

    Args:
        python: the interpreter that runs the steps; it must have modelver, DVC and scikit-learn.
        show: gets each line of the transcript as soon as there is one.

    Raises:
        Refused: `directory` holds something already.
        BadInput: `directory` is a file.
        EnvironmentProblem: there is no git, or a step failed; the directory stays as it then is.
    """
    if find_program("git", around.env) is None:
        raise EnvironmentProblem("there is no git on PATH", hint="install Git 2.34 or later")
    template = template_path("demo")
    _prepare(directory)
    started = time.monotonic()
    with scratch("demo") as tools:
        _write_tools(tools, python)
        env = child_env(around.env, tools, python)
        try:
            steps = _play(story(template), directory, env, show)
        except KeyboardInterrupt:
            around.say(f"note: interrupted; what there is so far stays in {directory}")
            raise
    return Demonstrated(
        directory=directory,
        project=directory / PROJECT,
        steps=steps,
        seconds=time.monotonic() - started,
        setup=(f"cd {shlex.quote(str(directory / PROJECT))}", *_path_setup(around.env, python)),
        next=NEXT,
    )


def _prepare(directory: Path) -> None:
    if os.path.lexists(directory):
        if not directory.is_dir():
            raise BadInput(f"{directory} is not a directory", hint="modelver demo DIR makes the project in DIR")
        if any(directory.iterdir()):
            raise Refused(f"{directory} is not empty", hint="modelver demo DIR makes the project in another directory")
    directory.mkdir(parents=True, exist_ok=True)


def child_env(env: Mapping[str, str], tools: Path, python: str) -> dict[str, str]:
    """The environment of the steps: `tools` first on PATH, no network, no questions, no settings meant for others."""
    own = ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR")
    foreign = ("DVC_", "MODELVER_")
    kept = {key: value for key, value in scrubbed(env).items() if key in own or not key.startswith(foreign)}
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        kept.pop(name, None)
    path = [str(tools), os.path.dirname(python), env.get("PATH") or os.defpath]
    return kept | {
        "PATH": os.pathsep.join(path),
        "DVC_NO_ANALYTICS": "1",
        # DVC looks for updates of itself unless it is told that nobody is there to read about them.
        "CI": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _write_tools(folder: Path, python: str) -> None:
    """`python`, `dvc` and `modelver` that are this interpreter's own, whatever is activated or installed elsewhere."""
    for name, words in (("python", ""), ("dvc", "-m dvc "), ("modelver", "-m dvc_modelver ")):
        tool = folder / name
        tool.write_text(f'#!/bin/sh\nexec {shlex.quote(python)} {words}"$@"\n')
        tool.chmod(0o755)


def _path_setup(env: Mapping[str, str], python: str) -> tuple[str, ...]:
    """What makes the user's own shell find `modelver`; nothing when it does."""
    ours, found = Path(python).parent / "modelver", find_program("modelver", env)
    if not ours.exists() or (found is not None and ours.samefile(found)):
        return ()
    return (f'export PATH={shlex.quote(str(ours.parent))}:"$PATH"',)


def _play(steps: tuple[Step, ...], directory: Path, env: Mapping[str, str], show: Show) -> tuple[Done, ...]:
    done: list[Done] = []
    where = directory
    for step in steps:
        if step.only_if and _run(step.only_if, where, env, lambda line: None)[0] != 0:
            continue
        if step.note:
            show(Shown.NOTE, step.note)
        show(Shown.COMMAND, step.line)
        started = time.monotonic()
        code, output = _run(step.line, where, env, lambda line: show(Shown.OUTPUT, line))
        if code != 0:
            last = one_line(output.strip().rpartition("\n")[2], 200)
            raise EnvironmentProblem(
                f"{one_line(step.line)} ended with {code}{f': {last}' if last else ''}",
                hint=f"what was made so far stays in {directory}",
            )
        if step.line.startswith("cd "):
            where = where / shlex.split(step.line)[1]
        done.append(Done(line=step.line, seconds=time.monotonic() - started, output=output))
    return tuple(done)


def _run(line: str, where: Path, env: Mapping[str, str], show: Callable[[str], None]) -> tuple[int, str]:
    """Exit status and output of a line for the shell; the output's lines are shown as they come."""
    output: list[str] = []
    # In a session of its own: without a terminal no program can ask, and an interrupt ends all that it started.
    with subprocess.Popen(
        ["/bin/sh", "-c", line],
        cwd=where,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for text in process.stdout or ():
                output.append(text)
                show(text.rstrip("\n"))
            return process.wait(), "".join(output)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
