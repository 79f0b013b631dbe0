"""What a model is compared with: a version, a stage's holder, a commit, or the file that remembers one of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.gating.files import read_named
from dvc_modelver.commands.gating.measure import Measured, measure_place
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.unseen import refuse_lacking
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.gatepolicy import GatePolicy
from dvc_modelver.core.names import near, stage_problem
from dvc_modelver.core.references import Reference as Named
from dvc_modelver.core.references import resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, ModelverError, NotFound

if TYPE_CHECKING:
    from dvc_modelver.core.predictions import Predictions

SCHEMA = 1
EXPERIMENT = "exp:"
PRODUCTION = ("prod", "production")
"""Stages that are looked at when nobody says what to compare with."""
_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a model is compared with."""

    ref: str | None
    """As people name it; None when there is nothing yet."""
    version: Version | None = None
    commit: str | None = None
    metrics: Values | None = None
    """None when there is nothing yet."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of its per-sample predictions, by path: `md5:...` in DVC's cache, `git:...` of a blob."""
    predictions: Callable[[], Mapping[str, Predictions]] = dict
    notes: tuple[str, ...] = ()


# From the repository --------------------------------------------------------------------------------------------


def find_reference(
    project: Project, name: str, against: str | None, policy: GatePolicy, at_hand: Bytes, *, fetch: bool = True
) -> Reference:
    """What `against` names, else the policy, else the holder of `prod` or `production`, else the latest version.

    Args:
        fetch: whether metrics that DVC's cache lacks are brought from the remote, and Git's is asked for versions.

    Raises `NotFound` for a version, stage, commit or experiment that there is not; `DataError` when its metrics cannot
    be had; `EnvironmentProblem` when there is none because this clone is shallow, or lacks the model's tags.
    """
    found = _place(project, name, against, policy)
    if isinstance(found, str):
        refuse_lacking(project, project.model_of(name), ask=fetch)
        return Reference(ref=None, notes=(found,))
    measured = measure_place(project, found, name, at_hand)
    return Reference(
        ref=found.ref,
        version=found.version,
        commit=found.commit,
        metrics=measured.all_metrics(fetch=fetch),
        digests=_digests(measured) if policy.significance is not None else {},
        predictions=measured.predictions,
    )


def _place(project: Project, name: str, against: str | None, policy: GatePolicy) -> Place | str:
    """Where the reference is; in words why there is none."""
    model = project.model_of(name)
    text = against or policy.against
    if text is not None:
        # Where the stages are listed, another name in a policy is a slip: it would never hold anything to compare with.
        expected = project.config.stages or (policy.against or "",)
        return _named(project, model, text, {*expected, *model.stage_names})
    for stage in PRODUCTION:
        if model.holder(stage) is not None:
            return _held(model, stage, set())
    return _latest(model)


def _named(project: Project, model: Model, text: str, stages: set[str]) -> Place | str:
    """What a text names for one model.

    Args:
        stages: those that there are, or that somebody's configuration expects: an empty one is no error.
    """
    if "://" in text:
        raise BadInput("a model is compared with a version, stage or commit, not with a URL", hint="--against prod")
    if text.startswith(EXPERIMENT):
        return find_experiment(project, text.removeprefix(EXPERIMENT))
    if "@" in text or "#" in text:
        return _of_reference(model, project.resolve(text), stages)
    if text == "latest":
        return _latest(model)
    version = parse_version(text)
    if version is not None:
        return version_place(model, version)
    if text in stages and stage_problem(text) is None:
        return _held(model, text, stages)
    commit = project.objects.commit(text)
    if commit is not None:
        return Place(ref=text, name=model.name, commit=commit)
    if not model.versions and stage_problem(text) is None:
        return _held(model, text, stages)
    raise NotFound(
        f"{model.name} has no stage {text}, and there is no branch, tag or commit of that name",
        hint=near(text, stages) or f"name a stage, a version or a commit: modelver show {model.name}",
    )


def _of_reference(model: Model, reference: Named, stages: set[str]) -> Place | str:
    if reference.name != model.name:
        raise BadInput(f"{reference} is not of {model.name}", hint="a model is compared with itself")
    if reference.version is not None:
        return version_place(model, reference.version)
    return _held(model, reference.stage, stages) if reference.stage is not None else _latest(model)


def _held(model: Model, stage: str, stages: set[str]) -> Place | str:
    """A first release has nothing before it: an empty stage is no error.  Raises `NotFound` for an unknown one."""
    if model.holder(stage) is None and (stage in stages or not model.versions):
        return f"stage {stage} of {model.name} is empty: there is nothing to compare it with"
    return version_place(model, resolve_version(model, Named(name=model.name, stage=stage)))


def _latest(model: Model) -> Place | str:
    if model.latest is None:
        return f"{model.name} has no version yet: there is nothing to compare it with"
    return version_place(model, model.latest)


def parse_version(text: str) -> Version | None:
    """`v1.2.0` or `1.2.0`; None for what is no version."""
    try:
        return Version.parse(text if text.startswith("v") else f"v{text}")
    except ModelverError:
        return None


def version_place(model: Model, version: Version) -> Place:
    """Raises `NotFound` when there is no such version, `DataError` when its tag is not what its name says."""
    ref = model.release_ref(version)
    record = model.refuse_unsound(ref).record
    return Place(
        ref=f"{model.name}@{version}",
        name=model.name,
        version=version,
        commit=ref.target,
        recorded=record.path if record is not None else None,
        card=record.card.path if record is not None and record.card is not None else None,
    )


def find_experiment(project: Project, name: str) -> Place:
    """A DVC experiment by its name; of several the one that began at HEAD.

    Raises `NotFound`, or `BadInput` where several began elsewhere.
    """
    from dvc_modelver.gitio.log import read_experiments

    every = read_experiments(project.repository.git)
    found = {commit: parent for commit, (exp, parent) in every.items() if exp == name}
    if not found:
        hint = near(name, {exp for exp, _ in every.values()}) or "dvc exp list --all-commits"
        raise NotFound(f"there is no DVC experiment {name}", hint=hint)
    here = [commit for commit, parent in found.items() if len(found) == 1 or parent == project.head]
    if len(here) != 1:
        raise BadInput(f"{len(found)} DVC experiments are called {name}", hint="name its commit with --rev")
    return Place(ref=f"{EXPERIMENT}{name}", commit=here[0])


def _digests(measured: Measured) -> dict[str, str]:
    """What names the bytes of the per-sample predictions, for a file that remembers them."""
    source, found = measured.source, {}
    for path in measured.predictions():
        entry = source.tree.entry(path)
        located = source.commit.find(path, source.declared.file) if entry is None else None
        if entry is not None and entry.oid:
            found[path] = f"git:{entry.oid}"
        elif located is not None and located.output.digest is not None:
            inside = path[len(located.output.path) + 1 :]
            md5 = (source.at_hand.listing(located.output) or {}).get(inside) if inside else None
            found[path] = f"md5:{md5}" if md5 is not None else located.output.digest
    return found


# The file ---------------------------------------------------------------------------------------------------------


def format_reference(name: str, found: Reference) -> bytes:
    """The reference as a file, the same for the same reference."""
    content = {
        "schema": SCHEMA,
        "name": name,
        "against": found.ref,
        "version": None if found.version is None else str(found.version),
        "commit": found.commit,
        "metrics": found.metrics,
        "predictions": found.digests,
    }
    return (json.dumps(as_json(content), indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


def as_json(value: object) -> object:
    """`value` with the numbers that JSON cannot say as words."""
    if isinstance(value, float):
        return next((word for word, number in _WORDS.items() if repr(number) == repr(value)), value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 10_000:
        return hex(value)  # Python writes no decimal number of more than 4,300 digits
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def read_reference(project: Project, name: str, file: str, at_hand: Bytes) -> Reference:
    """The reference that `file` remembers.  Raises `BadInput` when it is none, or of another model."""
    from dvc_modelver.dvcio.values import read_values

    hint = f"modelver gate {name} --update-reference --reference {file}"
    path = file if file.endswith(".json") else f"{file}.json"
    raw = read_values(read_named(project, file, hint), path=path, strict=True)
    if not isinstance(raw, Mapping) or raw.get("schema") != SCHEMA or not isinstance(raw.get("name"), str):
        raise BadInput(f"{file} is no reference of a gate", hint=hint)
    if raw["name"] != name:
        raise BadInput(f"{file} is the reference of {raw['name']}, not of {name}", hint=hint)
    try:
        metrics = None if raw["metrics"] is None else _values(raw["metrics"])
        digests = {str(path): str(digest) for path, digest in dict(raw.get("predictions") or {}).items()}
        version = None if raw["version"] is None else Version.parse(str(raw["version"]))
        ref, commit = (None if raw[key] is None else str(raw[key]) for key in ("against", "commit"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(f"{file} is no reference of a gate", hint=hint) from None
    return Reference(
        ref=ref,
        version=version,
        commit=commit,
        metrics=metrics,
        digests=digests,
        predictions=lambda: _kept(project, digests, at_hand),
        notes=() if metrics is not None else (f"{file} says that there is nothing to compare {name} with yet",),
    )


def _values(raw: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, Scalar]]:
    return {str(file): {str(key): _scalar(value) for key, value in keys.items()} for file, keys in raw.items()}


def _scalar(value: object) -> Scalar:
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    return value if isinstance(value, (str, int, float, bool)) else None


def _kept(project: Project, digests: Mapping[str, str], at_hand: Bytes) -> dict[str, Predictions]:
    """The predictions whose digests a file remembers.  Raises `DataError` when one is not at hand.

    An answer that depended on what a cache has would be no function of files.
    """
    from dvc_modelver.dvcio.predictions import read_predictions

    found: dict[str, Predictions] = {}
    for path, digest in digests.items():
        read = read_predictions(_bytes(project, path, digest, at_hand), path)
        if read.predictions is not None:
            found[path] = read.predictions
    return found


def _bytes(project: Project, path: str, digest: str, at_hand: Bytes) -> bytes:
    import hashlib
    import re

    from dvc_modelver.core.facts import Output
    from dvc_modelver.errors import DataError

    if re.fullmatch(r"git:[0-9a-f]{40}(?:[0-9a-f]{24})?", digest):
        return project.objects.blob(digest.removeprefix("git:"))
    folders = (folder.as_posix() for folder in PurePosixPath(path).parents)
    root = next((folder for folder in folders if (project.data_root / folder / ".dvc").is_dir()), "")
    known = re.fullmatch(r"md5:[0-9a-f]{32}", digest) is not None
    data = at_hand.blob(Output(path=path, digest=digest, root=root)) if known else None
    if data is not None and f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}" != digest:
        raise DataError(f"the copy of {path} in DVC's cache is altered", hint="modelver verify says more")
    if data is None:
        raise DataError(
            f"the reference's predictions {path} ({digest}) are not in DVC's cache",
            hint="dvc fetch --all-tags, or take significance out of the policy",
        )
    return data
