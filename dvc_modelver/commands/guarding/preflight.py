"""Whether the version that a stage would go back to is fit to take over: its links, its bytes, its own metrics."""

from __future__ import annotations

from dataclasses import replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards.sections import refuse_unwritten
from dvc_modelver.commands.commitfacts import artifact_at
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.evidence import verified
from dvc_modelver.commands.gating.measure import measure_place
from dvc_modelver.commands.gating.reference import version_place
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.verification.verify import Options, verify
from dvc_modelver.core.facts import Values
from dvc_modelver.core.gate import judge
from dvc_modelver.core.gatepolicy import GatePolicy
from dvc_modelver.core.metrics import label
from dvc_modelver.core.registry import Model
from dvc_modelver.core.verification import Link
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, DataError, NotFound, Refused


def recorded_metrics(project: Project, model: Model, version: Version, at_hand: Bytes) -> Values:
    """What a version measured.  Raises `DataError` when it cannot be had."""
    place: Place = version_place(model, version)
    return measure_place(project, place, model.name, at_hand).all_metrics(fetch=True)


def why_unfit(project: Project, model: Model, version: Version, stage: str, rules: GatePolicy) -> str | None:
    """Why `version` cannot take over the stage, in words; None when it can.

    Bytes that DVC's cache lacks are fetched, and all are hashed.
    """
    what = f"{model.name}@{version}"
    try:
        if model.retired_by is not None:
            return f"{model.name} is retired"
        model.refuse_unsound(model.release_ref(version))
        refuse_unwritten(project, model, version, stage)
        return _broken(project, model, version) or _below(project, model, version, rules)
    except (Refused, DataError, NotFound, BadInput) as error:
        return f"{what} is not fit to take over: {error.message}"


def _broken(project: Project, model: Model, version: Version) -> str | None:
    """The first link, from its tag to its bytes, that does not hold."""
    (found,) = verify(project, f"{model.name}@{version}", Options()).versions
    links = [check for check in found.failed if check.link is not Link.CACHE]
    if links:
        return f"{model.name}@{version} is not fit to take over: {links[0].link.value}: {links[0].detail}"
    if not found.ok:
        _fetch(project, model, version)
    return None


def _fetch(project: Project, model: Model, version: Version) -> None:
    """The cache lacks bytes of it, or has bad ones.  Raises `DataError` when they cannot be had."""
    commit = model.release_ref(version).target or ""
    with Bytes(project) as at_hand:
        facts = artifact_at(project, model.name, commit, at_hand)
        verified(project, project.tree(commit), facts)


def _below(project: Project, model: Model, version: Version, rules: GatePolicy) -> str | None:
    """The first of the policy's own bounds that its recorded metrics break; what they lack is no reason."""
    with Bytes(project) as at_hand:
        recorded = recorded_metrics(project, model, version, at_hand)
    bounds = replace(rules, slices={}, significance=None)
    verdict = judge(bounds, recorded, None, directions=project.config.metrics, partial=True)
    for ruling in verdict.failed:
        if ruling.excess is not None or ruling.value is not None:
            name = label(ruling.metric)
            return f"{model.name}@{version} is not fit to take over: it recorded {name}: {ruling.reason}"
    return None
