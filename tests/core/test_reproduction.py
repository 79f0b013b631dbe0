"""The comparison of a rebuild with its version: laws, tolerance and verdicts."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.reproduction import (
    Match,
    StageRow,
    State,
    Verdict,
    compare_metrics,
    compare_stage,
    environment_differences,
    judge,
    matched,
    parse_tolerance,
)
from dvc_modelver.errors import BadInput

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
DIGESTS = st.dictionaries(st.sampled_from("abcd"), st.none() | st.sampled_from(["md5:1", "md5:2"]))
VALUES = st.dictionaries(st.sampled_from(["m.json", "n.json"]), st.dictionaries(st.sampled_from("xyz"), SCALARS))


@given(SCALARS, st.floats(0, 10))
def test_a_value_equals_itself(value: Scalar, tolerance: float) -> None:
    """Also NaN, and whatever the tolerance."""
    assert matched(value, value, tolerance) is Match.EQUAL


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_no_tolerance_means_equal(one: float, other: float) -> None:
    """With 0 only the same number is near."""
    assert matched(one, other, 0) is (Match.EQUAL if one == other else Match.DIFFERENT)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(0, 100))
def test_tolerance_is_a_share_of_the_recorded_value(recorded: int, rebuilt: int, percent: int) -> None:
    """Exact fractions agree, away from the very edge where a float cannot."""
    off, allowed = Fraction(abs(rebuilt - recorded)), Fraction(abs(recorded) * percent, 100)
    assume(off != allowed or off == 0)
    expected = Match.EQUAL if recorded == rebuilt else Match.WITHIN if off < allowed else Match.DIFFERENT
    assert matched(recorded, rebuilt, percent / 100) is expected


@given(st.floats(), st.floats(), st.floats(0, 1), st.floats(0, 1))
def test_more_tolerance_never_parts(one: float, other: float, less: float, more: float) -> None:
    """What is near within some tolerance is near within a larger one."""
    less, more = sorted((less, more))
    if matched(one, other, less) is not Match.DIFFERENT:
        assert matched(one, other, more) is not Match.DIFFERENT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *((1, True), (1, "1"), (0, None), (math.inf, 1.0), (1.0, math.inf), (math.inf, -math.inf), (math.nan, 1.0)),
        *((10**400, 10**400 + 1), (0.0, 1e-300)),
    ],
)
def test_never_near(one: Scalar, other: Scalar) -> None:
    """Other types, what is not finite, what no float holds, and anything beside zero."""
    assert matched(one, other, 0.5) is Match.DIFFERENT


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("1e-3", 0.001), ("1%", 0.01), ("0.5%", 0.005), ("2", 2), ("1 %", 0.01)]
)
def test_tolerance_is_read(text: str, expected: float) -> None:
    """A number or a percentage."""
    assert parse_tolerance(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "%", "x", "-1", "nan", "inf", "-0.1%", "1%%"])
def test_no_tolerance(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(BadInput, match="tolerance"):
        parse_tolerance(text)


@given(DIGESTS, DIGESTS)
def test_a_stage_is_identical_when_every_output_is(recorded: dict[str, str], rebuilt: dict[str, str]) -> None:
    """Every path of either side has its row; one that differs, lacks or has no digest parts them."""
    row = compare_stage("train", recorded, rebuilt)
    assert [out.path for out in row.outputs] == sorted({*recorded, *rebuilt})
    identical = recorded == rebuilt and None not in recorded.values()
    assert row.state is (State.IDENTICAL if identical else State.DIFFERENT)


@given(VALUES, VALUES, st.floats(0, 1))
def test_every_metric_has_a_row(recorded: dict[str, dict[str, Scalar]], rebuilt: object, tolerance: float) -> None:
    """Rows are the union of both sides; against itself everything is equal."""
    assert isinstance(rebuilt, dict)
    rows = compare_metrics(recorded, rebuilt, tolerance)
    keys = {(file, key) for values in (recorded, rebuilt) for file in values for key in values[file]}
    assert [(row.file, row.key) for row in rows] == sorted(keys)
    for row in rows:
        if row.key not in recorded.get(row.file, {}) or row.key not in rebuilt.get(row.file, {}):
            assert row.match is Match.DIFFERENT
    assert {row.match for row in compare_metrics(recorded, recorded, tolerance)} <= {Match.EQUAL}


def stage(state: State) -> StageRow:
    return StageRow(name="x", state=state, outputs=())


@pytest.mark.parametrize(
    ("same", "states", "values", "verdict"),
    [
        (True, [State.IDENTICAL], [(1, 1)], Verdict.IDENTICAL),
        (True, [State.IDENTICAL, State.DIFFERENT, State.FROZEN], [], Verdict.IDENTICAL),
        (False, [State.DIFFERENT], [(1, 1)], Verdict.EQUIVALENT),
        (True, [State.DIFFERENT], [(100, 101)], Verdict.EQUIVALENT),
        (False, [State.DIFFERENT], [], Verdict.DIFFERENT),
        (True, [State.DIFFERENT], [(1, 1), (1, 2)], Verdict.DIFFERENT),
        (False, [State.DIFFERENT], [(1, None)], Verdict.DIFFERENT),
        (True, [State.IDENTICAL, State.FAILED], [(1, 1)], Verdict.FAILED),
        (True, [State.NOT_RUN], [], Verdict.FAILED),
    ],
)
def test_verdicts(same: bool, states: list[State], values: list[tuple[Scalar, Scalar]], verdict: Verdict) -> None:
    """The model's bytes and the metrics decide; without metrics other bytes are a difference."""
    before = {"m.json": {str(n): one for n, (one, _) in enumerate(values)}}
    after = {"m.json": {str(n): other for n, (_, other) in enumerate(values)}}
    assert judge(same, [stage(state) for state in states], compare_metrics(before, after, 0.05)) is verdict


def test_environment_differences_name_what_matters_first() -> None:
    """Python, then packages; equal facts and the file that pins packages are left out."""
    before: dict[str, Scalar] = {"python.version": "3.10.1", "packages.numpy": "1.26", "cpu.count": 4, "file": "a"}
    after: dict[str, Scalar] = {**before, "python.version": "3.11.2", "packages.b": "1", "cpu.count": 8}
    after["lock.path"] = "x"
    rows = environment_differences(before, after)
    assert [(row.key, row.recorded, row.present) for row in rows] == [
        ("python.version", "3.10.1", "3.11.2"),
        ("packages.b", None, "1"),
        ("cpu.count", 4, 8),
    ]
    assert environment_differences(before, before) == ()
