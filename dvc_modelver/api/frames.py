"""Comparisons, lineages, impacts, metrics and rebuilds with pandas frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from dvc_modelver.commands.metricline import MetricLine
from dvc_modelver.commands.provenance.impact import Affected, Impact
from dvc_modelver.commands.reproduction.reproduce import Reproduced
from dvc_modelver.core.comparison import Change, Comparison
from dvc_modelver.core.lineage import Lineage, Node
from dvc_modelver.core.reproduction import Match

if TYPE_CHECKING:
    import pandas as pd

Framed = TypeVar("Framed")


def framed(kind: type[Framed], value: Any) -> Framed:
    """`value`, an instance of the class that `kind` adds frames to, as one of `kind`."""
    return kind(**{field.name: getattr(value, field.name) for field in fields(value)})


def frame(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> pd.DataFrame:
    """Rows under named columns: it has them also without rows, and two may have one name."""
    import pandas as pd

    made: pd.DataFrame = pd.DataFrame([list(row) for row in rows], columns=list(columns))
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedComparison(Comparison):
    """Several points side by side."""

    def only_changed(self) -> FramedComparison:
        return framed(FramedComparison, Comparison.only_changed(self))

    def to_frame(self) -> pd.DataFrame:
        """One row for each metric, param, file and fact.

        Columns: `section`, `file`, `key`, `changed`, `better`; then the value at each point, by its reference (of
        data and code the digest, of a pipeline stage its command); then `delta REFERENCE`, of metrics alone.
        """
        refs = [point.ref for point in self.points]
        deltas = [f"delta {ref}" for ref in refs[1:]]
        return frame(["section", "file", "key", "changed", "better", *refs, *deltas], self._rows(len(deltas)))

    def _rows(self, others: int) -> Iterator[Sequence[object]]:
        none = [None] * others
        for m in self.metrics:
            yield "metrics", m.file, m.key, m.changed, m.better, *m.values, *m.deltas[1:]
        for p in self.params:
            yield "params", p.file, p.key, p.changed, None, *p.values, *none
        for d in self.data:
            yield "data", d.path, "", _is_change(d.change), None, *(v and v.digest for v in d.values), *none
        for section, sources in (("code", self.code), ("pipeline", self.pipeline)):
            for s in sources:
                names = (s.path, "") if section == "code" else ("", s.path)
                yield section, *names, _is_change(s.change), None, *s.values, *none
        for section, facts in (("environment", self.environment), ("artifact", self.artifact)):
            for f in facts:
                yield section, "", f.key, f.changed, None, *f.values, *none


def _is_change(change: Change) -> bool:
    return change is not Change.UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedLineage(Lineage):
    """The graph of one version."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each node; `origin.*` are of the commit that first produced it, `details` a mapping."""
        names = ("id", "kind", "label", "path", "digest", "size")
        origin = ("origin.commit", "origin.author", "origin.email", "origin.at", "origin.path")
        return frame((*names, *origin, "returned", "details"), map(_node, self.nodes))

    def edges_frame(self) -> pd.DataFrame:
        """One row for each edge, from cause to effect: `from` and `to` are ids of nodes, and its `kind`."""
        return frame(("from", "to", "kind"), ((edge.source, edge.target, edge.kind.value) for edge in self.edges))


def _node(node: Node) -> Sequence[object]:
    made = node.origin
    origin = (made.commit, made.author.name, made.author.email, made.at, made.path) if made is not None else [None] * 5
    known = (node.id, node.kind.value, node.label, node.path, node.digest, node.size)
    return *known, *origin, node.returned, dict(node.details)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedImpact(Impact):
    """Which versions were made from something, and which cannot be ruled out."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each version that was made from it: `stages` that it holds, `path` of ids, `values` of params."""
        return _affected(self.versions)

    def measured_frame(self) -> pd.DataFrame:
        """The same of the versions that were only measured with it."""
        return _affected(self.measured)

    def unknown_frame(self) -> pd.DataFrame:
        """One row for each thing that keeps a version from being ruled out; look here before you trust silence."""
        rows = ((u.name, u.version and str(u.version), u.path, u.digest, u.reason) for u in self.unknown)
        return frame(("name", "version", "path", "digest", "reason"), rows)


def _affected(rows: Sequence[Affected]) -> pd.DataFrame:
    found = (
        (a.name, str(a.version), a.stages, a.withdrawn, a.path, {value.path: value.value for value in a.values})
        for a in rows
    )
    return frame(("name", "version", "stages", "withdrawn", "path", "values"), found)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedMetricLine(MetricLine):
    """A metric over all versions, the lowest first."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each version: when it was released (UTC), its commit, the value, and the delta to the last."""
        rows = ((str(m.version), m.at, m.commit, m.value, m.delta, m.withdrawn) for m in self.versions)
        return frame(("version", "created_at", "commit", "value", "delta", "withdrawn"), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedReproduction(Reproduced):
    """What a rebuild came to."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each difference; none when everything is as it was.

        Columns: `section` (`outputs`, `metrics`, `environment`), `stage` (of outputs), `file` (of metrics), `key` (an
        output's path, a metric's name, a fact), `recorded`, `rebuilt` (of the environment: what is here), and `match`:
        `within` the tolerance, or `different`.
        """
        return frame(("section", "stage", "file", "key", "recorded", "rebuilt", "match"), self._differences())

    def _differences(self) -> Iterator[Sequence[object]]:
        different = Match.DIFFERENT.value
        for stage in self.rebuilt.stages:
            for output in stage.outputs:
                if not output.same:
                    yield "outputs", stage.name, None, output.path, output.recorded, output.rebuilt, different
        for m in self.rebuilt.metrics:
            if m.match is not Match.EQUAL:
                yield "metrics", None, m.file, m.key, m.recorded, m.rebuilt, m.match.value
        for d in self.plan.environment:
            yield "environment", None, None, d.key, d.recorded, d.present, different

    def stages_frame(self) -> pd.DataFrame:
        """One row for each pipeline stage that was to run: its `state`, and how many of its outputs differ."""
        rows = ((s.name, s.state.value, sum(not output.same for output in s.outputs)) for s in self.rebuilt.stages)
        return frame(("stage", "state", "differ"), rows)
