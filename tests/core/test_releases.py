"""What a release decides: which version it is, whether it is refused, and which tags say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.bumps import Suggestion
from dvc_modelver.core.facts import Part, Slice
from dvc_modelver.core.records import BlobLine, FileLine, Record, parse_record, split_message
from dvc_modelver.core.releases import (
    Candidate,
    PlannedVersion,
    Prepared,
    Released,
    ReleaseOptions,
    plan_promote,
    plan_version,
    refuse_case_twin,
    slice_digest,
    tag_patterns,
)
from dvc_modelver.core.tags import parse_tag_name
from dvc_modelver.core.versions import Bump, Version
from dvc_modelver.errors import BadInput, Conflict, ExitCode, ModelverError, Refused
from tests.core.builders import Tags, commit, v

NOW = datetime(2026, 11, 21, 21, 30, 5, tzinfo=timezone.utc)
CONTENT = Released(
    path="models/churn.bin",
    digest="md5:abc",
    sha256="f" * 64,
    size=7,
    files=(FileLine("f" * 64, 7, "churn.bin"),),
    blobs=(BlobLine("b" * 40, "dvc.lock"),),
)


RERUN = Suggestion(level=Bump.PATCH, reasons=("the same recipe gave other bytes",))


def candidate(
    tags: Tags | None = None, at: str = "z", digest: str = "new", suggestion: Suggestion = RERUN
) -> Candidate:
    """`churn` at commit `at`; its slice is new unless `digest` is "old", that of the last version."""
    model = (tags or Tags()).registry().model("churn")
    return Candidate(
        model=model,
        commit=commit(at),
        taken=model.taken,
        counter=model.highest_counter,
        slice_digest=digest,
        last=model.latest,
        last_slice_digest="old" if model.latest else None,
        content=lambda: CONTENT,
        suggested=lambda: suggestion,
        retired_tag=model.retired_by.name if model.retired_by else None,
    )


def versions(*names: str) -> Tags:
    """`churn` with these versions, on commits a, b, c..."""
    tags = Tags()
    for letter, name in zip("abcdefgh", names, strict=False):
        tags(f"churn@{name}", letter)
    return tags


def plan(wanted: Candidate, **options: object) -> PlannedVersion:
    """The plan under these options."""
    return plan_version(wanted, ReleaseOptions(**options), NOW)  # type: ignore[arg-type]


def fails(wanted: Candidate, error: type[ModelverError], **options: object) -> ModelverError:
    """The error of a plan that must not be made; it names a next step."""
    with pytest.raises(error) as raised:
        plan(wanted, **options)
    assert raised.value.hint
    return raised.value


# Numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        ((), {}, "v0.1.0"),
        ((), {"bump": Bump.PRERELEASE}, "v0.1.0-rc.1"),
        ((), {"version": v("v3.0.0")}, "v3.0.0"),
        (("v1.2.3",), {}, "v1.2.4"),
        (("v1.2.3",), {"bump": Bump.MINOR}, "v1.3.0"),
        (("v1.2.3",), {"bump": Bump.MAJOR}, "v2.0.0"),
        (("v1.2.3",), {"bump": Bump.PRERELEASE}, "v1.2.4-rc.1"),
        (("v1.0.0-rc.1",), {}, "v1.0.0"),
        (("v1.2.3",), {"version": v("v5.0.0-beta")}, "v5.0.0-beta"),
        (("v1.2.3",), {"version": v("v1.0.0"), "force": True}, "v1.0.0"),
        (("v1.2.3",), {"scheme": "timestamp"}, "v2026.1121.213005"),
        (("v2026.1121.213005",), {"scheme": "timestamp"}, "v2026.1121.213006"),
        (("v1.2.3",), {"scheme": "timestamp", "version": v("v1.3.0")}, "v1.3.0"),
        (("v1.0.0", "v1.1.0", "v1.1.0!"), {}, "v1.1.1"),
    ],
)
def test_numbers(names: tuple[str, ...], options: dict[str, object], expected: str) -> None:
    """The number is the asked one, or the next of its kind and scheme above all that were used."""
    planned = plan(candidate(versions(*names)), **options)
    assert (str(planned.version), planned.new, planned.commit) == (expected, True, commit("z"))


def test_numbers_seen_elsewhere_are_passed_over() -> None:
    """A number that only the remote or the seen-log knows is not given again."""
    wanted = replace(candidate(versions("v1.0.0")), taken=frozenset({v("v1.0.0"), v("v1.0.7")}))
    assert str(plan(wanted).version) == "v1.0.8"
    assert "elsewhere" in fails(wanted, Conflict, version=v("v1.0.7")).message


def test_a_lower_number_is_refused_unless_meant() -> None:
    """A number below the highest, withdrawn or not, needs --force."""
    assert "v1.2.3" in fails(candidate(versions("v1.2.3")), Refused, version=v("v1.2.2")).message
    withdrawn = versions("v1.0.0", "v2.0.0", "v2.0.0!")
    assert "v2.0.0" in fails(candidate(withdrawn), Refused, version=v("v1.5.0")).message
    assert plan(candidate(withdrawn), version=v("v1.5.0"), force=True).new


def test_bump_and_timestamps_contradict() -> None:
    """Timestamps have no levels."""
    fails(candidate(versions("v1.0.0")), BadInput, scheme="timestamp", bump=Bump.MINOR)


# What changed --------------------------------------------------------------------------------------


def level(bump: Bump | None, *reasons: str) -> Suggestion:
    """What the policy says."""
    return Suggestion(level=bump, reasons=reasons or ("data raw.csv changed",))


def unasked() -> Suggestion:
    """In place of a comparison that nobody may ask for."""
    raise AssertionError("the policy was asked")


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (("v1.2.3",), Bump.PATCH, "v1.2.4"),
        (("v1.2.3",), Bump.MINOR, "v1.3.0"),
        (("v1.2.3",), Bump.MAJOR, "v2.0.0"),
        (("v1.0.0-rc.1",), Bump.PATCH, "v1.0.0"),
        (("v1.0.0-rc.1",), Bump.MAJOR, "v1.0.0"),
        (("v1.2.0-rc.1",), Bump.MAJOR, "v2.0.0"),
        ((), Bump.MAJOR, "v0.1.0"),
    ],
)
def test_what_changed_decides(names: tuple[str, ...], asked: Bump, expected: str) -> None:
    """Without a bump the policy says how far to go; the first version is what it always was."""
    found = plan(candidate(versions(*names), suggestion=level(asked)))
    assert str(found.version) == expected


def test_the_record_says_what_decided() -> None:
    """Level and first reasons, on one line; a level that was asked for needs none."""
    known = candidate(versions("v1.0.0"), suggestion=level(Bump.MINOR, "a", "b\nc", "d", "e"))
    record = plan(known).tags[0].record
    assert (record.bump, record.reason) == ("minor", "a; b c; d; and 1 more")
    assert parse_record(split_message(plan(known).tags[0].message)[1]) == record
    assert plan(known, bump=Bump.MINOR).tags[0].record.reason is None
    assert (
        len(plan(candidate(versions("v1.0.0"), suggestion=level(Bump.MINOR, "x" * 9999))).tags[0].record.reason or "")
        == 500
    )


def test_a_secret_reaches_no_record() -> None:
    """A reason may name a URL with a password, or a token."""
    known = candidate(versions("v1.0.0"), suggestion=level(Bump.MINOR, "data https://ada:hunter2@host/x.csv changed"))
    planned = plan(known)
    assert planned.chosen is not None
    assert "hunter2" not in f"{planned.chosen} {planned.tags[0].message} {fails(known, Refused, bump=Bump.PATCH)}"
    assert planned.tags[0].record.reason == "data https://***@host/x.csv changed"


@pytest.mark.parametrize(
    ("bump", "asked"), [(Bump.PATCH, Bump.MINOR), (Bump.PATCH, Bump.MAJOR), (Bump.MINOR, Bump.MAJOR)]
)
def test_a_bump_that_is_too_low(bump: Bump, asked: Bump) -> None:
    """Refused with the policy's level and reasons; forced, the record says what it should have been."""
    known = candidate(versions("v1.2.3"), suggestion=level(asked))
    error = fails(known, Refused, bump=bump)
    assert error.message.endswith(f"since v1.2.3 asks for: {asked.name.lower()}: data raw.csv changed")
    assert "--force-bump" in error.hint
    forced = plan(known, bump=bump, force_bump=True)
    assert str(forced.version) == {Bump.PATCH: "v1.2.4", Bump.MINOR: "v1.3.0"}[bump]
    record = forced.tags[0].record
    assert record.bump == bump.name.lower()
    assert record.reason == f"--force-bump instead of {asked.name.lower()}: data raw.csv changed"


def test_the_same_number_is_not_too_low() -> None:
    """After `v1.0.0-rc.1` every level leads to `v1.0.0`."""
    assert (
        str(plan(candidate(versions("v1.0.0-rc.1"), suggestion=level(Bump.MAJOR)), bump=Bump.PATCH).version) == "v1.0.0"
    )


def test_nobody_can_say() -> None:
    """Where the two cannot be compared it is a patch, with a reason; an asked level is not refused."""
    known = candidate(versions("v1.2.3"), suggestion=level(None, "there is no model before"))
    found = plan(known)
    assert str(found.version) == "v1.2.4"
    assert found.tags[0].record.reason == "what changed since v1.2.3 cannot be told: there is no model before"
    assert [str(plan(known, bump=bump).version) for bump in (Bump.PATCH, Bump.MINOR)] == ["v1.2.4", "v1.3.0"]


@pytest.mark.parametrize(
    "options",
    [
        {"bump": Bump.MAJOR},
        {"bump": Bump.PRERELEASE},
        {"version": v("v1.2.4")},
        {"scheme": "timestamp"},
        {"force_bump": True, "bump": Bump.MAJOR},
    ],
)
def test_the_policy_is_not_asked_in_vain(options: dict[str, object]) -> None:
    """Comparing costs time: nobody does where the number does not depend on it."""
    assert plan(replace(candidate(versions("v1.0.0")), suggested=unasked), **options).new
    assert plan(replace(candidate(), suggested=unasked)).new
    unchanged = candidate(versions("v1.0.0"), digest="old")
    assert not plan(replace(unchanged, suggested=unasked), bump=Bump.PATCH).new
    assert plan(replace(prepared("v1.1.0", versions("v1.0.0")), suggested=unasked)).new


_levels = st.sampled_from([Bump.PATCH, Bump.MINOR, Bump.MAJOR])


@given(
    st.lists(st.sampled_from(["v0.1.0", "v1.0.0-rc.1", "v1.0.0", "v1.1.0-a", "v1.1.0"]), min_size=1, unique=True),
    st.sampled_from(list(Bump)),
    _levels,
)
def test_no_number_is_below_the_policy(names: list[str], bump: Bump, asked: Bump) -> None:
    """A level that was asked for gives the policy's number or one above it, or is refused."""
    known = candidate(versions(*names), suggestion=level(asked))
    least = plan(known).version
    if bump is not Bump.PRERELEASE and plan(known, bump=bump, force_bump=True).version < least:
        fails(known, Refused, bump=bump)
    elif bump is not Bump.PRERELEASE:
        assert plan(known, bump=bump).version >= least


# Prepared numbers ----------------------------------------------------------------------------------


def prepared(number: str, tags: Tags | None = None, *, binding: bool = True, taken: Sequence[str] = ()) -> Candidate:
    """A candidate whose card was prepared for `number`; `taken` are numbers that came elsewhere."""
    known = candidate(tags)
    return replace(
        known,
        prepared=Prepared(version=v(number), binding=binding),
        taken=known.taken | frozenset(map(v, taken)),
    )


@pytest.mark.parametrize("names", [(), ("v1.0.0",), ("v1.9.9",), ("v2.0.0-rc.1",), ("v0.1.0", "v1.9.9", "v1.9.9!")])
@pytest.mark.parametrize("scheme", ["semver", "timestamp"])
@pytest.mark.parametrize("binding", [False, True])
def test_a_prepared_number_is_taken(names: tuple[str, ...], scheme: str, binding: bool) -> None:
    """The number that the card was prepared for is the version's, however far above the highest it is."""
    planned = plan(prepared("v2.0.0", versions(*names), binding=binding), scheme=scheme)
    assert (str(planned.version), planned.new, planned.commit) == ("v2.0.0", True, commit("z"))
    assert [tag.name for tag in planned.tags] == ["churn@v2.0.0"]


def test_a_prepared_timestamp_is_taken() -> None:
    """A card that was prepared yesterday keeps yesterday's number."""
    wanted = prepared("v2026.1120.80000", versions("v2026.1119.1"))
    assert str(plan(wanted, scheme="timestamp").version) == "v2026.1120.80000"


GONE = pytest.mark.parametrize(
    ("taken", "why"),
    [
        (["v1.1.0"], "that number is taken by now"),
        (["v1.1.0", "v1.2.0"], "that number is taken by now"),
        (["v1.2.0"], "v1.2.0 came meanwhile"),
        (["v1.1.1-rc.1"], "v1.1.1-rc.1 came meanwhile"),
    ],
)


@GONE
@pytest.mark.parametrize("scheme", ["semver", "timestamp"])
@pytest.mark.parametrize("force", [False, True])
def test_a_reviewed_number_that_is_gone_is_a_conflict(taken: list[str], why: str, scheme: str, force: bool) -> None:
    """Taken anywhere, or below a higher number: 4, with the card's number, the reason and what to do."""
    wanted = prepared("v1.1.0", versions("v1.0.0"), taken=taken)
    error = fails(wanted, Conflict, scheme=scheme, force=force)
    assert error.code is ExitCode.CONFLICT
    assert error.message == f"the card of churn was prepared for v1.1.0, and {why}"
    assert "modelver release churn --prepare" in error.hint


@GONE
def test_a_number_that_binds_nobody_gives_way(taken: list[str], why: str) -> None:
    """Where the card may still be written again, the number is the next one, as if nothing had been prepared."""
    wanted = prepared("v1.1.0", versions("v1.0.0"), binding=False, taken=taken)
    for options in ({}, {"scheme": "timestamp"}, {"bump": Bump.MINOR}):
        assert plan(wanted, **options).version == plan(replace(wanted, prepared=Prepared()), **options).version
    assert plan(wanted).version > max(wanted.taken), why


@pytest.mark.parametrize(
    ("bump", "free", "taken"),
    [
        (Bump.PATCH, "v1.1.1", "v1.1.1"),
        (Bump.MINOR, "v1.1.0", "v1.2.0"),
        (Bump.MAJOR, "v2.0.0", "v2.0.0"),
        (Bump.PRERELEASE, "v1.1.1-rc.1", "v1.1.1-rc.1"),
    ],
)
@pytest.mark.parametrize("binding", [False, True])
def test_an_explicit_bump_never_goes_below_the_prepared_number(
    bump: Bump, free: str, taken: str, binding: bool
) -> None:
    """The asked level from the highest is the prepared number or above it, else the level is taken from that."""
    tags = versions("v1.0.0")
    assert str(plan(prepared("v1.1.0", tags, binding=binding), bump=bump).version) == free
    assert str(plan(prepared("v1.1.0", tags, binding=binding, taken=["v1.1.0"]), bump=bump).version) == taken


_small = st.sampled_from([
    v(name) for name in ("v0.1.0", "v1.0.0-rc.1", "v1.0.0-rc.2", "v1.0.0", "v1.0.1", "v1.1.0-a", "v1.1.0", "v2.0.0")
])  # fmt: skip


@given(st.lists(_small, max_size=4), _small, st.sampled_from([None, *Bump]), st.booleans())
def test_any_prepared_number(taken: list[Version], wanted: Version, bump: Bump | None, binding: bool) -> None:
    """A new number is above all that were ever used, and, while the prepared one is free, not below that either."""
    known = replace(candidate(), taken=frozenset(taken), prepared=Prepared(version=wanted, binding=binding))
    free = all(wanted > other for other in taken)
    if bump is None and binding and not free:
        fails(known, Conflict)
        return
    found = plan(known, bump=bump).version
    assert all(found > other for other in taken)
    assert not free or found >= wanted
    assert bump is not None or not free or found == wanted


def test_an_explicit_number_goes_over_the_prepared_one() -> None:
    """`--version` is what was asked last, above or below the card's number, and also where that is gone."""
    for number in ("v1.0.1", "v1.1.0", "v5.0.0"):
        assert str(plan(prepared("v1.1.0", versions("v1.0.0")), version=v(number)).version) == number
    gone = prepared("v1.1.0", versions("v1.0.0"), taken=["v1.1.0"])
    assert str(plan(gone, version=v("v1.1.1")).version) == "v1.1.1"


def test_a_bump_has_no_meaning_for_prepared_timestamps() -> None:
    """As for any timestamp."""
    fails(prepared("v2026.1120.80000"), BadInput, scheme="timestamp", bump=Bump.MINOR)


def test_a_prepared_card_is_no_reason_for_a_second_version() -> None:
    """An unchanged model, and a commit that is a version, stay what they are, until a second one is asked for."""
    tags = versions("v1.0.0")
    number = Prepared(version=v("v1.1.0"), binding=True)
    assert not plan(replace(candidate(tags, digest="old"), prepared=number)).new
    here = replace(candidate(tags, at="a"), prepared=number)
    assert not plan(here).new
    assert str(plan(here, same_commit=True).version) == "v1.1.0"


# What is there already -----------------------------------------------------------------------------


def test_the_same_number_on_the_same_commit_is_there_already() -> None:
    """Asking again for what exists changes nothing, also when a higher version came after."""
    planned = plan(candidate(versions("v1.0.0", "v2.0.0"), at="a"), version=v("v1.0.0"))
    assert (str(planned.version), planned.new, planned.tags, planned.commit) == ("v1.0.0", False, (), commit("a"))


def test_the_same_number_elsewhere_is_a_conflict() -> None:
    """A number names one commit for ever, --force or not."""
    for force in (False, True):
        assert (
            commit("a")[:12] in fails(candidate(versions("v1.0.0")), Conflict, version=v("v1.0.0"), force=force).message
        )


def test_a_withdrawn_number_is_a_conflict() -> None:
    """A withdrawn number is never used again, not even on its own commit; the hint names the highest in use."""
    tags = versions("v1.0.0", "v2.0.0")
    tags("churn@v1.0.0!", "a")
    for at in "az":
        error = fails(candidate(tags, at=at), Conflict, version=v("v1.0.0"), force=True, same_commit=True)
        assert "v2.0.0" in error.hint


def test_a_commit_that_is_a_version_is_there_already() -> None:
    """Without a number the commit's version is the answer, the highest one of several."""
    tags = versions("v1.0.0", "v3.0.0")
    tags("churn@v2.0.0", "a")
    planned = plan(candidate(tags, at="a"))
    assert (str(planned.version), planned.new) == ("v2.0.0", False)


def test_an_unchanged_slice_is_there_already() -> None:
    """When nothing that makes the model changed, the last version is the answer, on its own commit."""
    planned = plan(candidate(versions("v1.0.0", "v1.1.0"), digest="old"))
    assert (str(planned.version), planned.new, planned.commit, planned.tags) == ("v1.1.0", False, commit("b"), ())


def test_an_unchanged_slice_under_another_number_is_refused() -> None:
    """A number was asked for, so that the answer cannot be another one: refused, unless unchanged is fine."""
    wanted = candidate(versions("v1.0.0"), digest="old")
    assert "v1.0.0" in fails(wanted, Refused, version=v("v2.0.0")).message
    for option in ("allow_unchanged", "same_commit"):
        assert plan(wanted, version=v("v2.0.0"), **{option: True}).new


def test_unchanged_is_allowed_on_request() -> None:
    """--allow-unchanged gives the next number to the same content, yet not to the same commit."""
    tags = versions("v1.0.0")
    assert str(plan(candidate(tags, digest="old"), allow_unchanged=True).version) == "v1.0.1"
    assert not plan(candidate(tags, at="a", digest="old"), allow_unchanged=True).new


def test_a_second_version_on_a_commit_needs_a_word() -> None:
    """GTO cannot read two versions on one commit, so that the second is made with --same-commit only."""
    wanted = candidate(versions("v1.0.0"), at="a")
    error = fails(wanted, Refused, version=v("v2.0.0"))
    assert "--same-commit" in error.hint
    assert str(plan(wanted, version=v("v2.0.0"), same_commit=True).version) == "v2.0.0"
    assert str(plan(wanted, same_commit=True).version) == "v1.0.1"


def test_a_withdrawn_commit_is_not_released_again_by_mistake() -> None:
    """A commit whose only version was withdrawn is refused, until the withdrawal is called the mistake."""
    tags = versions("v1.0.0", "v1.1.0")
    tags("churn@v1.1.0!", "b")
    wanted = candidate(tags, at="b")
    assert "withdrawn" in fails(wanted, Refused).message
    assert str(plan(wanted, same_commit=True).version) == "v1.1.1"


# Retirement ----------------------------------------------------------------------------------------


def test_a_retired_model_is_reopened_only_on_request() -> None:
    """Refused while retired; with --unretire the release's record ends the retirement."""
    tags = versions("v1.0.0")
    tags("churn@deprecated", "a")
    assert "--unretire" in fails(candidate(tags), Refused).hint
    (tag,) = plan(candidate(tags), unretire=True).tags
    assert tag.record.ends == ("churn@deprecated",)


def test_unretire_without_need_ends_nothing() -> None:
    """The option on a model that is not retired leaves no trace."""
    (tag,) = plan(candidate(versions("v1.0.0")), unretire=True).tags
    assert tag.record.ends == ()


# Tags ----------------------------------------------------------------------------------------------


def test_the_tag_says_all() -> None:
    """Name, message and record of a release hold what was asked and found, and come apart again."""
    (tag,) = plan(candidate(versions("v1.0.0", "v1.1.0-rc.1")), message="Because", bump=Bump.MINOR).tags
    assert (tag.name, tag.commit) == ("churn@v1.1.0", commit("z"))
    words, paragraph = split_message(tag.message)
    assert words == "Release churn v1.1.0\n\nBecause"
    assert parse_record(paragraph) == Record(
        event="release",
        model="churn",
        version="v1.1.0",
        path="models/churn.bin",
        digest="md5:abc",
        sha256="f" * 64,
        size=7,
        files=CONTENT.files,
        blobs=CONTENT.blobs,
        slice_digest="new",
        previous="v1.0.0",
        bump="minor",
    )


@pytest.mark.parametrize(
    ("options", "bump"),
    [
        ({}, "patch"),
        ({"bump": Bump.PRERELEASE}, "prerelease"),
        ({"version": v("v9.0.0")}, "version"),
        ({"scheme": "timestamp"}, "timestamp"),
    ],
)
def test_the_record_says_how_the_number_came(options: dict[str, object], bump: str) -> None:
    """The level, the scheme, or that the number was given."""
    assert plan(candidate(versions("v1.0.0")), **options).tags[0].record.bump == bump


def test_the_record_says_that_the_number_was_prepared() -> None:
    """No level led to it: it was reviewed with the card."""
    assert plan(prepared("v2.0.0", versions("v1.0.0"))).tags[0].record.bump == "prepared"


def test_the_first_version_has_no_previous() -> None:
    """Neither plan nor record name a version before the first."""
    planned = plan(candidate())
    assert (planned.previous, planned.tags[0].record.previous) == (None, None)


def test_release_into_a_stage() -> None:
    """With a stage a second tag promotes the new version, one above the highest counter."""
    tags = versions("v1.0.0")
    tags("churn#dev#7", "a")
    release, promote = plan(candidate(tags), stage="prod", message="Why").tags
    assert (release.name, promote.name) == ("churn@v1.0.1", "churn#prod#8")
    assert (promote.commit, promote.record.version, promote.record.stage) == (commit("z"), "v1.0.1", "prod")
    assert "Why" in promote.message


def test_release_of_what_is_there_into_a_stage() -> None:
    """With a stage, an existing version is promoted to it, unless it holds it already."""
    tags = versions("v1.0.0")
    planned = plan(candidate(tags, at="a"), stage="prod")
    assert [tag.name for tag in planned.tags] == ["churn#prod#1"]
    assert (planned.new, planned.tags[0].commit) == (False, commit("a"))
    tags("churn#prod#1", "a")
    assert plan(candidate(tags, at="a"), stage="prod").tags == ()


def test_a_promote_names_whom_it_replaces() -> None:
    """The record of a promote has the previous holder; of an empty stage none."""
    tags = versions("v1.0.0", "v2.0.0")
    model = tags.registry().model("churn")
    assert plan_promote(model, v("v1.0.0"), "prod", commit("a"), 0, "").record.previous is None
    tags("churn#prod#1", "a")
    model = tags.registry().model("churn")
    assert plan_promote(model, v("v2.0.0"), "prod", commit("b"), 1, "").record.previous == "v1.0.0"


def test_monorepo_tags_are_written_with_an_equals_sign() -> None:
    """A canonical name with a colon gives a tag that Git allows and that is read to the same name."""
    tags = Tags()
    tags("path/to=churn@v1.0.0", "a")
    model = tags.registry().model("path/to:churn")
    tag = plan_promote(model, v("v1.0.0"), "prod", commit("a"), 4, "")
    assert tag.name == "path/to=churn#prod#5"
    parsed = parse_tag_name(tag.name)
    assert parsed is not None
    assert parsed.name == tag.record.model == "path/to:churn"


# Small decisions -----------------------------------------------------------------------------------


def test_slice_digest_sees_every_part_and_no_order() -> None:
    """Slices are the same exactly when their parts are; the order they come in says nothing."""
    one, two = Part(kind="code", path="a.py", digest="1"), Part(kind="code", path="b.py", digest="2")
    base = slice_digest(Slice(parts=(one, two), files=(), outputs=()))
    assert base == slice_digest(Slice(parts=(two, one), files=("x",), outputs=()))
    others = [
        (one,),
        (one, replace(two, digest="3")),
        (one, replace(two, path="c.py")),
        (one, replace(two, kind="lock")),
    ]
    digests = {slice_digest(Slice(parts=parts, files=(), outputs=())) for parts in others}
    assert len(digests | {base}) == 5


def test_names_that_differ_in_case_alone() -> None:
    """`Fraud` beside `fraud` is refused unless forced; the same name again is no twin."""
    with pytest.raises(Refused, match="fraud"):
        refuse_case_twin("Fraud", ["fraud", "churn"], force=False)
    refuse_case_twin("Fraud", ["fraud"], force=True)
    refuse_case_twin("fraud", ["fraud", "churn"], force=False)


def test_remote_patterns_cover_all_tags_of_a_model() -> None:
    """Versions, stages and the retirement of one model are asked for, in the form of tags."""
    assert tag_patterns("a/b:churn") == ("refs/tags/a/b=churn@*", "refs/tags/a/b=churn#*")
