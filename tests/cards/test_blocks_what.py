"""The blocks that say what a model is: summary, metrics, params, and what changed since the version before."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from markdown_it.token import Token

from dvc_modelver.cards.blocks import changes, metrics, params, summary
from dvc_modelver.cards.document import State, parse_card, replace_blocks, state_of
from dvc_modelver.cards.facts import CardFacts, Named, TrainingEnvironment
from dvc_modelver.core.descriptions import Feature, ModelDescription, Signature, Status
from dvc_modelver.core.environment import Environment, LockFile, Package
from dvc_modelver.core.facts import ArtifactFacts, Scalar, Source
from dvc_modelver.core.metrics import direction, split_key
from dvc_modelver.core.recipe import Recipe
from dvc_modelver.core.secrets import redact_text, redact_value
from dvc_modelver.core.text import one_line
from tests.cards.facts import card_facts, data, script, step, text_facts
from tests.cards.values import HOSTILE, parse

BLOCKS = {"summary": summary, "metrics": metrics, "params": params, "changes": changes}
ANY = st.sampled_from(HOSTILE) | st.text(max_size=40) | st.lists(st.sampled_from(HOSTILE), max_size=4).map(" ".join)
EACH_BLOCK = pytest.mark.parametrize("block", BLOCKS)
FRAMES = {"paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item", "strong", "em"}
WORDS = ("inline", "text", "text_special", "code_inline")


def render(block: str, facts: CardFacts) -> str:
    """The block's text."""
    return str(BLOCKS[block].render(facts))


def hostile(text: str) -> CardFacts:
    """Facts whose every text is `text`, and that differ from their base in everything."""
    return text_facts(text, base=text_facts(text, digit="b", number=2))


def shown(text: str, limit: int = 120) -> str:
    """What a reader sees of a text."""
    return one_line(redact_text(text), limit)


def content(token: Token) -> str:
    """What an inline token shows."""
    return "".join(child.content for child in token.children or [])


def tables(text: str) -> list[list[list[str]]]:
    """Table -> row -> cell as a reader sees it."""
    found: list[list[list[str]]] = []
    cell = False
    for token in parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and cell:
            found[-1][-1].append(content(token))
        cell = token.type in ("th_open", "td_open")
    return found


def lines(text: str) -> list[str]:
    """Paragraphs and items as a reader sees them, without tables."""
    tokens = parse(text)
    return [content(after) for before, after in pairwise(tokens) if before.type == "paragraph_open"]


# Any text -------------------------------------------------------------------------------------------------------


@EACH_BLOCK
@given(text=ANY)
def test_no_text_becomes_markup(block: str, text: str) -> None:
    """Whatever a repository's texts hold, there are paragraphs, tables, lists and code spans, and nothing else."""
    tokens = parse(render(block, hostile(text)))
    every = [*tokens, *(child for token in tokens for child in token.children or [])]
    html = {token.content for token in every if token.type == "html_block"}
    fold = r"<details>\n<summary>By slice \([\d,]+\)</summary>\n|</details>\n?"
    assert all(re.fullmatch(fold, text) for text in html)
    found = {token.type.removesuffix("_open").removesuffix("_close") for token in every}
    assert found <= {*FRAMES, *WORDS, "html_block"}


@EACH_BLOCK
@given(text=ANY)
def test_tables_keep_their_shape(block: str, text: str) -> None:
    """Every row has as many cells as its head, also where a reader would drop or add some."""
    written = render(block, hostile(text))
    for run in written.split("\n\n"):
        rows = [row for row in run.splitlines() if row.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1
    assert len(tables(written)) == len(re.findall(r"^\|(?: -+:? \|)+$", written, re.MULTILINE))


@EACH_BLOCK
@example(text="<!--modelver:end`")
@given(text=ANY)
def test_a_block_fits_into_its_card(block: str, text: str) -> None:
    """No text ends the block, opens another one or makes the card's markers unreadable."""
    card = parse_card(f"# Card\n\n<!-- modelver:begin {block} -->\n<!-- modelver:end {block} -->\n\nPeople's.\n")
    written = render(block, hostile(text))
    (found,) = replace_blocks(card, {block: written}).card.blocks
    assert state_of(found, written) is State.FRESH


@given(text=ANY)
def test_metrics_read_literally(text: str) -> None:
    """Names and values of metrics are what the file says."""
    assume(direction(text, {}) is None)
    found = tables(metrics.render(text_facts(text)))
    values = [["Metric", "Value", "Better"], [shown(text), "1.5", ""]]
    values.append([shown(f"{text} text"), shown(redact_value(f"{text} text", text)), ""])
    sliced = [["s", shown(f"{text} is")], [shown(f"{text} one"), "1.5"], [shown(f"{text} two"), "1.5"]]
    other = [["Metric", "Value", "Better"], [shown(text) if text else "2", shown(redact_value(text, f"{text} a")), ""]]
    assert found == [values, sliced, other]


@given(text=ANY)
def test_params_read_literally(text: str) -> None:
    """Names and values of params are what the file says, beside what the training ran with."""
    found = tables(params.render(text_facts(text)))
    head = ["Param", "Value", "Trained with"]
    words, number = (shown(redact_value(text, value)) for value in (text, 1.5))
    assert found == [
        [head, [shown(text), words, number], [shown(f"{text} n"), shown(redact_value(f"{text} n", 1.5)), ""]],
        [head, [shown(text) if text else "2", number, words]],
    ]


@given(text=ANY)
def test_a_summary_reads_literally(text: str) -> None:
    """Name, description, type, labels and path are what the repository says."""
    found = lines(summary.render(text_facts(text)))
    assert found[0] == f"{shown(text) or 'A model'} {shown(text)}".strip()
    if shown(text):
        assert found[1] == shown(text, 600)
        assert found[2] == f"Type: {shown(text)}; labels: {shown(text)}, {shown(f'{text} 2')}"
    (path,) = [line for line in found if line.startswith("File: ")]
    assert path.startswith(f"File: {shown(f'{text} a', 600)}, 10 B")


@given(text=ANY)
def test_changes_read_literally(text: str) -> None:
    """Paths, commands, packages and versions of both sides are what the repository says."""
    assume(not 116 <= len(text) <= 122)  # where one side is just short enough to be shown whole
    written = changes.render(hostile(text))
    found = {row[0][0]: row[1:] for row in tables(written)}
    assert found["Path"] == [[shown(text), "md5:" + "b" * 12, "md5:" + "a" * 12, "same size"]]
    place = f" from {text} at {text}" if text else ""
    sides = [shown(f"{text} {digit}{place}") for digit in "ba"]
    assert found["Package"] == [[shown(text), *sides]]
    for word in ("Path", "Format"):
        before, now = (shown(f"{text} {digit}") for digit in "ba")
        assert f"{word}: {before} → {now if before != now else '(it differs further on)'}" in lines(written)
    assert f"class {shown(f'{text} a')} is new" in lines(written)


@EACH_BLOCK
@pytest.mark.parametrize("pad", [0, 60, 90, 110, 118])
def test_no_secret_is_shown(block: str, pad: int) -> None:
    """A password in a URL and a token are hidden, also where the text is cut in their middle."""
    text = f"{'x' * pad} https://user:hunter2hunter2@host/p hf_{'abcdefghij' * 4}"
    written = render(block, hostile(text))
    assert "hunter2" not in written
    assert "abcdef" not in written


@EACH_BLOCK
def test_params_with_the_name_of_a_secret_are_hidden(block: str) -> None:
    """A password is hidden by its name, whatever file it stands in."""
    values = {"f": {"db.password": "opensesame", "lr": 0.1}}
    old = card_facts(params={"f": {"db.password": "sesameopen"}}, metrics={"f": {"db.password": "sesameopen"}})
    written = render(block, card_facts(params=values, metrics=values, named=Named(base="v0.1.0"), base=old))
    assert "sesame" not in written


@EACH_BLOCK
def test_long_tables_are_cut(block: str) -> None:
    """A thousand values make a page that people can read, which says how much is not there."""
    values = {"f": {f"k{n}": n for n in range(1000)}}
    facts = card_facts(metrics=values, params=values, named=Named(base="v0.1.0"), base=card_facts(metrics={"f": {}}))
    assert len(render(block, facts).splitlines()) < 250
    assert block == "summary" or "*and 900 more*" in render(block, facts)


# Summary --------------------------------------------------------------------------------------------------------


def test_a_summary() -> None:
    """Which model, what for, where it is and how good it is, in five lines."""
    facts = card_facts(
        named=Named(version="v1.2.0"),
        metrics={"m.json": {"n": 10, "train.auc": 0.99, "test.auc": 0.91239999, "test.loss": 0.3, "time": 5, "a": "x"}},
    )
    facts = replace(facts, declared=replace(facts.declared, desc="Who leaves?", labels=("tabular",)))
    assert summary.render(facts) == (
        "**churn** v1.2.0\n\n"
        "Who leaves?\n\n"
        "- Type: model; labels: tabular\n"
        "- File: `models/churn.pkl`, 1.4 MB, `md5:0123456789ab`\n"
        "- Metrics: `test.auc` 0.9124, `test.loss` 0.3, `train.auc` 0.99, `n` 10"
    )


def test_a_summary_needs_no_bytes() -> None:
    """The same text whether or not the model was looked at."""
    facts = card_facts()
    looked = replace(facts, model=ModelDescription(format="onnx", status=Status.UNKNOWN, library="sklearn"))
    assert summary.render(looked) == summary.render(facts)


def test_a_model_without_a_version() -> None:
    """A card that was never released says so."""
    assert summary.render(card_facts()).splitlines()[0] == "**churn** (not released yet)"


@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        (ArtifactFacts(path="m", kind="directory", digest=f"md5:{'a' * 32}.dir", size=9, files=3, source=Source.STAGE),
         "Directory: m, 3 files, 9 B, md5:aaaaaaaaaaaa.dir"),
        (ArtifactFacts(path="m", kind="file", lfs="b" * 64, blob="c" * 40, source=Source.GIT),
         "File: m, sha256:bbbbbbbbbbbb"),
        (ArtifactFacts(path="m", kind="file", blob="c" * 40, source=Source.GIT), "File: m, git:cccccccccccc"),
        (ArtifactFacts(path="s3://b/m", source=Source.URL), "Path: s3://b/m"),
        (ArtifactFacts(path="m", problem="no digest yet"), "Path: m, whose bytes were not found: no digest yet"),
        (ArtifactFacts(path=None), "Path: not known, whose bytes were not found"),
    ],
)  # fmt: skip
def test_where_the_bytes_are(artifact: ArtifactFacts, said: str) -> None:
    """Path, size and digest as far as the commit knows them, and what is wrong where it does not."""
    assert said in lines(summary.render(card_facts(artifact=artifact)))


def test_metrics_of_two_files_are_told_apart() -> None:
    """Where two files measure the same, the summary names the file."""
    facts = card_facts(metrics={"test.json": {"auc": 0.9}, "train.json": {"auc": 1.0}})
    assert "Metrics: test.json:auc 0.9, train.json:auc 1" in lines(summary.render(facts))


# Metrics and params ---------------------------------------------------------------------------------------------


def test_metrics() -> None:
    """One table for what is plain and one for each group of slices; numbers stand to the right."""
    values: dict[str, Scalar] = {"auc": 0.123456789, "my_loss": 2, "rmse": math.inf, "note": "fine", "ok": True}
    written = metrics.render(
        card_facts(
            metrics={"m.json": {**values, "by.EU.f1": math.nan, "by.EU.n": 10**30, "by.US.f1": 0.5}},
            directions={"my_loss": "up"},
        )
    )
    assert "| --- | ---: | --- |" in written
    assert tables(written) == [
        [
            ["Metric", "Value", "Better"],
            ["auc", "0.123457", "higher"],
            ["my_loss", "2", "higher"],
            ["rmse", "Infinity", "lower"],
            ["note", "fine", ""],
            ["ok", "true", ""],
        ],
        [["by", "f1", "n"], ["EU", "NaN", str(10**30)], ["US", "0.5", ""]],
    ]


def test_files_of_metrics() -> None:
    """Two files are named above their tables, one is not; a file that is one number is its own metric."""
    assert lines(metrics.render(card_facts(metrics={"b.json": {"auc": 1}, "a.json": {"auc": 1}}))) == [
        "a.json",
        "b.json",
    ]
    assert tables(metrics.render(card_facts(metrics={"out/rmse.json": {"": 0.5}})))[0][1:] == [
        ["out/rmse.json", "0.5", "lower"]
    ]


def test_metrics_that_are_not_there() -> None:
    """No file, an empty file, and a file whose bytes are elsewhere are three different things."""
    assert metrics.render(card_facts()) == "No metrics file is declared for this model."
    assert metrics.render(card_facts(metrics={"m.json": {}})) == "The file holds no metrics."
    kept = metrics.render(card_facts(metric_digests={"m.json": "md5:a"}, absent=("m.json",)))
    assert kept == "`m.json` is kept by DVC and was not at hand."


def test_a_wide_group_of_slices_is_cut() -> None:
    """A table of a hundred columns is of no use on a page."""
    values = {f"by.{name}.m{n}": n for name in ("EU", "US") for n in range(100)}
    written = metrics.render(card_facts(metrics={"m.json": values}))
    assert len(tables(written)[0][0]) == 13
    assert "and 88 more metrics of each" in lines(written)


def test_params() -> None:
    """Two columns, and a third only where the training ran with something else."""
    facts = card_facts(params={"params.yaml": {"lr": 1e-05, "depth": None, "on": True, "pad_token": "<p>"}})
    assert tables(params.render(facts)) == [
        [["Param", "Value"], ["lr", "1e-05"], ["depth", "null"], ["on", "true"], ["pad_token", "<p>"]]
    ]
    trained = replace(step("train"), params={"params.yaml": {"lr": 0.1, "depth": None, "on": 1}})
    found = tables(params.render(replace(facts, recipe=Recipe(steps=(trained,)))))
    assert [row[2] for row in found[0]] == ["Trained with", "0.1", "", "1", ""]


def test_params_that_are_not_there() -> None:
    """A sentence instead of an empty table."""
    assert params.render(card_facts()) == "No params file is declared for this model."
    assert params.render(card_facts(params={"params.yaml": {}})) == "The file holds no params."


# Changes --------------------------------------------------------------------------------------------------------


def since(old: CardFacts, new: CardFacts) -> str:
    """What `new` says of `old`, which is its base."""
    return changes.render(replace(new, named=Named(version="v1.2.0", base="v1.1.0"), base=old))


def test_the_first_version() -> None:
    """Without a version before it there is nothing to compare, and without a version nothing to say."""
    assert changes.render(card_facts(named=Named(version="v0.1.0"))) == "First version."
    assert changes.render(card_facts()) == ""
    unread = changes.render(card_facts(named=Named(version="v1.0.0", base="v0.1.0")))
    assert unread == "What changed since v0.1.0 is not known: that version could not be read."


@given(text=ANY)
def test_what_is_equal_is_not_told(text: str) -> None:
    """Nothing differs from oneself."""
    facts = text_facts(text)
    (line,) = lines(changes.render(replace(facts, base=facts)))
    assert line == f"Nothing in this card differs from {shown(text)} but the version."


def test_changed_metrics() -> None:
    """Direction, size and worth of each change; what is equal is counted."""
    old = {"auc": 0.9, "loss": 0.5, "n": 10, "gone": 1, "same": 1, "nan": math.nan, "s.EU.f1": 0.5, "s.US.f1": 0.5}
    new = {"auc": 0.912, "loss": 0.2, "n": 12, "fpr": 0.1, "same": 1.0, "nan": math.nan, "s.EU.f1": 0.4, "s.US.f1": 0.5}
    written = since(card_facts(metrics={"m.json": old}), card_facts(metrics={"m.json": new}))
    assert "| --- | ---: | ---: | --- |" in written
    assert tables(written) == [
        [
            ["Metric", "v1.1.0", "now", "Change"],
            ["auc", "0.9", "0.912", "↑ +0.012 (better)"],
            ["loss", "0.5", "0.2", "↓ -0.3 (better)"],
            ["n", "10", "12", "↑ +2"],
            ["fpr", "", "0.1", "new"],
            ["gone", "1", "", "gone"],
        ],
        [["Metric", "v1.1.0", "now", "Change"], ["s.EU.f1", "0.5", "0.4", "↓ -0.1 (worse)"]],
    ]
    assert "<summary>By slice (1)</summary>" in written
    assert lines(written) == ["Compared with v1.1.0:", "3 other metrics are as before."]


@given(st.floats() | st.integers(), st.floats() | st.integers(), st.sampled_from([None, "up", "down"]))
def test_any_two_numbers(old: float, new: float, way: str | None) -> None:
    """The arrow is the order of the two numbers, and the verdict turns with the direction."""
    directions = {} if way is None else {"x": way}
    written = since(card_facts(metrics={"m": {"x": old}}), card_facts(metrics={"m": {"x": new}}, directions=directions))
    change = tables(written)[0][1][3] if tables(written) else ""
    assert ("↑" in change, "↓" in change) == (new > old, new < old)
    assert ("better" in change, "worse" in change) == {
        None: (False, False), "up": (new > old, new < old), "down": (new < old, new > old)
    }[way]  # fmt: skip


def test_numbers_that_no_float_holds() -> None:
    """Integers of a thousand digits have an order, if no difference worth showing."""
    written = since(card_facts(metrics={"m": {"x": 0.5}}), card_facts(metrics={"m": {"x": 10**1000}}))
    assert tables(written)[0][1][3] == "↑"


def test_texts_and_kinds() -> None:
    """A metric that becomes a text has changed, and that is all that can be said."""
    written = since(card_facts(metrics={"m": {"x": 0.5}}), card_facts(metrics={"m": {"x": "0.5"}}))
    assert tables(written)[0][1] == ["x", "0.5", "0.5", "changed"]


def test_a_metrics_file_may_move() -> None:
    """One file is compared with one file, whatever their names; several by theirs."""
    old, new = card_facts(metrics={"a.json": {"auc": 1}}), card_facts(metrics={"b.json": {"auc": 2}})
    assert tables(since(old, new))[0][1][0] == "auc"
    two = card_facts(metrics={"a.json": {"auc": 2}, "b.json": {"auc": 1}})
    assert [row[0] for row in tables(since(old, two))[0][1:]] == ["a.json:auc", "b.json:auc"]


def test_metrics_that_are_not_at_hand_are_not_compared() -> None:
    """A file that DVC keeps and that was not fetched is neither new nor gone."""
    old = card_facts(absent=("m.json",), metric_digests={"m.json": "md5:a"})
    written = since(old, card_facts(metrics={"m.json": {"auc": 1}}))
    assert tables(written) == []
    assert "Not compared, for the bytes were not at hand: m.json." in lines(written)


def test_changed_params() -> None:
    """What is not set is told from what is set to nothing."""
    old = card_facts(params={"p.yaml": {"lr": 0.1, "depth": None, "same": 1}})
    new = card_facts(params={"p.yaml": {"lr": 0.2, "seed": "", "same": 1}})
    assert tables(since(old, new)) == [
        [["Param", "v1.1.0", "now"], ["lr", "0.1", "0.2"], ["seed", "not set", ""], ["depth", "null", "not set"]]
    ]


def test_changed_recipe() -> None:
    """Data, code and pipeline stages: what is new, gone and another, and nothing that is the same."""
    old = (
        step("prep", data("raw.csv")),
        step("train", data("x.csv"), script("train.py"), script("old.py"), script("s.py")),
    )
    new = (
        step("train", data("x.csv", "b", 3500), data("y.csv"), script("train.py", "b"), script("new.py"),
             script("s.py"), cmd="python train.py --fast"),
        step("export"),
    )  # fmt: skip
    written = since(card_facts(recipe=Recipe(steps=old)), card_facts(recipe=Recipe(steps=new)))
    digests = ["md5:" + digit * 12 for digit in "ab"]
    assert tables(written)[0] == [
        ["Path", "v1.1.0", "now", "Change"],
        ["raw.csv", digests[0], "", "gone"],
        ["x.csv", *digests, "+2.5 kB"],
        ["y.csv", "", digests[0], "new"],
    ]
    assert lines(written)[1:] == [
        "Training data:",
        "Code:",
        "new.py is new",
        "old.py is gone",
        "train.py changed",
        "Pipeline:",
        "stage train has another command: python train.py → python train.py --fast",
        "stage export is new",
        "stage prep is gone",
    ]


def environment(version: str, *packages: Package, digit: str = "a", **given: object) -> TrainingEnvironment:
    """A recorded environment."""
    recorded = Environment(python={"version": version, "implementation": "CPython"}, packages=packages, **given)  # type: ignore[arg-type]
    return TrainingEnvironment(file="environment.json", digest=digit * 64, recorded=recorded)


def test_changed_environment() -> None:
    """Python, the lock file, the machine and each package that is another, new or gone."""
    numpy, scipy = Package(name="numpy", version="1.26"), Package(name="scipy", version="1.0")
    old = environment("3.10.1", numpy, scipy, lock=LockFile(path="uv.lock", sha256="a" * 64))
    new = environment(
        "3.11.2",
        replace(numpy, version="2.0", origin="https://host/numpy", revision="abc", editable=True),
        Package(name="torch", version="2.3"),
        cpu={"count": 8},
    )
    written = since(card_facts(environment=old), card_facts(environment=new))
    assert tables(written)[0][1:] == [
        ["numpy", "1.26", "2.0 from https://host/numpy at abc (editable)"],
        ["scipy", "1.0", "not installed"],
        ["torch", "not installed", "2.3"],
    ]
    assert lines(written)[1:] == [
        "Environment:",
        "Python: CPython 3.10.1 → CPython 3.11.2",
        "Lock file: uv.lock sha256:aaaaaaaaaaaa → none",
        "the processor differs",
        "Packages:",
    ]


def test_many_changed_packages() -> None:
    """Twenty are named, the others counted."""
    new = environment("3.10", *(Package(name=f"p{n:02}", version="1") for n in range(25)))
    written = since(card_facts(environment=environment("3.10")), card_facts(environment=new))
    assert len(tables(written)[0]) == 21
    assert "and 5 more" in lines(written)


def test_an_environment_that_only_pins() -> None:
    """The digest of the pinning file is all that there is to compare; one side alone is new or gone."""
    old, new = (TrainingEnvironment(file="requirements.txt", digest=digit * 64) for digit in "ab")
    written = since(card_facts(environment=old), card_facts(environment=new))
    assert "File: requirements.txt sha256:aaaaaaaaaaaa → requirements.txt sha256:bbbbbbbbbbbb" in lines(written)
    assert "Environment: requirements.txt is new." in lines(since(card_facts(), card_facts(environment=new)))
    assert "Environment: requirements.txt is gone." in lines(since(card_facts(environment=old), card_facts()))
    kept = card_facts(environment_digest="md5:a", absent=("environment.json",))
    assert "Environment" not in since(card_facts(environment=old), kept)


def model(library: str | None, format: str = "pickle", signature: Signature | None = None) -> ModelDescription:
    """What a model's bytes say."""
    return ModelDescription(
        format=format, status=Status.UNKNOWN, library=library, library_version="1.5", signature=signature
    )


def test_a_changed_model() -> None:
    """Path, bytes, size, format and library; what only one side knows is not compared."""
    old = card_facts(model=model("sklearn"))
    other = replace(old.artifact, path="m.onnx", digest=f"md5:{'f' * 32}", size=2_000_000)
    assert lines(since(old, replace(old, artifact=other, model=model("onnx", "onnx"))))[1:] == [
        "Model:",
        "Path: models/churn.pkl → m.onnx",
        "Bytes: md5:0123456789ab → md5:ffffffffffff",
        "Size: 1.4 MB → 2.0 MB (+600.0 kB)",
        "Format: pickle → onnx",
        "Library: sklearn 1.5 → onnx 1.5",
    ]
    assert "Nothing" in since(old, replace(old, model=None))
    assert "Nothing" in since(old, replace(old, model=model(None)))


def test_what_differs_behind_the_cut() -> None:
    """Two paths that begin with the same hundreds of characters are two paths."""
    one, two = (replace(card_facts().artifact, path=f"{'d/' * 200}{name}") for name in "ab")
    (found,) = [line for line in lines(since(card_facts(artifact=one), card_facts(artifact=two))) if "Path" in line]
    assert found.endswith("… → (it differs further on)")


def test_digests_that_begin_alike() -> None:
    """Two digests are shown as far as it takes to see that they are two."""
    one, two = (replace(card_facts().artifact, digest=f"etag:{'0' * 20}{digit}") for digit in "ab")
    written = since(card_facts(artifact=one), card_facts(artifact=two))
    assert f"Bytes: {one.digest} → {two.digest}" in lines(written)


def test_a_changed_signature() -> None:
    """Inputs, outputs and classes that are new, gone, of another type or in another order."""
    a, b, c = Feature(name="a", type="int64"), Feature(name="b"), Feature(name="c", type="float", shape=("?", 2))
    old = Signature(inputs=(a, b), outputs=(c,), classes=("no", "yes"))
    new = Signature(inputs=(replace(a, type="double"), c), outputs=(c,), classes=("yes", "no"))
    written = since(card_facts(model=model("x", signature=old)), card_facts(model=model("x", signature=new)))
    assert lines(written)[1:] == [
        "Signature:",
        "input a: int64 → double",
        "input c is new",
        "input b is gone",
        "the classes are in another order",
    ]


def test_features_of_one_name() -> None:
    """Two inputs of one name are two inputs."""
    one = Feature(name="", type="float")
    old, new = (Signature(inputs=inputs) for inputs in ((one, one), (one, replace(one, type="int"))))
    written = since(card_facts(model=model("x", signature=old)), card_facts(model=model("x", signature=new)))
    assert "input : float → int" in [line.replace("  ", " ") for line in lines(written)]


def test_keys_have_the_dots_of_their_files() -> None:
    """A dot inside a key is shown as a dot."""
    assert split_key("a\\.b") == ("a.b",)
    assert tables(metrics.render(card_facts(metrics={"m": {"acc@0\\.5": 1}})))[0][1] == ["acc@0.5", "1", "higher"]
