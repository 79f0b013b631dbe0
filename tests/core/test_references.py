"""How people name versions, and which one they mean."""

from __future__ import annotations

import pytest

from dvc_modelver.core.names import check_name
from dvc_modelver.core.references import Reference, canonical_name, parse_reference, resolve_version
from dvc_modelver.core.text import redact
from dvc_modelver.errors import BadInput, NotFound
from tests.core.builders import Tags, v


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("churn", Reference(name="churn")),
        ("churn@v1.2.0", Reference(name="churn", version=v("v1.2.0"))),
        ("churn@1.2.0", Reference(name="churn", version=v("v1.2.0"))),
        ("churn@latest", Reference(name="churn", latest=True)),
        ("churn#prod", Reference(name="churn", stage="prod")),
        ("path/to/dir:churn#prod", Reference(name="path/to/dir:churn", stage="prod")),
    ],
)
def test_every_form(text: str, expected: Reference) -> None:
    """Each form that the contract names is read, and its text is read to the same again."""
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *["", "@", "#", "@v1.0.0", "#prod", "churn@", "churn#", "churn@v1", "churn@V1.0.0", "churn@1.0", "churn#a/b"],
        *["a b", "churn#prod#1", "churn@v1.0.0!", "churn@v1.0.0#prod", "churn#prod@v1.0.0", "-d", "--output=F"],
        "churn@deprecated",
    ],
)
def test_bad_references(text: str) -> None:
    """What names nothing is bad input."""
    with pytest.raises(BadInput):
        parse_reference(text)


KNOWN = {"churn", "a:churn", "a/b:churn", "a/b:ranker", "deadbeef1"}


@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        ("churn", "", "churn"),
        ("churn", "a", "a:churn"),
        ("churn", "a/b", "a/b:churn"),
        ("churn", "a/b/c", "a/b:churn"),
        ("churn", "x/y", "churn"),
        ("a:churn", "a/b", "a:churn"),
        ("ranker", "a/b", "a/b:ranker"),
        ("deadbeef1", "", "deadbeef1"),
    ],
)
def test_the_nearest_model_upwards_is_meant(name: str, prefix: str, expected: str) -> None:
    """In a monorepo's directory a bare name is that directory's model, else one further up."""
    assert canonical_name(name, prefix, KNOWN) == expected


def test_unknown_models() -> None:
    """A model of that name elsewhere, or a near name, is offered; what reads as a revision is bad input."""
    with pytest.raises(NotFound) as elsewhere:
        canonical_name("ranker", "", KNOWN)
    assert elsewhere.value.hint == "did you mean a/b:ranker?"
    with pytest.raises(NotFound) as near:
        canonical_name("chrun", "", KNOWN)
    assert "churn" in near.value.hint
    with pytest.raises(BadInput, match="revision"):
        canonical_name("HEAD", "", KNOWN)
    with pytest.raises(BadInput, match="revision"):
        canonical_name("abcdef0123", "", KNOWN)


def test_which_version_is_meant() -> None:
    """A number is itself, a stage is its holder, a bare name and `latest` are the latest."""
    tags = Tags()
    tags("churn@v1.0.0", "a")
    tags("churn@v2.0.0", "b")
    tags("churn#prod#1", "a")
    model = tags.registry().model("churn")
    found = [
        str(resolve_version(model, parse_reference(f"churn{rest}"))) for rest in ("", "@latest", "@1.0.0", "#prod")
    ]
    assert found == ["v2.0.0", "v2.0.0", "v1.0.0", "v1.0.0"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("churn@v3.0.0", "no version v3.0.0"),
        ("churn#prod", "is empty"),
        ("churn#staging", "no stage staging"),
        ("churn#odd", "which no version names"),
        ("churn#gone", "which no version names"),
    ],
)
def test_what_is_not_there(text: str, words: str) -> None:
    """Unknown versions and stages, empty stages and stages without a version are not found, each in its own words."""
    tags = Tags()
    tags("churn@v1.0.0", "a")
    tags("churn#prod#1", "a")
    tags("churn#prod!#2", "a")
    tags("churn#odd#3", "c")
    tags("churn#gone#4", "d")
    with pytest.raises(NotFound, match=words) as missing:
        resolve_version(tags.registry().model("churn"), parse_reference(text))
    assert missing.value.hint


def test_a_model_without_a_latest() -> None:
    """Nothing released, or everything withdrawn: there is no latest version, and the reason is told."""
    with pytest.raises(NotFound, match="no version yet"):
        resolve_version(Tags().registry().model("churn"), parse_reference("churn"))
    tags = Tags()
    tags("churn@v1.0.0")
    tags("churn@v1.0.0!")
    with pytest.raises(NotFound, match="withdrawn"):
        resolve_version(tags.registry().model("churn"), parse_reference("churn@latest"))


@pytest.mark.parametrize(
    "text", ["https://user:pw@host", "https://user:1234@host@v1.0.0", "https://user:pw@host/x#prod"]
)
def test_a_url_is_refused_whole(text: str) -> None:
    """So that what is said can hide the password in front of the `@`."""
    with pytest.raises(BadInput) as caught:
        parse_reference(text)
    assert "user" not in redact(str(caught.value))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("churn@prod", "churn#prod"),
        ("dir:churn@shadow-2", "dir:churn#shadow-2"),
        ("churn#v1.2.0", "churn@v1.2.0"),
        ("churn#1.2.0-rc.1", "churn@1.2.0-rc.1"),
        ("churn#prod#3", "churn#prod"),
    ],
)
def test_one_mark_for_the_other(text: str, meant: str) -> None:
    """Who writes a stage behind `@`, a version behind `#` or a tag's counter is told what to write."""
    with pytest.raises(BadInput) as caught:
        parse_reference(text)
    assert caught.value.hint == f"did you mean {meant}?"
    parse_reference(meant)


@pytest.mark.parametrize("text", ["churn@v1.2.0", "churn#prod", "churn@x#y"])
def test_a_version_where_a_model_is_wanted(text: str) -> None:
    """The hint is the model's own name, not another one made of all that was written."""
    with pytest.raises(BadInput) as caught:
        check_name(text)
    assert caught.value.hint == "name the model alone: churn"
