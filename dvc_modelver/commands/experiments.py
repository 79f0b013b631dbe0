"""`list --experiments`: DVC experiments beside the latest and the production version, and which would pass the gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.facts import FactsReader
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.gating.gate import Gated, judge_measured
from dvc_modelver.commands.gating.measure import Measured, source_at
from dvc_modelver.commands.gating.policy import read_policy
from dvc_modelver.commands.gating.reference import (
    EXPERIMENT,
    PRODUCTION,
    Reference,
    find_reference,
    version_place,
)
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Values
from dvc_modelver.core.names import check_name, near
from dvc_modelver.core.registry import Model
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import ModelverError, NotFound
from dvc_modelver.gitio.log import read_experiments


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A version or an experiment with its numbers."""

    ref: str
    """`churn@v0.1.0`; of an experiment its name."""
    version: Version | None
    commit: str
    parent: str | None
    """The commit that an experiment began from."""
    metrics: Values
    params: Values
    gate: Gated | None = None
    """Of an experiment; None where that could not be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelExperiments:
    """The experiments of one model, by name."""

    name: str
    latest: Point | None
    production: Point | None
    """What the gate's stage holds, else `prod`, else `production`."""
    experiments: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiments:
    """All models that any experiment declares, by name."""

    models: tuple[ModelExperiments, ...]
    notes: tuple[str, ...] = ()
    """What could not be read, a sentence each."""


def list_experiments(project: Project, text: str | None) -> Experiments:
    """The experiments in `refs/exps` of the model `text`, or of all.

    A broken experiment costs only itself.  Raises `NotFound` for an unknown model.
    """
    found = read_experiments(project.repository.git)
    places = [Place(ref=name, commit=commit) for name, commit in sorted((found[oid][0], oid) for oid in found)]
    parents = {commit: parent for commit, (_, parent) in found.items()}
    notes: list[str] = []
    with Bytes(project) as at_hand:
        names = _names(project, text, places, notes)
        models = [_Reader(project, name, at_hand, notes).read(places, parents) for name in names]
    shown = tuple(one for one in models if one.experiments or text is not None)
    return Experiments(models=shown, notes=tuple(dict.fromkeys(notes)))


def _names(project: Project, text: str | None, places: Sequence[Place], notes: list[str]) -> list[str]:
    """Canonical names of the models meant: an experiment may declare some that HEAD does not."""
    from dvc_modelver.commands.cards.text import has_card
    from dvc_modelver.dvcio.project import declared

    inside: set[str] = set()
    for place in places:
        try:
            inside.update(one.name for one in declared(project.tree(place.commit or "")).artifacts if has_card(one))
        except ModelverError as error:
            notes.append(f"{place.ref}: {error.message}")
    if text is None:
        return sorted({*inside, *(one.name for one in project.declared.artifacts if has_card(one))})
    try:
        return [project.model(text).name]
    except NotFound:
        if check_name(text) not in inside:
            raise NotFound(f"there is no model {text}", hint=near(text, inside) or "modelver list") from None
        return [text]


class _Reader:
    """Reads the points of one model; what several of them share is read once."""

    def __init__(self, project: Project, name: str, at_hand: Bytes, notes: list[str]) -> None:
        self.project = project
        self.model: Model = project.model_of(name)
        self.at_hand = at_hand
        self.notes = notes
        self.policy = read_policy(project, None)

    def read(self, places: Sequence[Place], parents: dict[str, str]) -> ModelExperiments:
        production = self._production()
        latest = version_place(self.model, self.model.latest) if self.model.latest is not None else None
        every = [*(place for place in (latest, production) if place is not None), *places]
        reader = FactsReader(self.project, every, self.at_hand)
        reference = self._reference()
        points = (self._point(reader, place, parents, reference) for place in places)
        return ModelExperiments(
            name=self.model.name,
            latest=self._point(reader, latest, {}, None),
            production=self._point(reader, production, {}, None),
            experiments=tuple(point for point in points if point is not None),
        )

    def _production(self) -> Place | None:
        for stage in dict.fromkeys((self.policy.against, *PRODUCTION)):
            held = self.model.holder(stage) if stage in self.model.stage_names else None
            if held is not None and held.version is not None and self.model.has(held.version):
                return version_place(self.model, held.version)
        return None

    def _reference(self) -> Reference | None:
        try:
            return find_reference(self.project, self.model.name, None, self.policy, self.at_hand, fetch=False)
        except ModelverError as error:
            self.notes.append(f"nothing of {self.model.name} could be judged: {error.message}")
            return None

    def _point(
        self, reader: FactsReader, place: Place | None, parents: dict[str, str], reference: Reference | None
    ) -> Point | None:
        """None where the model is not declared."""
        if place is None:
            return None
        try:
            measured = Measured(source_at(reader, place, self.model.name))
            metrics, params = measured.metrics, measured.params
            gated = self._judged(place, measured, reference) if reference is not None else None
        except NotFound:
            return None
        except ModelverError as error:
            self.notes.append(f"{place.ref}: {error.message}")
            return None
        self.notes.extend(f"{place.ref}: {note}" for note in measured.notes)
        return Point(
            ref=place.ref,
            version=place.version,
            commit=place.commit or "",
            parent=parents.get(place.commit or ""),
            metrics=metrics,
            params=params,
            gate=gated,
        )

    def _judged(self, place: Place, measured: Measured, reference: Reference) -> Gated:
        return judge_measured(self.project, self.policy, f"{EXPERIMENT}{place.ref}", measured, reference)


def all_points(one: ModelExperiments) -> Iterator[Point]:
    """The versions first, each once."""
    versions = (one.production, one.latest)
    seen: set[str] = set()
    for point in versions:
        if point is not None and point.ref not in seen:
            seen.add(point.ref)
            yield point
    yield from one.experiments
