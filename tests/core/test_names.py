"""Names of models and stages: what can be tagged, and what is suggested for what cannot."""

from __future__ import annotations

import subprocess

import pytest
from gto.constants import assert_fullname_is_valid
from gto.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.names import (
    check_name,
    check_stage,
    from_tag,
    name_problem,
    near,
    nearest_valid,
    reads_as_revision,
    stage_problem,
    to_tag,
)
from dvc_modelver.core.tags import parse_tag_name
from dvc_modelver.errors import BadInput

GOOD = ["churn", "a", "A1", "x-y_z", "team/churn", "path/to/dir:churn", "a.b/c-d:e/f", "0", "fraud2", "deadbeef"]
# fmt: off
BAD = [
    "-x", "a b", "a..b", "a~1", "a^", "a:", "a?", "a[", "a\\b", "a//b", "/a", "a/", "../x:y", "", ":a", "a:b:c",
    "a.b", "a=b", "a@b", "a#b", "a!", "_a", "a_", "a-", "x\x1b[31m", "a\u202eb", "a\u200bb", "modèle", "模型",
    "a\n", "٣", ".:a", "./a:b", "a/../b:c", "a.lock:b", "a.lock/c:b", "/a:b", "a/:b", "-a:b", ".git:a", "a/.b:c",
    "a b:c",
]
# fmt: on


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    """A good name is handed back as it is, Git takes its tag, and the tag is read to the same name."""
    assert check_name(name) == name
    tag = f"{to_tag(name)}@v1.0.0"
    assert subprocess.run(["git", "check-ref-format", f"refs/tags/{tag}"]).returncode == 0
    parsed = parse_tag_name(tag)
    assert parsed is not None
    assert parsed.name == name


@pytest.mark.parametrize("name", BAD)
def test_bad_names(name: str) -> None:
    """A bad name is refused in words that are safe to print, and is never silently another one."""
    assert name_problem(name)
    with pytest.raises(BadInput) as refused:
        check_name(name)
    assert refused.value.message.isascii()
    assert refused.value.message.isprintable()


@given(st.text(st.sampled_from("aB1-_/.:=@#! é\n\x1b"), max_size=10))
def test_a_name_without_a_problem_makes_a_tag(name: str) -> None:
    """Whatever passes is valid for GTO, keeps its meaning in a tag, and holds nothing that Git refuses."""
    if name_problem(name) is not None:
        return
    assert_fullname_is_valid(name)
    parsed = parse_tag_name(f"{to_tag(name)}#prod#1")
    assert parsed is not None
    assert parsed.name == name
    assert not any(part.startswith(".") or part.endswith((".", ".lock")) or not part for part in name.split("/"))


@given(st.text(max_size=12))
def test_what_gto_refuses_we_refuse(name: str) -> None:
    """No name passes here that GTO could not read."""
    try:
        assert_fullname_is_valid(name)
    except ValidationError:
        assert name_problem(name)


@given(st.text(st.characters(), max_size=15))
def test_the_suggestion_is_valid(name: str) -> None:
    """What is proposed instead can be tagged; a name that is fine already is proposed unchanged."""
    suggestion = nearest_valid(name)
    assert suggestion == "" or name_problem(suggestion) is None
    if name_problem(name) is None:
        assert suggestion == name


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("churn model", "churn-model"), ("churn.v2", "churn-v2"), ("-x", "x"), ("a//b", "a/b"), ("../x:y", "x:y")],
)
def test_suggestions_are_near(name: str, suggestion: str) -> None:
    """The refusal's hint names the nearest name that can be tagged."""
    with pytest.raises(BadInput) as refused:
        check_name(name)
    assert refused.value.hint == f"try {suggestion}"


@pytest.mark.parametrize("name", ["HEAD", "refs/heads/main", "refs/tags/x", "a" * 40, "0123456789abcdef" * 4])
def test_revisions_are_no_names(name: str) -> None:
    """What Git itself would read as a revision cannot name a model."""
    assert reads_as_revision(name)
    with pytest.raises(BadInput, match="revision"):
        check_name(name)


@pytest.mark.parametrize("stage", ["prod", "a", "eu-west_1", "Staging2"])
def test_good_stages(stage: str) -> None:
    """A good stage is handed back, whether or not stages are configured."""
    assert check_stage(stage) == check_stage(stage, ["x", stage]) == stage


@pytest.mark.parametrize("stage", ["", "a/b", "-x", "x-", "a b", "a.b", "prod!", "prod#1", "pröd", "p\n", "٣", "p\x1b"])
def test_bad_stages(stage: str) -> None:
    """What a stage's tag could not hold, and a slash, is refused."""
    assert stage_problem(stage)
    with pytest.raises(BadInput):
        check_stage(stage)


def test_stages_that_are_not_configured() -> None:
    """With stages configured another one is refused, and the configured ones are named."""
    with pytest.raises(BadInput) as refused:
        check_stage("production", ["staging", "prod"])
    assert refused.value.hint == "one of: staging, prod"


def test_near_words() -> None:
    """A slip of the finger is corrected whatever its case; something quite different is not."""
    assert near("churm", ["churn", "ranker"]) == "did you mean churn?"
    assert near("CHURN", ["churn", "ranker"]) == "did you mean churn?"
    assert near("zzz", ["churn", "ranker"]) == ""


@given(st.from_regex(r"([a-z./]{1,5}:)?[a-z/]{1,5}", fullmatch=True))
def test_tag_form_is_reversible(name: str) -> None:
    """The colon of a monorepo's name is written `=` in tags, and comes back."""
    assert from_tag(to_tag(name)) == name
    assert ":" not in to_tag(name)
