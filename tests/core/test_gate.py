"""The gate's policy and its verdicts: bounds, regressions, directions, slices, chance, and what is not measured."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.config import parse_config
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.gate import Ruling, judge, matching
from dvc_modelver.core.gatepolicy import GatePolicy, MetricRule, Tolerance, needs_reference, parse_policy
from dvc_modelver.core.significance import Interval
from dvc_modelver.errors import BadInput

FILE = "metrics.json"
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
TENTHS = st.integers(-2000, 2000).map(lambda n: n / 1000)


def policy(**keys: object) -> GatePolicy:
    """As a file says it."""
    return parse_policy("gate.yaml", keys)


def rulings(
    found: GatePolicy, measured: dict[str, Scalar], reference: dict[str, Scalar] | None, **options: object
) -> tuple[Ruling, ...]:
    """The rulings on the numbers of one file."""
    before = None if reference is None else {FILE: reference}
    return judge(found, {FILE: measured}, before, **options).rulings  # type: ignore[arg-type]


def one(found: GatePolicy, value: Scalar, before: Scalar | None, key: str = "auc", **options: object) -> Ruling:
    """The only ruling on one metric."""
    (ruling,) = rulings(found, {key: value}, None if before is None else {key: before}, **options)
    return ruling


# Bounds -------------------------------------------------------------------------------------------------------------


@given(value=TENTHS, before=TENTHS, allowed=st.integers(0, 500).map(lambda n: n / 1000))
def test_differences_are_those_of_the_written_numbers(value: float, before: float, allowed: float) -> None:
    """A drop is what exact arithmetic on the decimals gives: the limit itself passes, whatever binary makes of it."""
    exact = [Fraction(str(number)) for number in (value, before, allowed)]
    drop = one(policy(metrics={"auc": {"max_drop": allowed}}), value, before)
    rise = one(policy(metrics={"auc": {"max_rise": allowed}}), value, before)
    assert drop.ok is (exact[1] - exact[0] <= exact[2])
    assert rise.ok is (exact[0] - exact[1] <= exact[2])
    assert drop.delta == float(exact[0] - exact[1])


@given(value=NUMBERS, before=NUMBERS, percent=st.integers(0, 100))
def test_percents_are_of_the_references_size(value: float, before: float, percent: int) -> None:
    """`5%` of a negative reference is as wide as of a positive one."""
    ruling = one(policy(metrics={"auc": {"max_rise": f"{percent}%"}}), value, before)
    exact_value, exact_before = Fraction(repr(value)), Fraction(repr(before))
    assert ruling.ok is (exact_value - exact_before <= abs(exact_before) * percent / 100)
    assert ruling.limit == f"{percent}%"


@given(value=NUMBERS, low=NUMBERS, high=NUMBERS)
def test_thresholds_are_inclusive(value: float, low: float, high: float) -> None:
    """`min` and `max` hold the numbers between them, themselves included."""
    low, high = sorted((low, high))
    found = rulings(policy(metrics={"auc": {"min": low, "max": high}}), {"auc": value}, None)
    assert [ruling.ok for ruling in found] == [value >= low, value <= high]
    assert one(policy(metrics={"auc": {"min": value}}), value, None).ok


@given(value=NUMBERS, before=NUMBERS)
def test_not_worse_mirrors_with_the_direction(value: float, before: float) -> None:
    """What passes upwards passes downwards with both numbers negated; equal numbers pass both ways."""
    up = one(policy(metrics={"x": "up"}), value, before, "x")
    down = one(policy(metrics={"x": "down"}), -value, -before, "x")
    assert up.ok is down.ok is (value >= before)


@given(value=TENTHS, before=TENTHS, small=st.integers(0, 200), more=st.integers(0, 200))
def test_a_laxer_policy_passes_what_a_stricter_one_does(value: float, before: float, small: int, more: int) -> None:
    """Allowing more never fails what passed."""
    strict = one(policy(metrics={"auc": {"max_drop": small / 1000}}), value, before)
    lax = one(policy(metrics={"auc": {"max_drop": (small + more) / 1000}}), value, before)
    assert lax.ok or not strict.ok


# Without a policy -----------------------------------------------------------------------------------------------------


def test_directions_are_those_of_names_and_configuration() -> None:
    """Well known names, the configuration over them, and nobody judges the rest."""
    measured, reference = (
        {"auc": 0.7, "rmse": 2.0, "speed": 1.0, "n": 3},
        {"auc": 0.8, "rmse": 1.0, "speed": 2.0, "n": 4},
    )
    found = rulings(GatePolicy(), measured, reference, directions={"speed": "up", "rmse": "up"})
    assert [(r.metric, r.limit, r.ok) for r in found] == [
        ("auc", "up", False),
        ("rmse", "up", True),
        ("speed", "up", False),
    ]


def test_a_metric_of_the_reference_that_is_gone_fails() -> None:
    """Unless only some are expected, as of what production reports; texts and unknown ones never counted."""
    reference: dict[str, Scalar] = {"auc": 0.8, "f1": 0.7, "n": 3, "accuracy": "high"}
    found = rulings(GatePolicy(), {"auc": 0.9}, reference)
    assert [(r.metric, r.rule, r.ok) for r in found] == [("auc", "not_worse", True), ("f1", "measured", False)]
    assert [r.metric for r in rulings(GatePolicy(), {"auc": 0.9}, reference, partial=True)] == ["auc"]


def test_numbers_of_another_file_are_compared() -> None:
    """What production reports stands in another file: the key decides, where it is the only one of its name."""
    live, version = {"live.json": {"auc": 0.7}}, {"eval/metrics.json": {"auc": 0.8, "f1": 0.9}}
    (ruling,) = judge(GatePolicy(), live, version, partial=True).rulings
    assert (ruling.file, ruling.reference, ruling.ok) == ("live.json", 0.8, False)
    twice = {"a.json": {"auc": 0.8}, "b.json": {"auc": 0.9}}
    (ruling,) = judge(GatePolicy(), live, twice, partial=True).rulings
    assert (ruling.reference, ruling.ok, ruling.reason) == (None, True, "the reference does not have it")


@pytest.mark.parametrize("measured", [{}, {"n": 3}, {"speed": 1.0}, {"auc": "high"}])
def test_nothing_to_judge_is_no_pass(measured: dict[str, Scalar]) -> None:
    """A gate that looks at nothing is closed."""
    verdict = judge(GatePolicy(), {FILE: measured}, None)
    assert not verdict.ok
    assert len(verdict.failed) == 1


def test_one_failure_is_enough() -> None:
    """A verdict passes when every ruling does."""
    verdict = judge(GatePolicy(), {FILE: {"auc": 0.9, "f1": 0.1}}, {FILE: {"auc": 0.8, "f1": 0.2}})
    assert ([ruling.ok for ruling in verdict.rulings], verdict.ok) == ([True, False], False)
    assert [ruling.metric for ruling in verdict.failed] == ["f1"]


# What is no measurement -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "high", True, None, 10**400])
def test_what_is_no_finite_number_fails(value: Scalar) -> None:
    """NaN is neither above nor below anything, and still no pass."""
    for rule in ({"min": -1e308}, {"max": 1e308}, {"max_drop": 5}, {"max_rise": 5}, {}):
        ruling = one(policy(metrics={"auc": rule}), value, 0.5)
        assert (ruling.ok, ruling.rule) == (False, "measured")


@pytest.mark.parametrize("before", [math.nan, math.inf, "high", True])
def test_a_reference_that_is_no_finite_number_is_none(before: Scalar) -> None:
    """Nothing can be worse than NaN; thresholds still count."""
    for rule in ({"max_drop": 0}, {"max_rise": 0}, "up"):
        assert one(policy(metrics={"auc": rule}), 0.1, before).ok
    assert not one(policy(metrics={"auc": {"min": 0.5}}), 0.1, before).ok


def test_a_metric_that_nobody_measured_fails() -> None:
    """What a policy names has to be there, also when production reports only some."""
    for partial in (False, True):
        named = policy(metrics={"f1": {"min": 0.1}})
        (ruling,) = rulings(named, {"auc": 0.9}, {"auc": 0.8, "f1": 0.2}, partial=partial)
        assert (ruling.metric, ruling.rule, ruling.ok) == ("f1", "measured", False)


def test_a_rule_without_a_direction_fails() -> None:
    """Nobody can say whether `speed` got worse; with a direction everybody can."""
    assert "better: up" in one(policy(metrics={"speed": {}}), 1.0, 1.0, "speed").reason
    assert one(policy(metrics={"speed": {"better": "up"}}), 1.0, 1.0, "speed").ok


def test_without_a_reference_only_thresholds_count() -> None:
    """A first release passes what compares, and is told why."""
    found = rulings(policy(metrics={"auc": {"min": 0.9, "max_drop": 0.01}, "f1": "up"}), {"auc": 0.8, "f1": 0.1}, None)
    assert [(r.rule, r.ok) for r in found] == [("min", False), ("max_drop", True), ("not_worse", True)]
    assert found[1].reason == "there is no reference yet"


# Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("auc", [("m.json", "auc"), ("auc.json", "")]),
        ("m.json:auc", [("m.json", "auc")]),
        ("val.loss", [("m.json", "val.loss")]),
        ("loss", [("m.json", "val.loss")]),
        ("v1.2", [("m.json", r"v1\.2")]),
        ("auc.json", [("auc.json", "")]),
        ("recall", [("m.json", "eu.recall"), ("m.json", "us.recall")]),
        ("ecall", []),
        ("accuracy", []),
    ],
)
def test_how_metrics_are_named(name: str, found: list[tuple[str, str]]) -> None:
    """A key, its last parts, a file and a key, or a file that is one value."""
    keys = ("auc", "val.loss", r"v1\.2", "eu.recall", "us.recall")
    assert matching([*(("m.json", key) for key in keys), ("auc.json", "")], name) == found


def test_a_metrics_slices_are_not_meant_by_its_name() -> None:
    """`auc` means the whole test set's, also where it stands deeper; a file's value is called as the file."""
    nested: dict[str, Scalar] = {"test.auc": 0.9, "by.eu.auc": 0.1, "by.us.auc": 0.2}
    (ruling,) = rulings(policy(metrics={"auc": {"min": 0.5}}), nested, None)
    assert (ruling.metric, ruling.ok) == ("test.auc", True)
    (ruling,) = judge(policy(metrics={"auc": {"min": 0.5}}), {"eval/auc.json": {"": 0.4}}, None).rulings
    assert (ruling.file, ruling.ok) == ("eval/auc.json", False)


# Slices -----------------------------------------------------------------------------------------------------------

SLICED: dict[str, Scalar] = {"auc": 0.9, "by.eu.auc": 0.8, "by.us.auc": 0.6, "by.us.n": 3}


@pytest.mark.parametrize(
    ("slices", "found"),
    [
        (["eu", "us"], [("eu", True), ("us", True)]),
        (["by.eu", "asia"], [("by.eu", True), ("asia", False)]),
        ({"eu": {"auc": {"min": 0.8}}, "us": {"auc": {"min": 0.8}}}, [("eu", True), ("us", False)]),
        ({"*": {"auc": {"min": 0.7}}}, [("by.eu", True), ("by.us", False)]),
        ({"*": None}, [("by.eu", True), ("by.us", True)]),
        ({"us": {"f1": {"min": 0}}}, [("us", False)]),
    ],
)
def test_slices(slices: object, found: list[tuple[str, bool]]) -> None:
    """A slice has to be there and fulfils its own rules; `*` stands for each that was measured."""
    answer = rulings(policy(metrics={"auc": {"min": 0.5}}, slices=slices), SLICED, None)
    assert [(r.slice, r.ok) for r in answer] == [(None, True), *found]


def test_a_slice_that_vanished_fails() -> None:
    """`*` holds the reference's slices to their place, and NaN in a slice is no measurement of it."""
    found = rulings(policy(slices=["*"], metrics={"auc": {}}), {"auc": 1.0, "by.eu.auc": 0.9}, {"auc": 1.0, **SLICED})
    assert [(r.slice, r.ok) for r in found if r.slice] == [("by.eu", True), ("by.us", False)]
    found = rulings(policy(slices=["eu"], metrics={"auc": {}}), {"auc": 0.9, "by.eu.auc": math.nan}, None)
    assert [(r.slice, r.ok) for r in found if r.slice] == [("eu", False)]
    found = rulings(policy(slices=["*"], metrics={"auc": {}}), {"auc": 0.9}, None)
    assert [(r.slice, r.ok) for r in found if r.slice] == [("*", False)]


# Chance -----------------------------------------------------------------------------------------------------------


def interval(low: float, high: float) -> dict[tuple[str, str], Interval]:
    """Where the difference of `auc` lies."""
    return {(FILE, "auc"): Interval(low=low, high=high, level=0.95, method="paired bootstrap")}


@pytest.mark.parametrize(("low", "high", "ok"), [(-0.05, 0.01, True), (-0.05, -0.001, False), (-0.02, 0.0, True)])
def test_a_drop_within_chance_passes_when_the_policy_says_so(low: float, high: float, ok: bool) -> None:
    """The interval of the difference has to hold zero; thresholds know no chance."""
    for rule in ({"max_drop": 0.01}, "up", {}):
        heeding = policy(metrics={"auc": rule}, significance=0.05)
        assert one(heeding, 0.77, 0.8, intervals=interval(low, high)).ok is ok
        assert not one(heeding, 0.77, 0.8).ok
        assert not one(policy(metrics={"auc": rule}), 0.77, 0.8, intervals=interval(low, high)).ok
    low_bar = policy(metrics={"auc": {"min": 0.78}}, significance=0.05)
    assert not one(low_bar, 0.77, 0.8, intervals=interval(low, high)).ok


# Policies as files write them ---------------------------------------------------------------------------------------


def test_the_contracts_shape() -> None:
    """The policy of the documentation, read from the configuration."""
    settings = {
        "gate": {"against": "prod", "metrics": {"auc": {"min": 0.8, "max_drop": 0.01}, "rmse": {"max_rise": "5%"}}}
    }
    assert parse_config(settings, {}, ".modelver.yaml").gate == GatePolicy(
        against="prod",
        metrics={
            "auc": MetricRule(minimum=0.8, max_drop=Tolerance(amount=0.01)),
            "rmse": MetricRule(max_rise=Tolerance(amount=5.0, percent=True)),
        },
    )
    assert parse_config({}, {}, ".modelver.yaml").gate is None
    assert policy() == GatePolicy()
    assert policy(metrics=None, slices=None, against=None, significance=False) == GatePolicy()
    assert policy(significance=0.05, slices=["eu"]) == GatePolicy(significance=0.05, slices={"eu": {}})


@pytest.mark.parametrize(
    ("keys", "said", "hint"),
    [
        ({"agianst": "prod"}, "there is no key agianst", "did you mean against?"),
        ({"metrics": {"auc": {"maxdrop": 1}}}, "metrics.auc.maxdrop", "did you mean metrics.auc.max_drop?"),
        ({"slices": {"eu": {"auc": {"mn": 1}}}}, "slices.eu.auc.mn", "did you mean slices.eu.auc.min?"),
        ({"zzzz": 1}, "there is no key zzzz", "the keys are: against, metrics, slices, significance"),
        ({"against": 3}, "against must be", ""),
        ({"against": " "}, "against must be", ""),
        ({"against": "a\x1b[31m"}, "against must be", ""),
        ({"metrics": ["auc"]}, "metrics must be a mapping", ""),
        ({"metrics": {"auc": 0.8}}, "metrics.auc must be a mapping", ""),
        ({"metrics": {"auc": "sideways"}}, "metrics.auc must be up or down", ""),
        ({"metrics": {"auc": {"better": None}}}, "metrics.auc.better must be up or down", ""),
        ({"metrics": {"auc": {"min": True}}}, "metrics.auc.min must be a number", ""),
        ({"metrics": {"auc": {"min": 10**400}}}, "metrics.auc.min must be a number", ""),
        ({"metrics": {"auc": {"max": math.inf}}}, "metrics.auc.max must be a number", ""),
        ({"metrics": {"auc": {"min": 2, "max": 1}}}, "min is above max", ""),
        ({"metrics": {"auc": {"max_drop": "5"}}}, "metrics.auc.max_drop must be a number that is not negative", ""),
        ({"metrics": {"auc": {"max_drop": -0.1}}}, "metrics.auc.max_drop must be a number that is not negative", ""),
        ({"metrics": {"auc": {"max_drop": "-5%"}}}, "metrics.auc.max_drop must be a number that is not negative", ""),
        ({"metrics": {"auc": {"max_rise": math.nan}}}, "metrics.auc.max_rise must be a number that is not", ""),
        ({"slices": "eu"}, "slices must be names of slices", ""),
        ({"slices": [1]}, "slices must be names of slices", ""),
        ({"significance": 0.01}, "significance must be 0.05", ""),
        ({"significance": True}, "significance must be 0.05", ""),
    ],
)
def test_slips_in_policies(keys: dict[str, object], said: str, hint: str) -> None:
    """Each wrong key or value is named with its whole path, the file, and what was meant."""
    with pytest.raises(BadInput) as error:
        parse_policy("gate.yaml", keys)
    assert error.value.message.startswith("gate.yaml: ")
    assert said in error.value.message
    assert hint in error.value.hint


def test_what_a_reference_is_needed_for() -> None:
    """Thresholds alone need none."""
    assert not needs_reference(policy(metrics={"auc": {"min": 0.8}}))
    assert needs_reference(policy())
    assert needs_reference(policy(metrics={"auc": {"min": 0.8, "max_drop": 0}}))
    assert needs_reference(policy(metrics={"auc": {"min": 0.8}}, slices={"eu": {"auc": "up"}}))
