"""How a commit says that a model was made: pipeline stages, data, code, params.  Types; filled by `dvcio.recipe`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from dvc_modelver.core.facts import Output, Values


class Kind(str, Enum):
    """What a dependency of a pipeline stage is."""

    DATA = "data"
    """Tracked by a `.dvc` file, or outside the repository."""
    STAGE = "stage"
    """Written by a pipeline stage."""
    CODE = "code"
    """A file or folder in Git."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where imported data came from (`dvc import`, `dvc import-url`)."""

    path: str
    """In the other repository, or the URL itself."""
    url: str | None = None
    """Of the other repository; may hold user-info: redact it before showing."""
    rev: str | None = None
    rev_lock: str | None = None
    """The commit that the bytes are from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file or folder that a pipeline stage read when it last ran."""

    output: Output
    """Its path, digest and size as they were read."""
    kind: Kind
    by: str | None = None
    """The pipeline stage or `.dvc` file that names its bytes; None for code."""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of a table of data."""

    rows: int
    """Without the header."""
    columns: tuple[str, ...] | None = None
    """Their names; None when the file does not name them."""
    width: int | None = None
    """Number of columns, also where they have no names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One pipeline stage as it last ran."""

    name: str
    """As `dvc` takes it: `train`, or `path/to/dvc.yaml:train` where that is not the artifact's own file."""
    cmd: str | None
    """As it ran; several commands on a line each.  May hold secrets."""
    inputs: tuple[Input, ...]
    outs: tuple[Output, ...]
    params: Values = field(default_factory=dict)
    """FILE -> KEY -> the value that it ran with."""

    @property
    def judges(self) -> bool:
        """Whether it is a gate of ours."""
        from dvc_modelver.core.gatecommand import gate_calls

        return any(True for _ in gate_calls(self.cmd or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that a commit says of how an artifact was made and measured."""

    steps: tuple[Step, ...] = ()
    """The stages on the way to the artifact, each behind those whose outputs it reads; the last one wrote it.
    Empty when no pipeline stage wrote it."""
    evaluation: tuple[Step, ...] = ()
    """The stages that read the artifact, and what they lead to, in the same order."""
    origin: Origin | None = None
    """Of the artifact itself, when it was imported."""

    @property
    def measuring(self) -> tuple[Step, ...]:
        """The evaluation without gates: those judge whatever version is there, by the policy of today."""
        return tuple(step for step in self.evaluation if not step.judges)

    @property
    def data(self) -> tuple[Input, ...]:
        """What the artifact was trained on, by path: raw data of all steps, and what its own stage read."""
        return _unique(
            found
            for step in self.steps
            for found in step.inputs
            if found.kind is Kind.DATA or (found.kind is Kind.STAGE and step is self.steps[-1])
        )

    @property
    def code(self) -> tuple[Input, ...]:
        """The files in Git that the steps and the evaluation read, by path."""
        steps = (*self.steps, *self.evaluation)
        return _unique(found for step in steps for found in step.inputs if found.kind is Kind.CODE)

    @property
    def params(self) -> Mapping[str, Mapping[str, object]]:
        """FILE -> KEY -> the value that the steps and the evaluation ran with."""
        found: dict[str, dict[str, object]] = {}
        for step in (*self.steps, *self.evaluation):
            for file, values in step.params.items():
                found.setdefault(file, {}).update(values)
        return {file: found[file] for file in sorted(found)}


def _unique(inputs: Iterable[Input]) -> tuple[Input, ...]:
    found: dict[str, Input] = {}
    for item in inputs:
        found.setdefault(item.output.path, item)
    return tuple(found[path] for path in sorted(found))
