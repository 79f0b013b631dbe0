"""`bisect`: the version, and then the commit, where a metric went wrong, from what is recorded of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dvc_modelver.commands.bisection.causes import Cause, Side, causes
from dvc_modelver.commands.bisection.commits import History, Known, Reader, value_in
from dvc_modelver.commands.bisection.repro import Builder
from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.commitfacts import commit_facts
from dvc_modelver.commands.metricline import MetricLine, metric_line
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.workbench import refuse_inside_dvc
from dvc_modelver.core.bisection import Judge, State, Turn, drops, is_better
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import as_number, label
from dvc_modelver.core.references import Reference, parse_reference, resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.tagobjects import EPOCH, Identity
from dvc_modelver.core.text import one_line
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, EnvironmentProblem, ModelverError, NotFound
from dvc_modelver.gitio.log import history_ends, parse_author

Confirm = Callable[[int], None]
"""Asked before the repository's commands are run, with the number of commits that they may be run for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectRequest:
    """What to look for."""

    name: str
    metric: str
    good: str | None = None
    """None: the version with the best value before the bad one."""
    bad: str | None = None
    """None: the latest version."""
    threshold: float | None = None
    """What is worse than this is bad."""
    max_drop: float | None = None
    """What is worse than the good version by more than this is bad."""
    repro: bool = False
    """Whether commits without recorded metrics are built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionValue:
    """A version between the good one and the bad one."""

    version: Version
    commit: str
    value: Scalar
    state: State
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitValue:
    """A commit between two versions."""

    commit: str
    author: Identity
    at: datetime
    subject: str
    value: Scalar
    """Of the files as this commit has them; None where nobody measured them."""
    state: State
    recorded_in: str | None = None
    """The commit that recorded the value for the same params, code and data, where that is another one."""
    built: bool = False
    """Whether the value was measured just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected:
    """Where a metric went wrong."""

    name: str
    file: str
    key: str
    better: str
    limit: float | None
    """What is worse is bad; None: what is nearer to the bad version's value than to the good one's."""
    good: VersionValue
    bad: VersionValue
    versions: tuple[VersionValue, ...]
    """The lowest first."""
    step: tuple[VersionValue, VersionValue]
    """The last good version, and the first bad one behind it."""
    commits: tuple[CommitValue, ...]
    """In the history of the step's second version and not of its first; parents first."""
    culprit: str | None
    """The first bad commit, when it is one and no other."""
    range: tuple[str, str] | None
    """The first and the last of the commits that it may be, when it may be several."""
    suspects: tuple[str, ...]
    """All commits that it may be: those of the range that changed something, or the culprit alone."""
    before: str | None
    """The last commit that was still good."""
    attribution: tuple[Cause, ...]
    unmeasured: tuple[str, ...]
    """Commits that changed the recipe and have no recorded metrics."""
    notes: tuple[str, ...]


def bisect(project: Project, request: BisectRequest, confirm: Confirm = lambda count: None) -> Bisected:
    """The last step of a metric from good to bad: which versions, which commits, and what changed there.

    Raises:
        NotFound: no such model, version or metric, or a version that has no number for it.
        BadInput: the good version is not better than the bad one, or nobody knows which metric or direction is meant.
        Refused: `repro` inside a running pipeline stage, and what `confirm` raises.
        GitFailed: the history cannot be read.
    """
    _check(request)
    if request.repro:
        refuse_inside_dvc(project, "bisect --repro")
    reference = project.resolve(request.name)
    if reference.version is not None or reference.stage is not None or reference.latest:
        raise BadInput("bisect is over several versions", hint=f"name them: {reference.name} --good V --bad V")
    line = metric_line(project, reference, request.metric)
    with Bytes(project) as at_hand:
        versions = _Versions(project, line, request, at_hand)
        search = _Search(project, versions, at_hand)
        if request.repro:
            search.build(confirm)
        return search.result()


def _check(request: BisectRequest) -> None:
    if request.threshold is not None and request.max_drop is not None:
        raise BadInput("--threshold and --max-drop exclude each other", hint="choose one")
    for option, number in (("--threshold", request.threshold), ("--max-drop", request.max_drop)):
        if number is not None and not abs(number) < float("inf"):
            raise BadInput(f"{option} {number} is no finite number")
    if request.max_drop is not None and request.max_drop < 0:
        raise BadInput(f"--max-drop {request.max_drop} is below zero", hint="say how much worse is still good")


# Versions -------------------------------------------------------------------------------------------------------


class _Versions:
    """The good version, the bad one, those between them, and what tells good from bad."""

    def __init__(self, project: Project, line: MetricLine, request: BisectRequest, at_hand: Bytes) -> None:
        self.project, self.line, self.at_hand = project, line, at_hand
        self.notes = [*line.problems]
        self.model: Model = project.model_of(line.name)
        self._absent: list[str] = []
        self._rows = [
            VersionValue(version=m.version, commit=m.commit, value=v, state=State.UNKNOWN, withdrawn=m.withdrawn)
            for m, v in ((m, self._value(m.version, m.commit, m.value)) for m in line.versions)
        ]
        bad = self._row(self._named(request.bad) if request.bad else resolve_version(self.model, _latest(line.name)))
        good = self._row(self._named(request.good)) if request.good else self._best_before(bad)
        self.better = line.better or ("up" if self._number(good) > self._number(bad) else "down")
        first, last = self._rows.index(good), self._rows.index(bad)
        if first >= last:
            raise BadInput(
                f"the good version {good.version} is not before the bad one {bad.version}",
                hint="name a good version that is lower than the bad one",
            )
        self.judge = self._judge(good, bad, request)
        between = self._rows[first : last + 1]
        self.rows = tuple(replace(row, state=self.judge.state(row.value)) for row in between)
        if request.good is None:
            self.notes.append(f"taken as good: {good.version}, the best before {bad.version}")

    @property
    def key(self) -> str:
        return label(self.line.key, "" if self.line.key else self.line.file)

    def _value(self, version: Version, commit: str, value: Scalar) -> Scalar:
        """As its commit has it, also under an earlier name of the metrics file."""
        if value is not None:
            return value
        try:
            facts = commit_facts(self.project, self.line.name, commit, self.at_hand)
        except ModelverError:
            return None  # the line of versions has said so
        self.notes += [f"{version}: {problem.problem}" for problem in facts.problems if problem.file == self.line.file]
        return value_in(facts.metrics, self.line.file, self.line.key)[1]

    def _named(self, text: str) -> Version:
        name = self.line.name
        in_full = "@" in text or "#" in text
        reference = self.project.resolve(text) if in_full else parse_reference(f"{name}@{text}")
        if in_full and reference.name != name:
            raise BadInput(f"{text} is no version of {name}", hint=f"modelver show {name}")
        return resolve_version(self.model, reference)

    def _row(self, version: Version) -> VersionValue:
        return next(row for row in self._rows if row.version == version)

    def _best_before(self, bad: VersionValue) -> VersionValue:
        if self.line.better is None:
            raise BadInput(
                f"whether more or less {self.key} is better is not known",
                hint="name the good version with --good V, or configure the metric: metrics: {NAME: up}",
            )
        best: VersionValue | None = None
        for row in self._rows[: self._rows.index(bad)]:
            number = as_number(row.value)
            if number is None or number != number or row.withdrawn:
                continue
            if best is None or not is_better(self._number(best), number, self.line.better):
                best = row
        if best is None:
            raise NotFound(
                f"no version before {bad.version} has {self.key}", hint=f"modelver show {self.line.name} --metric KEY"
            )
        return best

    def _number(self, row: VersionValue) -> float:
        number = as_number(row.value)
        if number is None:
            said = f"no {self.key} at hand" if row.value is None else f"a {self.key} that is no number"
            raise NotFound(f"{self.line.name}@{row.version} has {said}", hint="name another version")
        return number

    def _judge(self, good: VersionValue, bad: VersionValue, request: BisectRequest) -> Judge:
        best, worst = self._number(good), self._number(bad)
        values = f"{self.key} is {good.value} at {good.version} and {bad.value} at {bad.version}"
        if not is_better(best, worst, self.better):
            raise BadInput(f"{values}: the first is not better", hint="name others with --good V and --bad V")
        limit = request.threshold
        if request.max_drop is not None:
            limit = best - request.max_drop if self.better == "up" else best + request.max_drop
        judge = Judge(better=self.better, good=best, bad=worst, limit=limit)
        if (judge.state(best), judge.state(worst)) != (State.GOOD, State.BAD):
            option = "--threshold" if request.threshold is not None else "--max-drop"
            raise BadInput(f"{values}: {option} does not part them", hint=f"choose another {option}")
        return judge

    def step(self) -> tuple[VersionValue, VersionValue]:
        """The last good version and the first bad one behind it; what is around them is noted."""
        found = drops([row.state for row in self.rows])
        *earlier, last = found
        recovered = [self.rows[drop.bad] for drop in earlier]
        if len(recovered) <= 3:
            self.notes += [
                f"{row.version} was bad too ({row.value}), and a later version recovered" for row in recovered
            ]
        else:
            names = _listed([str(row.version) for row in recovered])
            self.notes.append(f"{len(recovered)} versions before were bad too, and later ones recovered: {names}")
        between = [str(row.version) for row in self.rows[last.good + 1 : last.bad]]
        if between:
            self.notes.append(f"not known between them, as {self.key} is not at hand: {_listed(between)}")
        unknown = [str(row.version) for row in self.rows if row.state is State.UNKNOWN]
        unknown = [version for version in unknown if version not in between]
        if unknown:
            self.notes.append(f"without {self.key} at hand: {_listed(unknown)}")
        return self.rows[last.good], self.rows[last.bad]


def _latest(name: str) -> Reference:
    return Reference(name=name, latest=True)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# The search -----------------------------------------------------------------------------------------------------


class _Search:
    """Looks for the commit between the two versions of the step."""

    def __init__(self, project: Project, versions: _Versions, at_hand: Bytes) -> None:
        self._project, self._versions = project, versions
        self.step = versions.step()
        self.notes = versions.notes
        for row in self.step:
            if project.objects.commit(row.commit) is None:
                raise EnvironmentProblem(f"the commit of {row.version} is not here", hint="git fetch --unshallow")
        good, bad = (Known(value=row.value, state=row.state, source=row.commit) for row in self.step)
        self._reader = Reader(project, versions.line, at_hand, self.step[0].commit)
        self._history = History(project, self._reader, versions.judge, good, bad)
        self._failed: dict[str, str] = {}

    def build(self, confirm: Confirm) -> None:
        """Build the middle one of those that it may be, until one is left or the rest cannot be built."""
        todo = self._unbuilt()
        if not todo:
            return
        confirm(len(todo))
        line = self._versions.line
        with Builder(self._project, line.name, line.file, lambda v: value_in(v, line.file, line.key)[1]) as builder:
            while todo:
                commit = todo[len(todo) // 2]
                left = "1 commit is" if len(todo) == 1 else f"{len(todo)} commits are"
                self._project.around.say(f"building {commit[:12]}: {left} left")
                built = builder.build(commit, self._reader.declared(self._project.tree(commit)))
                if as_number(built.value) is None:
                    self._failed[commit] = built.problem or "it wrote no number"
                else:
                    self._history.built[commit] = built.value
                todo = self._unbuilt()

    def _unbuilt(self) -> list[str]:
        tried = {*self._failed, *self._history.built}
        found = (turn.unknown for turn in self._history.turns(self._history.known()))
        return next(filter(None, ([one for one in unknown if one not in tried] for unknown in found)), [])

    def result(self) -> Bisected:
        """What is known now."""
        known = self._history.known()
        found = self._history.turns(known)
        turn = found[0] if found else None
        self._note(known, found)
        attribution = self._causes(turn, known) if turn is not None else ()
        line, rows = self._versions.line, self._versions.rows
        return Bisected(
            name=line.name,
            file=line.file,
            key=line.key,
            better=self._versions.better,
            limit=self._versions.judge.limit,
            good=rows[0],
            bad=rows[-1],
            versions=rows,
            step=self.step,
            commits=tuple(self._commit(logged.commit, known[logged.commit]) for logged in self._history.log),
            culprit=turn.commit if turn is not None and not turn.unknown else None,
            range=(turn.unknown[0], turn.commit) if turn is not None and turn.unknown else None,
            suspects=(*turn.unknown, turn.commit) if turn is not None else (),
            before=turn.before if turn is not None else None,
            attribution=attribution,
            unmeasured=tuple(self._history.unmeasured(known)),
            notes=tuple(dict.fromkeys(one_line(redact_text(note)) for note in self.notes)),
        )

    def _causes(self, turn: Turn, known: Mapping[str, Known]) -> tuple[Cause, ...]:
        before = turn.before or self.step[0].commit
        sides = (
            Side(commit=commit, reading=self._reader.of(commit), known=known[commit])
            for commit in (before, turn.commit)
        )
        model = f"{self._versions.line.name}@{self.step[0].version}"
        found, notes = causes(self._project, self._reader, model, *sides)
        self.notes += notes
        return tuple(found)

    def _commit(self, commit: str, known: Known) -> CommitValue:
        raw = self._project.objects.raw(commit)
        author, at = parse_author(raw[1]) if raw is not None else (Identity("", ""), EPOCH)
        message = raw[1].partition(b"\n\n")[2].lstrip(b"\n") if raw is not None else b""
        subject = message.partition(b"\n")[0].decode("utf-8", "replace")
        return CommitValue(
            commit=commit,
            author=author,
            at=at,
            subject=one_line(redact_text(subject), 200),
            value=known.value if known.state is not State.UNKNOWN else None,
            state=known.state,
            recorded_in=known.source if known.source != commit else None,
            built=known.source is None and known.state is not State.UNKNOWN,
        )

    def _note(self, known: Mapping[str, Known], found: Sequence[Turn]) -> None:
        good, bad = self.step
        if not self._history.log:
            self.notes.append(f"{bad.version} is in the history of {good.version}: no commit lies between them")
        elif not found:
            self.notes.append(
                f"{good.version} is not in the history of {bad.version}, which was bad already where they parted: "
                "name an earlier version with --good"
            )
        elif not self._project.repository.git.ok("merge-base", "--is-ancestor", good.commit, bad.commit):
            self.notes.append(f"{good.version} is not in the history of {bad.version}: they parted before both")
        for other in found[1:]:
            self.notes.append(f"another side of a merge turned bad by itself at {other.commit[:12]}")
        problems = {read.problem for commit, read in self._history.readings.items() if known[commit].value is None}
        self.notes += [f"some commits cannot be read: {problem}" for problem in sorted(filter(None, problems))[:3]]
        self.notes += [f"{commit[:12]} cannot be told: {why}" for commit, why in self._failed.items()]
        if not self._history.ids.isdisjoint(history_ends(self._project.repository)):
            self.notes.append("this clone is shallow: its history ends between the two versions")
