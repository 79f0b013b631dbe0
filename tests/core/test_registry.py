"""The registry's state: the rules for holders, withdrawals and retirement, and that refs alone decide."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.core.records import Record
from dvc_modelver.core.registry import Registry
from dvc_modelver.core.stages import StageEvent, holder
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import NotFound
from tests.core.builders import Tags, v


def promoted(version: str | None = None, **more: Any) -> Record:
    """What our promote says."""
    return Record(event="promote", model="churn", version=version, stage="prod", **more)


def ended(tag: str, version: str | None = None) -> Record:
    """What our withdrawal from a stage says."""
    return Record(event="withdraw-stage", model="churn", version=version, stage="prod", ends=(tag,))


def held(tags: Tags, stage: str = "prod") -> str | None:
    """The version that a stage of `churn` holds, as text."""
    event = tags.registry().model("churn").holder(stage)
    return str(event.version) if event is not None else None


def two_versions() -> Tags:
    """`churn` with v1.0.0 on commit a and v2.0.0 on commit b."""
    tags = Tags()
    tags("churn@v1.0.0", "a")
    tags("churn@v2.0.0", "b")
    return tags


# Holders -------------------------------------------------------------------------------------------


def test_the_highest_counter_holds_whatever_the_clock_says() -> None:
    """A promote with a higher counter wins although its clock is an hour behind."""
    tags = two_versions()
    tags("churn#prod#1", "a", minutes=100)
    tags("churn#prod#2", "b", minutes=40)
    assert held(tags) == "v2.0.0"


def test_counters_are_numbers() -> None:
    """Event 10 comes after event 9, also within the same second."""
    tags = two_versions()
    tags("churn#prod#10", "b", minutes=50)
    tags("churn#prod#9", "a", minutes=50)
    assert held(tags) == "v2.0.0"


def test_no_counter_counts_as_zero() -> None:
    """A simple tag is before every counted one, however late it was made."""
    tags = two_versions()
    tags("churn#prod#1", "a", minutes=10)
    tags("churn#prod", "b", minutes=90)
    assert held(tags) == "v1.0.0"


def test_at_an_equal_counter_the_withdrawal_is_last() -> None:
    """Two people who promote and withdraw at once leave the stage empty, not to be decided by clocks."""
    tags = two_versions()
    tags("churn#prod!#5", "a", minutes=10, record=ended("churn#prod#5", "v1.0.0"))
    tags("churn#prod#5", "a", minutes=20)
    assert held(tags) is None


def test_a_withdrawal_ends_what_it_names_only() -> None:
    """A withdrawal of a version that has been replaced meanwhile changes nothing."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    tags("churn#prod#2", "b")
    tags("churn#prod!#3", "a", record=ended("churn#prod#1", "v1.0.0"))
    assert held(tags) == "v2.0.0"


def test_a_withdrawal_spares_anothers_promote_of_the_same_name() -> None:
    """Two clones made `#prod#1`, and one was published: the other one's withdrawal does not end its version."""
    tags = two_versions()
    tags("churn#prod#1", "b", record=promoted("v2.0.0"))
    tags("churn#prod!#2", "a", record=ended("churn#prod#1", "v1.0.0"))
    assert held(tags) == "v2.0.0"


def test_a_withdrawal_puts_nobody_back() -> None:
    """After the holder is withdrawn the stage is empty, though another version held it before."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    tags("churn#prod#2", "b")
    tags("churn#prod!#3", "b", record=ended("churn#prod#2", "v2.0.0"))
    assert held(tags) is None
    assert tags.registry().model("churn").stages() == {}


def test_a_withdrawal_without_a_record_ends_its_commits_version() -> None:
    """GTO's withdrawal names a commit: the stage is emptied while that commit's version holds it."""
    tags = two_versions()
    tags("churn#prod#1", "b")
    tags("churn#prod!#2", "b")
    assert held(tags) is None


def test_a_withdrawal_ends_every_stay_of_its_version() -> None:
    """Promoted twice in a row, the version is out after one withdrawal that names it."""
    tags = two_versions()
    tags("churn#prod#1", "a", record=promoted("v1.0.0"))
    tags("churn#prod#2", "a", record=promoted("v1.0.0"))
    tags("churn#prod!#3", "a", record=ended("churn#prod#1", "v1.0.0"))
    assert held(tags) is None


def test_promoting_again_fills_the_stage() -> None:
    """Going back to an earlier version is an ordinary promote."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    tags("churn#prod!#2", "a", record=ended("churn#prod#1", "v1.0.0"))
    tags("churn#prod#3", "a")
    assert held(tags) == "v1.0.0"


def test_stages_are_apart() -> None:
    """Each stage has its own holder, and counters run over all of them."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    tags("churn#dev#2", "b")
    tags("churn#dev!#3", "b", record=ended("churn#dev#2", "v2.0.0"))
    tags("churn#shadow#4", "b")
    model = tags.registry().model("churn")
    assert {stage: str(event.version) for stage, event in model.stages().items()} == {
        "prod": "v1.0.0",
        "shadow": "v2.0.0",
    }
    assert model.stage_names == ("dev", "prod", "shadow")
    assert model.highest_counter == 4


def test_a_withdrawn_version_holds_nothing() -> None:
    """Withdrawing a version empties its stages; the one before is not put back."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    tags("churn#prod#2", "b")
    tags("churn@v2.0.0!", "b")
    assert held(tags) is None


# Which version a stage tag means -------------------------------------------------------------------


def test_two_versions_on_one_commit() -> None:
    """Our record says which of the two is meant; without one it is the highest that was there already."""
    tags = Tags()
    tags("churn@v1.0.0", "a", minutes=1)
    tags("churn@v1.1.0", "a", minutes=2)
    tags("churn#prod#1", "a", minutes=3, record=promoted("v1.0.0"))
    tags("churn#dev#2", "a", minutes=4)
    tags("churn@v1.2.0", "a", minutes=5)
    assert (held(tags, "prod"), held(tags, "dev")) == ("v1.0.0", "v1.1.0")
    assert [str(n) for n in tags.registry().model("churn").versions_on("a" * 40)] == ["v1.0.0", "v1.1.0", "v1.2.0"]


def test_a_stage_on_a_commit_without_a_version() -> None:
    """The stage is held by the commit, and its version is unknown."""
    tags = two_versions()
    tags("churn#prod#1", "c")
    event = tags.registry().model("churn").holder("prod")
    assert event is not None
    assert (event.version, event.ref.target) == (None, "c" * 40)


def test_a_withdrawal_on_a_commit_without_a_version() -> None:
    """Where no version is known the commits are compared."""
    tags = two_versions()
    tags("churn#prod#1", "c")
    tags("churn#prod!#2", "a")
    assert held(tags) == "None"
    tags("churn#prod!#3", "c")
    assert held(tags) is None


def test_another_models_version_on_the_commit_does_not_count() -> None:
    """In a monorepo one commit has versions of several models, each its own."""
    tags = Tags()
    tags("ranker@v9.0.0", "a")
    tags("churn@v1.0.0", "a")
    tags("churn#prod#1", "a")
    assert held(tags) == "v1.0.0"


def test_a_record_of_another_model_is_not_believed() -> None:
    """A record that was made for another model says nothing about this one's stage."""
    tags = two_versions()
    tags("churn#prod#1", "b", record=Record(event="promote", model="ranker", version="v1.0.0"))
    assert held(tags) == "v2.0.0"


# Versions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "latest"),
    [
        (["v1.0.0", "v1.10.0", "v1.9.0"], "v1.10.0"),
        (["v1.0.0", "v2.0.0-rc.1"], "v1.0.0"),
        (["v2.0.0-rc.1", "v2.0.0-rc.10", "v2.0.0-rc.9"], "v2.0.0-rc.10"),
        (["v1.0.0", "v2.0.0", "v2.0.0!"], "v1.0.0"),
        (["v1.0.0", "v1.0.0!", "v1.1.0-rc.1"], "v1.1.0-rc.1"),
        (["v1.0.0", "v1.0.0!"], None),
        (["v1.0.0!"], None),
        (["v1.0.0+a", "v1.0.0"], "v1.0.0+a"),
    ],
)
def test_latest(names: list[str], latest: str | None) -> None:
    """The highest final version in use, a pre-release only without a final one, never a withdrawn one."""
    tags = Tags()
    for name in names:
        tags(f"churn@{name}")
    found = tags.registry().model("churn").latest
    assert (str(found) if found else None) == latest


def test_previous_passes_over_withdrawn_versions() -> None:
    """The version before is the highest lower one in use; a pre-release only when none is final."""
    tags = Tags()
    for name in ("v0.9.0-rc.1", "v1.0.0", "v1.1.0", "v1.1.0!", "v1.2.0-rc.1", "v1.2.0"):
        tags(f"churn@{name}")
    model = tags.registry().model("churn")
    assert [str(model.previous(v(name))) for name in ("v1.2.0", "v1.1.0", "v1.0.0", "v0.9.0-rc.1")] == [
        "v1.0.0",
        "v1.0.0",
        "v0.9.0-rc.1",
        "None",
    ]


def test_withdrawn_numbers_stay_taken() -> None:
    """A withdrawn number is taken for ever, also when the version's own tag is gone."""
    tags = Tags()
    tags("churn@v1.0.0")
    tags("churn@v1.1.0!")
    model = tags.registry().model("churn")
    assert model.taken == {v("v1.0.0"), v("v1.1.0")}
    assert (model.has(v("v1.1.0")), model.is_withdrawn(v("v1.1.0"))) == (False, True)
    assert model.versions == (v("v1.0.0"),)


def test_unknown_versions_name_near_ones() -> None:
    """Asking for a version that is not there names the nearest numbers, or says that there is none."""
    model = two_versions().registry().model("churn")
    with pytest.raises(NotFound) as missing:
        model.release_ref(v("v1.0.1"))
    assert "v1.0.0" in missing.value.hint
    with pytest.raises(NotFound) as empty:
        Tags().registry().model("churn").release_ref(v("v1.0.0"))
    assert "no version yet" in empty.value.hint


# Retirement ----------------------------------------------------------------------------------------


def test_retired_until_a_release_reopens_it() -> None:
    """The retirement stands until a release's record ends it; a second retirement stands again."""
    tags = two_versions()
    retirement = tags("churn@deprecated", "b")
    assert tags.registry().model("churn").retired_by == retirement
    tags("churn@v3.0.0", "c", record=Record(event="release", model="churn", ends=("churn@deprecated",)))
    assert tags.registry().model("churn").retired_by is None
    again = tags("churn@deprecated#1", "c")
    assert tags.registry().model("churn").retired_by == again


def test_a_record_that_does_not_reopen_leaves_it_retired() -> None:
    """A release of ours made elsewhere at the same time, without knowing of the retirement, does not reopen it."""
    tags = two_versions()
    tags("churn@deprecated", "b")
    tags("churn@v3.0.0", "c", record=Record(event="release", model="churn", version="v3.0.0"))
    assert tags.registry().model("churn").retired_by is not None


def test_gtos_later_release_reopens() -> None:
    """A release without a record reopens when it is later, as GTO has it; an earlier one does not."""
    tags = two_versions()
    tags("churn@deprecated", "b", minutes=50)
    assert tags.registry().model("churn").retired_by is not None
    tags("churn@v3.0.0", "c", minutes=51)
    assert tags.registry().model("churn").retired_by is None


# Faults --------------------------------------------------------------------------------------------


def test_bad_tags_cost_only_themselves() -> None:
    """Among faulty tags of every kind the sound ones are read; what was meant for us is a problem, the rest not."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    tags.lightweight("churn@v3.0.0")
    tags.lightweight("churn#prod#2")
    tags("churn@v4", "a")
    tags("churn@v5.0.0.0", "a")
    tags(f"churn@v6.0.{'9' * 300}", "a")
    tags("./bad=churn@v1.0.0", "a")
    tags("churn@created", "a")
    tags("release-1", "a")
    tags.lightweight("v1.0.0")
    registry = tags.registry()
    assert list(registry.models) == ["churn"]
    assert str(registry.model("churn").latest) == "v2.0.0"
    assert held(tags) == "v1.0.0"
    faulty = [problem.ref.removeprefix("refs/tags/")[:14] for problem in registry.problems]
    assert faulty == [
        "./bad=churn@v1",
        "churn#prod#2",
        "churn@v3.0.0",
        "churn@v4",
        "churn@v5.0.0.0",
        "churn@v6.0.999",
    ]
    assert all(problem.remedy for problem in registry.problems)


@pytest.mark.parametrize("fault", ["unreadable", "another name", "tree", "blob"])
def test_an_unsound_tag_decides_nothing(fault: str) -> None:
    """A tag that cannot be read, was made under another name or names no commit decides nothing."""
    tags = two_versions()
    tags("churn#prod#1", "a")
    for name in ("churn#prod#2", "churn@v9.0.0", "churn@v10.0.0", "churn@v2.0.0!", "churn@deprecated"):
        if fault == "unreadable":
            tags.unreadable(name, "b")
        elif fault == "another name":
            tags(name, "b", inner="ranker@v1.0.0")
        else:
            tags(name, "b", target_type=fault)
    model = tags.registry().model("churn")
    assert (held(tags), str(model.latest), str(model.highest_usable)) == ("v1.0.0", "v2.0.0", "v2.0.0")
    assert [event.ref.name for event in model.stage_events("prod")] == ["churn#prod#1"]
    assert v("v10.0.0") in model.taken
    assert model.withdrawn == frozenset()
    assert model.retired_by is None


def test_a_version_tagged_twice_on_one_commit_is_one_version() -> None:
    """`v1.0.0` and `v1.0.0#3` on the same commit are one version, shown by its shortest tag."""
    tags = Tags()
    tags("churn@v1.0.0#3", "a")
    tags("churn@v1.0.0", "a")
    registry = tags.registry()
    assert registry.model("churn").release_ref(v("v1.0.0")).name == "churn@v1.0.0"
    assert registry.model("churn").version_count == 1
    assert registry.problems == ()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_version_tagged_on_two_commits_is_a_problem(order: tuple[int, ...]) -> None:
    """One number with two contents is told, for every tag that differs from the one shown, in any order of refs."""
    tags = Tags()
    tags("churn@v1.0.0", "a")
    tags("churn@v1.0.0#3", "b")
    tags("churn@v1.0.0#4", "b")
    registry = tags.registry([tags.refs[at] for at in order])
    assert registry.model("churn").release_ref(v("v1.0.0")).target == "a" * 40
    assert [problem.ref for problem in registry.problems] == [
        "refs/tags/churn@v1.0.0#3",
        "refs/tags/churn@v1.0.0#4",
    ]


def test_every_sound_tag_is_named_once_with_its_counter() -> None:
    """`tag_refs` gives each tag with the very name that its ref has."""
    tags = Tags()
    names = [
        "churn@v1.0.0",
        "churn@v1.0.0#1",
        "churn@v1.1.0#2",
        "churn@v1.1.0!#3",
        "churn#prod",
        "churn#prod!#4",
        "churn@deprecated#5",
    ]
    for name in names:
        tags(name)
    found = list(tags.registry().model("churn").tag_refs())
    assert sorted(str(name) for name, _ in found) == sorted(names)
    assert all(str(name) == ref.name for name, ref in found)


def test_a_model_that_no_tag_knows_is_empty() -> None:
    """Any name gives a model; without tags it has no version, stage or event."""
    model = two_versions().registry().model("ranker")
    assert (model.latest, model.versions, model.stages(), model.retired_by, list(model.tag_refs())) == (
        None,
        (),
        {},
        None,
        [],
    )


def test_names_alone_answer_the_common_questions() -> None:
    """Versions and problems need no object, latest needs one; of a stage's long history only the end is read."""
    tags = two_versions()
    for counter in range(1, 40):
        tags(f"churn#prod#{counter}", "a", record=promoted("v1.0.0"))
    model = tags.registry().model("churn")
    assert (len(model.versions), model.stage_names, model.highest_counter) == (2, ("prod",), 39)
    assert tags.reads == []
    assert str(model.latest) == "v2.0.0"
    assert model.holder("prod") is not None
    assert set(tags.reads) == {tags.refs[1].oid, tags.refs[-1].oid}


# Laws over any set of tags -------------------------------------------------------------------------

_numbers = st.sampled_from(["v1.0.0", "v1.1.0", "v2.0.0-rc.1", "v2.0.0"])
_commits = st.sampled_from("abc")
_counters = st.sampled_from(["", "#1", "#2", "#3", "#4", "#10"])
_stages = st.sampled_from(["prod", "dev"])
_minutes = st.integers(1, 4)


@st.composite
def histories(draw: st.DrawFn) -> Tags:
    """Any tags of one or two models on three commits, under clocks that often agree or run backwards."""
    tags = Tags()
    seen: set[str] = set()
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(
            st.sampled_from(["release", "release", "promote", "promote", "promote", "end", "withdraw", "other"])
        )
        model = draw(st.sampled_from(["churn", "churn", "churn", "ranker"]))
        version, stage, counter = draw(_numbers), draw(_stages), draw(_counters)
        record = Record(event=kind, model=model, version=version, stage=stage, ends=(f"{model}#{stage}{counter}",))
        names = {
            "release": f"{model}@{version}{draw(st.sampled_from(['', '', '#1', '#2']))}",
            "promote": f"{model}#{stage}{counter}",
            "end": f"{model}#{stage}!{counter}",
            "withdraw": f"{model}@{version}!",
            "other": draw(st.sampled_from([f"{model}@deprecated", f"{model}@v1", f"{model}@created", "v1.0.0"])),
        }
        name = names[kind]
        if name not in seen:
            seen.add(name)
            how = draw(st.sampled_from(["plain", "plain", "record", "record", "light", "unreadable"]))
            if how == "light":
                tags.lightweight(name, draw(_commits))
            elif how == "unreadable":
                tags.unreadable(name, draw(_commits))
            else:
                said = record if how == "record" and kind != "other" else None
                tags(name, draw(_commits), minutes=draw(_minutes), record=said)
    return tags


def state(registry: Registry) -> dict[str, Any]:
    """All that a registry says."""
    models = {
        name: {
            "versions": model.versions,
            "refs": [model.release_ref(version) for version in model.versions],
            "latest": model.latest,
            "withdrawn": model.withdrawn,
            "taken": model.taken,
            "previous": [model.previous(version) for version in model.versions],
            "stages": model.stages(),
            "events": {stage: model.stage_events(stage) for stage in model.stage_names},
            "retired": model.retired_by,
            "counter": model.highest_counter,
            "tags": sorted((str(tag), ref) for tag, ref in model.tag_refs()),
        }
        for name, model in registry.models.items()
    }
    return {"models": models, "problems": registry.problems}


@settings(max_examples=200)
@given(histories(), st.randoms(use_true_random=False))
def test_state_is_a_function_of_the_set_of_refs(tags: Tags, random: Any) -> None:
    """In whatever order refs are listed, and however often the same are asked, the answer is the same."""
    shuffled: list[TagRef] = list(tags.refs)
    random.shuffle(shuffled)
    assert state(tags.registry(shuffled)) == state(tags.registry())


def slow_holder(events: Iterable[StageEvent], withdrawn: Iterable[Version]) -> StageEvent | None:
    """The definition word by word: sort all events, replay them one by one."""
    present: StageEvent | None = None
    is_end = {event.ref.name: event.event is Event.WITHDRAW_STAGE for event in events}
    for event in sorted(events, key=lambda e: (e.counter, is_end[e.ref.name], e.at, e.ref.name)):
        if not is_end[event.ref.name]:
            present = event
            continue
        if present is None:
            continue
        both_known = event.version is not None and present.version is not None
        same_commit = event.ref.target == present.ref.target
        named = present.ref.name in event.ends and same_commit
        if named or (event.version == present.version if both_known else same_commit):
            present = None
    return None if present is not None and present.version in withdrawn else present


@settings(max_examples=200)
@given(histories())
def test_the_fast_holder_is_the_slow_one(tags: Tags) -> None:
    """Reading only the last events of a stage gives what replaying all of them gives."""
    registry = tags.registry()
    for model in registry.models.values():
        for stage in model.stage_names:
            events = model.stage_events(stage)
            expected = slow_holder(events, model.withdrawn)
            assert model.holder(stage) == expected
            assert holder(events, model.withdrawn) == expected


@given(histories())
def test_withdrawn_versions_are_nowhere(tags: Tags) -> None:
    """Whatever happened, a withdrawn version holds no stage and is neither latest nor previous, and stays taken."""
    for model in tags.registry().models.values():
        offered = [model.latest, *(event.version for event in model.stages().values())]
        offered += [model.previous(version) for version in model.versions]
        assert not model.withdrawn & set(offered)
        assert model.withdrawn <= model.taken


@given(histories())
def test_only_gives_what_a_repository_with_those_tags_would(tags: Tags) -> None:
    """The state as of some tags is that of a repository that has only these."""
    chosen = {ref.name for ref in tags.refs[::2]}
    for name, model in tags.registry().models.items():
        expected = tags.registry([ref for ref in tags.refs if ref.name in chosen]).model(name)
        then = model.only(chosen)
        assert (then.versions, then.latest, then.stages(), then.retired_by) == (
            expected.versions,
            expected.latest,
            expected.stages(),
            expected.retired_by,
        )
