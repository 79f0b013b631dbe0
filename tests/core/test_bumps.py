"""The bump policy: which change asks for which number, and says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.bumps import DEFAULT, LEVELS, Cause, suggest
from dvc_modelver.core.descriptions import Feature, Signature
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.points import Bytes, Facts
from dvc_modelver.core.versions import Bump

MODEL = ArtifactFacts(path="m.bin", type="model", kind="file", digest="md5:1", source=Source.STAGE)
SIGNATURE = Signature(inputs=(Feature(name="age", type="float"), Feature(name="plan")), classes=("no", "yes"))
RECORDED = {"file": "environment.json", "recorded": True, "python.version": "3.11", "packages.numpy": "1", "os.x": "y"}
BASE = Facts(
    metrics={"m.json": {"auc": 0.8}},
    params={"params.yaml": {"lr": 0.1, "other": 1}},
    own_params={"params.yaml": {"lr": 0.1}},
    data={"raw.csv": Bytes(digest="md5:2")},
    code={"train.py": "md5:3"},
    stages={"train": "python train.py"},
    environment=RECORDED,
    artifact=MODEL,
    task="classification",
    signature=SIGNATURE,
)


def features(*names: str) -> Facts:
    """With these inputs instead."""
    known = {feature.name: feature for feature in SIGNATURE.inputs}
    inputs = tuple(known.get(name, Feature(name=name)) for name in names)
    return replace(BASE, signature=replace(SIGNATURE, inputs=inputs))


@pytest.mark.parametrize(
    ("now", "level", "reason"),
    [
        (BASE, Bump.PATCH, "nothing differs that makes the model"),
        (replace(BASE, artifact=replace(MODEL, digest="md5:9")), Bump.PATCH, "the same recipe gave other bytes"),
        (replace(BASE, metrics={"m.json": {"auc": 0.9}}), Bump.PATCH, "only the metrics differ"),
        (replace(BASE, params={"params.yaml": {"lr": 0.1, "other": 2}}), Bump.PATCH, "nothing differs"),
        (replace(BASE, environment={**RECORDED, "os.x": "z"}), Bump.PATCH, "nothing differs"),
        (replace(BASE, environment=None), Bump.PATCH, "nothing differs"),
        (replace(BASE, data={"raw.csv": Bytes(digest="md5:9")}), Bump.MINOR, "data raw.csv changed"),
        (replace(BASE, data={**BASE.data, "b.csv": Bytes(digest="1")}), Bump.MINOR, "data b.csv is new"),
        (replace(BASE, own_params={"params.yaml": {"lr": 0.2}}), Bump.MINOR, "param lr changed"),
        (replace(BASE, own_params={}), Bump.MINOR, "param lr changed"),
        (replace(BASE, code={"train.py": "md5:9"}), Bump.MINOR, "code train.py changed"),
        (replace(BASE, code={}), Bump.MINOR, "code train.py is gone"),
        (replace(BASE, stages={"train": "python t.py"}), Bump.MINOR, "pipeline stage train changed"),
        (replace(BASE, stages={**BASE.stages, "a": "", "b": ""}), Bump.MINOR, "pipeline stages a, b are new"),
        (replace(BASE, environment={**RECORDED, "packages.numpy": "2"}), Bump.MINOR, "packages.numpy changed"),
        (replace(BASE, environment={}), Bump.MINOR, "what pins the environment is gone"),
        (replace(BASE, task="regression"), Bump.MAJOR, "the task was classification and is regression"),
        (
            replace(BASE, artifact=replace(MODEL, type="dataset")),
            Bump.MAJOR,
            "artifact's type was model and is dataset",
        ),
        (features("age", "plan", "city"), Bump.MAJOR, "input of the signature city is new"),
        (features("age"), Bump.MAJOR, "input of the signature plan is gone"),
        (features("plan", "age"), Bump.MAJOR, "the inputs of the signature are in another order or number"),
        (
            replace(BASE, signature=replace(SIGNATURE, classes=("no",))),
            Bump.MAJOR,
            "class of the signature yes is gone",
        ),
        (replace(BASE, signature=None), Bump.PATCH, "nothing differs"),
        (replace(BASE, signature=replace(SIGNATURE, source="MLmodel")), Bump.PATCH, "nothing differs"),
        (replace(BASE, task=None), Bump.PATCH, "nothing differs"),
    ],
)
def test_policy(now: Facts, level: Bump, reason: str) -> None:
    """One change, its level, and a sentence that names it."""
    found = suggest(BASE, now)
    assert found.level is level
    assert len(found.reasons) == 1
    assert reason in found.reasons[0]


def test_an_input_of_another_type() -> None:
    """The same name with another type breaks who calls the model."""
    other = replace(SIGNATURE, inputs=(Feature(name="age", type="int"), SIGNATURE.inputs[1]))
    found = suggest(BASE, replace(BASE, signature=other))
    assert (found.level, found.reasons) == (Bump.MAJOR, ("input of the signature age changed",))


@pytest.mark.parametrize(
    ("old", "new", "level"),
    [
        ({"recorded": False, "sha256": "1"}, {"recorded": False, "sha256": "2"}, Bump.MINOR),
        ({"recorded": False, "sha256": "1"}, {"recorded": True, "lock.sha256": "1", "packages.a": "1"}, Bump.PATCH),
        ({"recorded": False, "sha256": "1"}, {"recorded": True, "lock.sha256": "2"}, Bump.MINOR),
        ({"recorded": False, "sha256": "1"}, {"recorded": True, "packages.a": "1"}, Bump.PATCH),
        ({}, {"recorded": True}, Bump.MINOR),
    ],
)
def test_environments(old: dict[str, object], new: dict[str, object], level: Bump) -> None:
    """What pins packages is compared with what pins packages; what cannot be compared is no reason."""
    before, now = (replace(BASE, environment=side) for side in (old, new))  # type: ignore[arg-type]
    assert suggest(before, now).level is level


def test_all_reasons_are_given_and_the_highest_decides() -> None:
    """Reasons of a lower level stand behind those of a higher one."""
    found = suggest(BASE, replace(BASE, code={}, task="regression", own_params={}))
    assert found.level is Bump.MAJOR
    assert found.reasons == (
        "the task was classification and is regression",
        "param lr changed",
        "code train.py is gone",
    )


def test_many_names_are_counted() -> None:
    """Three are named."""
    code = {f"{n}.py": "1" for n in range(9)}
    found = suggest(replace(BASE, code={}), replace(BASE, code=code))
    assert found.reasons == ("code 0.py, 1.py, 2.py and 6 more are new",)


def test_bytes_without_a_recipe() -> None:
    """A model that no pipeline made says nothing of how it was made."""
    bare = Facts(artifact=MODEL)
    found = suggest(bare, replace(bare, artifact=replace(MODEL, digest="md5:9")))
    assert (found.level, found.reasons) == (Bump.PATCH, ("only the bytes differ; no recipe is recorded",))


def test_no_model() -> None:
    """Where one side has no model there is no next number to speak of."""
    assert suggest(Facts(), BASE).level is None
    assert suggest(BASE, Facts()).reasons == ("there is no model now",)


_CHANGES: list[Callable[[Facts], Facts]] = [
    lambda facts: replace(facts, task="regression"),
    lambda facts: replace(facts, signature=replace(SIGNATURE, classes=())),
    lambda facts: replace(facts, data={}),
    lambda facts: replace(facts, own_params={"p.yaml": {"x": 1}}),
    lambda facts: replace(facts, code={"a.py": None}),
    lambda facts: replace(facts, environment={}),
    lambda facts: replace(facts, metrics={}),
]


@given(st.lists(st.sampled_from(_CHANGES)), st.lists(st.sampled_from(_CHANGES)))
def test_the_level_is_the_same_both_ways_and_more_changes_never_lower_it(
    some: list[Callable[[Facts], Facts]], more: list[Callable[[Facts], Facts]]
) -> None:
    """The policy asks how far apart two points are, not in which direction."""
    less, both = BASE, BASE
    for change in some:
        less = both = change(both)
    for change in more:
        both = change(both)
    assert suggest(BASE, both).level == suggest(both, BASE).level
    assert (suggest(BASE, both).level or 0) >= (suggest(BASE, less).level or 0)


# What a configuration changes -----------------------------------------------------------------------------------


def test_every_cause_has_a_level() -> None:
    """The written policy leaves nothing open."""
    assert set(DEFAULT) == set(Cause)
    assert {level.name.lower() for level in DEFAULT.values()} == set(LEVELS)


_BY_CAUSE = {
    Cause.SIGNATURE: features("age"),
    Cause.TASK: replace(BASE, task="regression"),
    Cause.TYPE: replace(BASE, artifact=replace(MODEL, type="dataset")),
    Cause.DATA: replace(BASE, data={}),
    Cause.PARAMS: replace(BASE, own_params={}),
    Cause.CODE: replace(BASE, code={}),
    Cause.PIPELINE: replace(BASE, stages={}),
    Cause.ENVIRONMENT: replace(BASE, environment={}),
    Cause.RERUN: replace(BASE, artifact=replace(MODEL, digest="md5:9")),
}


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("level", [Bump.PATCH, Bump.MINOR, Bump.MAJOR])
def test_another_policy(cause: Cause, level: Bump) -> None:
    """Each cause has the level that it is given, and no other cause has."""
    for other, now in _BY_CAUSE.items():
        assert suggest(BASE, now, {cause: level}).level is (level if other is cause else DEFAULT[other])


def test_reasons_follow_the_policy() -> None:
    """Those that decide stand first, whatever they are by default."""
    found = suggest(BASE, replace(BASE, code={}, task="regression"), {Cause.TASK: Bump.PATCH})
    assert (found.level, found.reasons) == (
        Bump.MINOR,
        ("code train.py is gone", "the task was classification and is regression"),
    )
