"""Sections that people have to write, and those that they have not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.cards.document import parse_card, replace_blocks
from dvc_modelver.cards.sections import Reason, missing_sections, required_sections, sections

CARD = """\
---
license: mit
---
# Model

Intended
use
---

Words.

## Limitations ##

<!-- what fails? -->

### More

```
# no heading
```

## Data

<!-- modelver:begin data -->
<!-- modelver:end data -->

> ## quoted
- # in a list

## Contact

[More Information Needed]
"""


def test_sections_have_title_level_line_and_body() -> None:
    """ATX and setext headings outside code, lists and quotes, each up to the next of its level."""
    found = sections(parse_card(CARD))
    assert [(section.title, section.level, section.line) for section in found] == [
        ("Model", 1, 4),
        ("Intended use", 2, 6),
        ("Limitations", 2, 12),
        ("More", 3, 16),
        ("Data", 2, 22),
        ("Contact", 2, 30),
    ]
    bodies = [CARD[slice(*section.body)] for section in found]
    assert bodies[1] == "\nWords.\n\n"
    assert bodies[2].startswith("\n<!-- what")
    assert bodies[2].endswith("```\n\n")
    assert bodies[5] == "\n[More Information Needed]\n"


def missing(text: str, *required: str) -> list[tuple[str, Reason, int | None]]:
    return [(found.title, found.reason, found.line) for found in missing_sections(parse_card(text), required)]


def test_missing_sections() -> None:
    """Absent, empty or still with the placeholder; in the order asked, with the heading's line."""
    assert missing(CARD, "Contact", "Ethics", "Intended use") == [
        ("Contact", Reason.PLACEHOLDER, 30),
        ("Ethics", Reason.ABSENT, None),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", Reason.EMPTY),
        ("<!-- a hint\nof two lines -->\n", Reason.EMPTY),
        ("### Sub\n\nSub\n===\n", Reason.EMPTY),
        ("---\n", Reason.EMPTY),
        ("<!-- modelver:begin x -->\ngenerated\n<!-- modelver:end x -->\n", Reason.EMPTY),
        ("Text. [More information needed]\n", Reason.PLACEHOLDER),
        ("- a: \\[More Information Needed\\]\n", Reason.PLACEHOLDER),
        ("Text\n\n### Sub\n\n[More Information Needed]\n", Reason.PLACEHOLDER),
        ("Text\n", None),
        ("- item\n", None),
        ("| a |\n|---|\n", None),
        ("### Sub\n\nText\n", None),
        ("```\n[More Information Needed]\n```\n", None),
        ("![plot](x.svg)\n", None),
        ("<img src=x>\n", None),
    ],
)
def test_what_counts_as_written(body: str, reason: Reason | None) -> None:
    """Comments, generated blocks, rules and headings are no content; all else is."""
    found = missing(f"## Intended use\n\n{body}\n## Next\n", "Intended use")
    assert [found for _, found, _ in found] == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    "title", ["intended USE", "2. Intended use", "**Intended use**", "(a) Intended use:", "2.1 Intended  use"]
)
def test_titles_are_compared_as_people_mean_them(title: str) -> None:
    """Case, numbering, emphasis and a colon make no difference; of two such sections a written one is enough."""
    assert missing(f"# {title}\n\nText\n", "Intended use") == []
    assert missing(f"# Intended use\n\n# {title}\n\nText\n", "Intended use") == []


def test_a_card_says_what_it_requires() -> None:
    """Comment lines list the sections; in code they are text, and generated text adds none."""
    text = (
        "<!-- modelver:required A; B c -->\n```\n<!-- modelver:required X -->\n```\n<!-- modelver:required B c;D -->\n"
    )
    assert required_sections(parse_card(text)) == ("A", "B c", "D")


STAGED = """\
<!-- modelver:required A; B -->
<!-- modelver:required stage=prod C; D -->
<!--  modelver:required   stage=*   E  -->
<!-- modelver:required stage=dev F; C -->
<!-- modelver:required stage=prod D;; G ; -->
"""


@pytest.mark.parametrize(
    ("stage", "titles"),
    [
        (None, ("A", "B")),
        ("prod", ("C", "D", "E", "G")),
        ("dev", ("E", "F", "C")),
        ("staging", ("E",)),
        ("*", ("E",)),
        ("PROD", ("E",)),
        ("", ("E",)),
    ],
)
def test_a_card_says_what_it_requires_for_a_stage(stage: str | None, titles: tuple[str, ...]) -> None:
    """Lines with the stage's name and those for every stage count for it, each title once; the others for none."""
    assert required_sections(parse_card(STAGED), stage) == titles


@pytest.mark.parametrize(
    ("line", "stage", "titles"),
    [
        ("<!-- modelver:required stage=prod -->", "prod", ()),
        ("<!-- modelver:required stage= A -->", None, ("stage= A",)),
        ("<!-- modelver:required A stage=prod -->", None, ("A stage=prod",)),
        ("<!-- modelver:required stage=a/b A -->", "a/b", ("A",)),
        ("<!-- modelver:required -->", None, ()),
        ("<!-- modelver:required ; ; -->", None, ()),
        ("<!-- modelver:requiredA -->", None, ()),
        ("Text <!-- modelver:required A -->", None, ()),
        ("<!-- modelver:required A --> text", None, ()),
        ("<!-- modelver:required A --><!-- x -->", None, ()),
        ("<!-- modelver:required A\nB -->", None, ()),
        ("<!--\nmodelver:required A -->", None, ()),
        ("<!-- x\n<!-- modelver:required A -->", None, ()),
        ("  <!-- modelver:required A & B: why? -->  ", None, ("A & B: why?",)),
        ("`<!-- modelver:required A -->`", None, ()),
        ("    <!-- modelver:required A -->", None, ()),
        ("---\n# <!-- modelver:required A -->\n---\n", None, ()),
    ],
)
def test_what_a_line_of_requirements_is(line: str, stage: str | None, titles: tuple[str, ...]) -> None:
    """A comment on a line of its own, with the stage in front; in text, code and longer comments it is none."""
    assert required_sections(parse_card(f"{line}\n"), stage) == titles


@given(st.lists(st.tuples(st.sampled_from([None, "prod", "dev", "*"]), st.text("AB ;c=*", max_size=8)), max_size=6))
def test_every_line_counts_for_its_stage(lines: list[tuple[str | None, str]]) -> None:
    """What is asked for a stage is what its own lines and those of every stage say, in their order, without twins."""
    written = [(stage, text) for stage, text in lines if text.strip() and not text.strip().startswith("stage=")]
    card = parse_card("".join(
        f"<!-- modelver:required {'' if stage is None else f'stage={stage} '}{text} -->\n" for stage, text in written
    ))  # fmt: skip
    for asked, own in ((None, (None,)), ("prod", ("prod", "*")), ("dev", ("dev", "*")), ("x", ("*",))):
        titles = [title.strip() for stage, text in written if stage in own for title in text.split(";")]
        assert required_sections(card, asked) == tuple(dict.fromkeys(filter(None, titles)))


def test_a_stage_asks_for_sections_that_are_missing() -> None:
    """What a stage's lines name is looked for as any other required section."""
    text = f"{STAGED}\n# C\n\nWords.\n\n# D\n\n[More Information Needed]\n"
    found = missing_sections(parse_card(text), required_sections(parse_card(text), "prod"))
    assert [(one.title, one.reason) for one in found] == [
        ("D", Reason.PLACEHOLDER), ("E", Reason.ABSENT), ("G", Reason.ABSENT)
    ]  # fmt: skip


def test_headings_in_blocks_are_not_sections() -> None:
    """A generated heading does not end the section that people wrote around the block."""
    card = replace_blocks(parse_card(CARD), {"data": "## Data\n\nrows"}).card
    assert [section.title for section in sections(card)].count("Data") == 1
