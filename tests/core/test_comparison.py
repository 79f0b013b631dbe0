"""Rows of a comparison: parallel to the points, absent is not null, deltas against the first."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.comparison import Change, Comparison, compare, delta
from dvc_modelver.core.descriptions import Feature, Signature
from dvc_modelver.core.environment import Environment, Gpu, LockFile, Package
from dvc_modelver.core.facts import ArtifactFacts, Scalar, Source
from dvc_modelver.core.points import Bytes, Facts, Point, flat_environment

MODEL = ArtifactFacts(path="m.bin", type="model", kind="file", digest="md5:1", size=10, source=Source.STAGE)


def comparison(*facts: Facts, **directions: str) -> Comparison:
    """Points named `0`, `1`, ... of one model."""
    return compare([Point(ref=str(n), name="churn", facts=fact) for n, fact in enumerate(facts)], directions)


def metrics(**values: Scalar) -> Facts:
    """Facts with one file of metrics."""
    return Facts(metrics={"m.json": values}, artifact=MODEL)


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.integers(10**400, 10**401)
)
_values = st.dictionaries(st.sampled_from(["a.json", "b.json"]), st.dictionaries(st.sampled_from("xyz"), _scalars))
_digests = st.dictionaries(st.sampled_from("pqr"), st.sampled_from(["1", "2", None]))


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Facts of all kinds, often equal ones."""
    return Facts(
        metrics=draw(_values),
        params=draw(_values),
        data={path: Bytes(digest=digest) for path, digest in draw(_digests).items()},
        code=draw(_digests),
        stages=draw(_digests),
        environment=draw(st.sampled_from([None, {}, {"file": "uv.lock", "recorded": False, "sha256": "1"}])),
        artifact=draw(st.sampled_from([None, MODEL, replace(MODEL, digest="md5:2")])),
    )


@given(st.lists(facts(), min_size=1, max_size=4))
def test_every_row_has_a_value_for_every_point(points: list[Facts]) -> None:
    """Whatever the facts, all rows are as long as the points are many, and nothing raises."""
    found = comparison(*points)
    parts = (found.metrics, found.params, found.data, found.code, found.pipeline, found.environment, found.artifact)
    for part in parts:
        assert all(len(row.values) == len(points) for row in part)  # type: ignore[attr-defined]
    for row in found.metrics:
        assert len(row.deltas) == len(points)
        assert row.deltas[0] is None
        assert all(row.relative(n) is None or math.isfinite(row.relative(n) or 0) for n in range(len(points)))


@given(facts(), st.integers(1, 4))
def test_a_point_does_not_differ_from_itself(fact: Facts, times: int) -> None:
    """Of equal points nothing is left of `only_changed`, NaN and null included."""
    left = comparison(*[fact] * times).only_changed()
    assert not any((left.metrics, left.params, left.data, left.code, left.pipeline, left.environment, left.artifact))


@given(_scalars, _scalars)
def test_a_delta_turns_round(old: Scalar, new: Scalar) -> None:
    """From there to here is minus from here to there."""
    there, back = delta(old, new), delta(new, old)
    assert (there is None) is (back is None)
    if there is not None and back is not None and there == there:
        assert there == -back


def test_metrics_have_deltas_and_directions() -> None:
    """Deltas are against the first; the configuration says which way is better where names do not."""
    found = comparison(metrics(auc=0.8, churned=4), metrics(auc=0.9, churned=2), metrics(auc=0.8), churned="down")
    auc, churned = found.metrics
    assert (auc.values, auc.better, auc.changed) == ((0.8, 0.9, 0.8), "up", True)
    assert auc.deltas == (None, 0.9 - 0.8, 0.0)
    assert [auc.verdict(n) for n in range(3)] == [None, "better", None]
    assert auc.relative(1) == pytest.approx(0.125)
    assert (churned.values, churned.deltas, churned.better) == ((4, 2, None), (None, -2, None), "down")
    assert churned.verdict(1) == "better"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [(1, 1.5, 0.5), (True, 2, None), (1, None, None), ("1", 2, None), (0.5, 10**400, None), (1, math.inf, math.inf)],
)
def test_delta(old: Scalar, new: Scalar, expected: float | None) -> None:
    """Only numbers have a difference, and only one that can be said."""
    assert delta(old, new) == expected


def test_null_is_not_absent() -> None:
    """A key whose value is null, and a key that is not there, differ although both are None in the row."""
    (row,) = comparison(metrics(x=None), metrics()).metrics
    assert (row.values, row.changed) == ((None, None), True)
    (row,) = comparison(metrics(x=None), metrics(x=None)).metrics
    assert row.changed is False


@pytest.mark.parametrize(
    ("digests", "expected"),
    [
        (("1", "1"), Change.UNCHANGED),
        (("1", "2"), Change.CHANGED),
        ((None, "1"), Change.ADDED),
        (("1", None), Change.REMOVED),
        (("1", "2", "1"), Change.CHANGED),
        ((None, "1", None), Change.CHANGED),
    ],
)
def test_what_became_of_a_source(digests: tuple[str | None, ...], expected: Change) -> None:
    """From the first point to the last, and nothing between is passed over."""
    found = comparison(*[Facts(code={"a.py": digest} if digest else {}) for digest in digests])
    assert [(row.path, row.change) for row in found.code] == [("a.py", expected)]
    assert len(found.only_changed().code) == (expected is not Change.UNCHANGED)


def test_an_environment_by_key() -> None:
    """Packages, lock, machine and variables have a key each; dots of a name are marked."""
    flat = flat_environment(
        Environment(
            python={"version": "3.12.1"},
            packages=(Package(name="zope.event", version="5.0", origin="https://x/y", revision="abc", editable=True),),
            gpus=(Gpu(name="A100", memory="80 GB", driver="550"),),
            lock=LockFile(path="uv.lock", sha256="f" * 64),
            variables={"OMP_NUM_THREADS": "4"},
        ),
        "environment.json",
        "e" * 64,
    )
    assert flat == {
        "file": "environment.json",
        "recorded": True,
        "python.version": "3.12.1",
        "packages.zope\\.event": "5.0 from https://x/y at abc (editable)",
        "gpus.0": "A100, 80 GB, 550",
        "variables.OMP_NUM_THREADS": "4",
        "lock.path": "uv.lock",
        "lock.sha256": "f" * 64,
    }
    assert flat_environment(None, "uv.lock", "1") == {"file": "uv.lock", "recorded": False, "sha256": "1"}


def test_a_signature_by_key() -> None:
    """Each input, output and class has a key of its own with its place; names may come twice."""
    signature = Signature(
        inputs=(Feature(name="age", type="float", shape=("?", 3)), Feature(name="age"), Feature(name="a.b")),
        classes=("no", "yes"),
    )
    found = comparison(Facts(artifact=MODEL, signature=signature), Facts(artifact=MODEL))
    rows = {row.key: row.values[0] for row in found.artifact if row.key.startswith("signature.")}
    assert rows == {
        "signature.inputs.age": "1: float (?, 3)",
        "signature.inputs.age#2": "2",
        "signature.inputs.a\\.b": "3",
        "signature.classes.no": "1",
        "signature.classes.yes": "2",
    }


def test_two_models_have_no_bump() -> None:
    """Numbers of two models say nothing of each other; their metrics may still be compared."""
    points = [Point(ref="a", name="a", facts=metrics(auc=1)), Point(ref="b", name="b", facts=metrics(auc=2))]
    found = compare(points, {})
    assert (found.bump.level, found.bump.reasons) == (None, ("a and b are two models",))
    assert found.metrics[0].deltas == (None, 1)


def test_a_comparison_is_frozen() -> None:
    """Nobody changes an answer."""
    found = comparison(metrics(auc=1))
    with pytest.raises(FrozenInstanceError):
        found.notes = ("x",)  # type: ignore[misc]
