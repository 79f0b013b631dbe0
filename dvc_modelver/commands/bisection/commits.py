"""What the commits between two versions say of a metric, and where that history turned bad."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.metricline import MetricLine
from dvc_modelver.commands.project import Project
from dvc_modelver.core.bisection import Judge, Node, State, Turn, turns
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Part, Scalar, Values
from dvc_modelver.core.metrics import same
from dvc_modelver.core.origins import Logged
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.log import read_log
from dvc_modelver.gitio.objects import CommitTree

RECIPE = {"dvc": "data", "code": "code", "params": "params", "definition": "pipeline"}
"""Kind of a part of a slice that goes into a training -> what to call it."""
MODEL = "model"
"""Kind of a model that no pipeline stage writes: metrics belong to its bytes."""
_RECORD = ("lock", "output")
"""Kinds of what a training leaves."""


def value_in(metrics: Values, file: str, key: str) -> tuple[str | None, Scalar]:
    """(file, value) of a metric; of a file that is not there, the only other one that has the key."""
    if key in metrics.get(file, {}):
        return file, metrics[file][key]
    others = [other for other, values in metrics.items() if key in values] if file not in metrics else []
    return (others[0], metrics[others[0]][key]) if len(others) == 1 else (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one commit's files say of the metric and of all that goes into it."""

    value: Scalar = None
    recipe: frozenset[Part] = frozenset()
    """What goes into a training: definitions, code, data, params."""
    record: frozenset[Part] = frozenset()
    """What the last training left: entries of `dvc.lock`, the metrics."""
    watched: frozenset[str] = frozenset()
    """Files and directories besides DVC's own; while none of these changes, nothing here does."""
    vague: bool = False
    """Whether the pipeline stage never ran: then nobody can say which files go into it."""
    problem: str | None = None

    def is_like(self, other: Reading) -> bool:
        """Whether both are of the same state of all that matters."""
        return not self.vague and (self.recipe, self.record) == (other.recipe, other.record)

    def is_touched(self, changes: Sequence[tuple[str, str | None]]) -> bool:
        """Whether a commit with these changes may say something else."""
        if self.vague:
            return bool(changes)
        return any(_is_dvc(path) or not self.watched.isdisjoint((path, *paths.parents(path))) for path, _ in changes)


def _is_dvc(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in ("dvc.yaml", "dvc.lock", "artifacts.yaml", "params.yaml") or name.endswith(".dvc")


class Reader:
    """Reads commits; one that changed nothing that matters is as its first parent."""

    def __init__(self, project: Project, line: MetricLine, at_hand: Bytes, example: str) -> None:
        self._project, self._line, self._at_hand = project, line, at_hand
        self._known: dict[str, Reading] = {}
        self._example = declared_one(project.tree(example), line.name)

    def declared(self, tree: CommitTree) -> Declared | None:
        """The model as this commit declares it, else as the good version's does."""
        return declared_one(tree, self._line.name) or self._example

    def read(self, logged: Logged) -> Reading:
        """As `of`, when the first parent has been read."""
        first = self.of(logged.parents[0]) if logged.parents else None
        if first is None or first.is_touched(logged.changes):
            return self.of(logged.commit)
        self._known[logged.commit] = first
        return first

    def of(self, commit: str) -> Reading:
        """What the commit's files say; what is wrong with them stands in `problem`."""
        if commit not in self._known:
            try:
                self._known[commit] = self._read(self._project.tree(commit))
            except ModelverError as error:
                self._known[commit] = Reading(problem=error.message)
        return self._known[commit]

    def _read(self, tree: CommitTree) -> Reading:
        declared = self.declared(tree)
        if declared is None:
            return Reading(problem=f"no model {self._line.name} is declared")
        measured = dvc_facts.metrics(tree, declared, blob=self._at_hand.blob, listing=self._at_hand.listing)
        found, value = value_in(measured.values, self._line.file, self._line.key)
        file = found or self._line.file
        parts, files = _slice(tree, declared, file)
        params = (part.path.rpartition(":")[0] for part in parts if part.kind == "params")
        return Reading(
            value=value,
            recipe=frozenset(part for part in parts if part.kind in RECIPE or part.kind == MODEL),
            record=frozenset(part for part in parts if part.kind in _RECORD),
            watched=frozenset((*files, *params, *measured.values, file)),
            vague=any(part.kind == "definition" for part in parts) and not any(part.kind == "lock" for part in parts),
            problem=next((problem.problem for problem in measured.problems if problem.file == file), None),
        )


def _slice(tree: CommitTree, declared: Declared, file: str) -> tuple[list[Part], tuple[str, ...]]:
    """All that makes the metrics at `file`, and the files that hold it; where no pipeline stage does, the model."""
    located = Commit(tree).find(file, declared.file)
    if located is not None and located.stage is not None:
        inner = posixpath.relpath(file, paths.directory(located.file) or ".")
        made = dvc_facts.slice_of(tree, Declared(name=declared.name, file=located.file, path=inner))
        return list(made.parts), made.files
    made = dvc_facts.slice_of(tree, declared)
    path, _ = paths.resolve(paths.directory(declared.file), declared.path or "")
    parts = [replace(part, kind=MODEL) if part.path in (path, f"{path}.dvc") else part for part in made.parts]
    entry = tree.entry(file)
    own = [Part(kind="output", path=file, digest=entry.oid)] if entry is not None else []
    return [*(part for part in parts if part.path != file), *own], made.files


# A history ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The value of one commit, and where it is from."""

    value: Scalar = None
    state: State = State.UNKNOWN
    source: str | None = None
    """The commit that has the record; None when there is none."""


class History:
    """The commits of the bad version's history that are not in the good one's, and the parents of those.

    What was built is added to `built`; every answer is for what is known then.
    """

    def __init__(self, project: Project, reader: Reader, judge: Judge, good: Known, bad: Known) -> None:
        """Raises `GitFailed` when the history cannot be read.

        Args:
            good: the good version's commit, as its `source`, and its value.
            bad: the same of the bad version.
        """
        self._reader, self._judge = reader, judge
        self._good, self._bad = good.source or "", bad.source or ""
        self._ends = {self._good: good, self._bad: bad}
        self.log = tuple(read_log(project.repository.git, f"{self._good}..{self._bad}"))
        """Parents first."""
        self.ids = frozenset(logged.commit for logged in self.log)
        self.readings = dict(self._read_all(project))
        self.built: dict[str, Scalar] = {}

    def _read_all(self, project: Project) -> Iterator[tuple[str, Reading]]:
        for at, logged in enumerate(self.log, 1):
            for parent in logged.parents:
                if parent not in self.ids:
                    yield parent, self._reader.of(parent)
            yield logged.commit, self._reader.read(logged)
            project.around.progress(at, len(self.log), logged.commit[:12])

    def known(self) -> Mapping[str, Known]:
        """Of every commit: its own record, else what was built, else either of another one with the same recipe."""
        own = {commit: self._judged(self.readings[commit].value, commit) for commit in self._fresh()}
        known = {commit: found for commit, found in own.items() if found.state is not State.UNKNOWN}
        known |= {commit: replace(self._judged(value, commit), source=None) for commit, value in self.built.items()}
        by_recipe: dict[frozenset[Part], list[Known]] = {}
        for commit, found in known.items():
            if not self.readings[commit].vague:
                by_recipe.setdefault(self.readings[commit].recipe, []).append(found)
        for commit, reading in self.readings.items():
            if commit not in known:
                known[commit] = _agreed(by_recipe.get(reading.recipe, ()) if reading.recipe else ())
        return known | self._ends

    def _fresh(self) -> Iterator[str]:
        """The commits whose record is of what they hold: it came with them, or with the same recipe before."""
        recorded: dict[frozenset[Part], set[frozenset[Part]]] = {}
        for commit, reading in self.readings.items():
            if commit not in self.ids or reading.record not in recorded:
                recorded.setdefault(reading.record, set()).add(reading.recipe)
            if reading.recipe in recorded[reading.record]:
                yield commit

    def _judged(self, value: Scalar, commit: str) -> Known:
        return Known(value=value, state=self._judge.state(value), source=commit)

    def turns(self, known: Mapping[str, Known]) -> tuple[Turn, ...]:
        """Where it turned bad for good; none where it was so before the first of these commits."""
        older = {commit: found.state for commit, found in known.items() if commit not in self.ids}
        return turns([self._node(logged, known) for logged in self.log], self._bad, older)

    def _node(self, logged: Logged, known: Mapping[str, Known]) -> Node:
        own, reading = known[logged.commit], self.readings[logged.commit]
        merged = logged.parents if len(logged.parents) > 1 and own.state is not State.UNKNOWN else ()
        return Node(
            commit=logged.commit,
            parents=logged.parents,
            state=own.state,
            same=any(reading.is_like(self.readings[parent]) for parent in logged.parents),
            takes=frozenset(p for p in merged if known[p].value is not None and same(known[p].value, own.value)),
        )

    def unmeasured(self, known: Mapping[str, Known]) -> Iterator[str]:
        """The commits that changed something that matters, and of which nothing is known."""
        for logged in self.log:
            reading = self.readings[logged.commit]
            waiting = (self.readings[p] for p in logged.parents if known[p].state is State.UNKNOWN)
            if known[logged.commit].state is State.UNKNOWN and not any(map(reading.is_like, waiting)):
                yield logged.commit


def _agreed(found: Sequence[Known]) -> Known:
    """What is known of a recipe, unless it once went well and once did not."""
    return found[0] if len({one.state for one in found}) == 1 else Known()
