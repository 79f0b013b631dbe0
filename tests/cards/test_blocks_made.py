"""The blocks that say how a model was made, what it is and how to use it; hostile values come out literally."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.token import Token

from dvc_modelver.cards.blocks import artifact, data, environment, pipeline, signature, usage
from dvc_modelver.cards.document import parse_card
from dvc_modelver.cards.facts import CardFacts, Named, TrainingEnvironment
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.descriptions import Feature, ModelDescription, Signature, Status
from dvc_modelver.core.environment import Environment, Gpu, LockFile, Package
from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.core.recipe import Input, Kind, Origin, Recipe, Shape, Step
from dvc_modelver.core.secrets import redact_text, scan
from dvc_modelver.core.tables import ColumnProfile, TableProfile
from dvc_modelver.core.text import one_line, safe
from tests.cards import values
from tests.cards.values import HOSTILE, literal

RENDERS: dict[str, Callable[[CardFacts], str]] = {
    module.__name__.rpartition(".")[2]: module.render
    for module in (artifact, data, environment, pipeline, signature, usage)
}
HEX = "0123456789abcdef0123456789abcdef"
SECRETS = (
    "https://user:hunter2@example.com/team/data.git",
    "https://user:hunter2@example.com",
    "s3://bucket/x?X-Amz-Signature=hunter2",
    "train --password hunter2",
    "my-token hunter2",
    "a --api-key='hunter2",
    "API_KEY=hunter2",
    "hf_hunter2" + "abcdefghij" * 4,
    "x" * 95 + " hf_hunter2" + "abcdefghij" * 4,
    "x" * 285 + " hf_hunter2" + "abcdefghij" * 4,
    "x" * 110 + " https://user:hunter2" + "y" * 300 + "@example.com",
)
OURS = (
    *("--token ", "://", "@", "?key=", "'", '"', "\\", "password=", " ", "\n", "x", '"]', "www.a", "1. ", "- ", "end"),
    *("</details>", "<details>", ";", "&&", "$(id)", "`id`", "#35;", "#quot;", ":::x", "-->", "%%", "a.b", "_x_"),
    *('m?key="); import os #', "m?key='; id #", "m?key=\\", "x --password '; id #", 'x --token "]', "a://'b@'; id #"),
)
TEXT = (
    st.sampled_from((*HOSTILE, *SECRETS))
    | st.text(max_size=40)
    | st.lists(st.sampled_from((*HOSTILE, *OURS)), max_size=8).map("".join)
)

# Facts --------------------------------------------------------------------------------------------------------------


def out(path: str, digest: str | None = f"md5:{HEX}", size: int | None = 900, files: int | None = None) -> Output:
    return Output(path=path, digest=digest, size=size, files=files)


def read(path: str, kind: Kind = Kind.DATA, by: str | None = None, origin: Origin | None = None) -> Input:
    return Input(output=out(path), kind=kind, by=by, origin=origin)


RAW = Input(output=out("data/raw.csv", size=1_440_000), kind=Kind.DATA, by="data/raw.csv.dvc")
IMPORTED = Input(
    output=out("data/regions", f"md5:{HEX}.dir", 140_000, 12),
    kind=Kind.DATA,
    by="data/regions.dvc",
    origin=Origin(path="out/regions", url="https://me:hunter2@example.com/geo.git", rev="main", rev_lock="ab" * 20),
)
CODE = read("src/train.py", Kind.CODE)
PREPARE = Step(
    name="prepare",
    cmd="python src/prepare.py \\\n  --token hunter2\necho done",
    inputs=(RAW, IMPORTED, CODE),
    outs=(out("data/train.csv"), out("data/test.csv")),
)
TRAIN = Step(
    name="train",
    cmd="python src/train.py",
    inputs=(read("data/train.csv", Kind.STAGE, "prepare"), CODE),
    outs=(out("models/churn.pkl"), out("environment.json")),
)
EVALUATE = Step(
    name="evaluate",
    cmd=None,
    inputs=(
        read("models/churn.pkl", Kind.STAGE, "train"),
        read("data/test.csv", Kind.STAGE, "prepare"),
        read("https://example.com/labels.csv"),
    ),
    outs=(out("metrics.json"), out("predictions.csv")),
)
REPORT = Step(name="report", cmd="python report.py", inputs=(read("predictions.csv", Kind.STAGE, "evaluate"),), outs=())
MODEL = ModelDescription(format="joblib", status=Status.CODE_CAPABLE, library="sklearn", library_version="1.5.2")
FACTS = CardFacts(
    declared=Declared(name="churn", file="dvc.yaml", path="models/churn.pkl"),
    artifact=ArtifactFacts(
        path="models/churn.pkl",
        kind="file",
        digest=f"md5:{HEX}",
        size=1_440_000,
        source=Source.STAGE,
        output=out("models/churn.pkl"),
    ),
    recipe=Recipe(steps=(PREPARE, TRAIN), evaluation=(EVALUATE, REPORT)),
    metrics={"metrics.json": {"auc": 0.9}},
    named=Named(version="v1.2.0"),
    model=MODEL,
)


def recorded(found: Environment) -> CardFacts:
    return replace(FACTS, environment=TrainingEnvironment(file="environment.json", digest="ab" * 32, recorded=found))


def with_model(**changes: object) -> CardFacts:
    return replace(FACTS, model=replace(MODEL, **changes))  # type: ignore[arg-type]


def with_artifact(version: str | None = "v1.2.0", **changes: object) -> CardFacts:
    return replace(FACTS, artifact=replace(FACTS.artifact, **changes), named=Named(version=version))  # type: ignore[arg-type]


def full_of(text: str) -> Iterator[CardFacts]:
    """Facts with `text` wherever a text may stand, in every form that the blocks tell apart."""
    origin = Origin(path=text, url=text, rev=text, rev_lock=text)
    url_only = Origin(path=text)
    inputs = (read(text, by=text, origin=origin), read(f"{text}1", by=text), read(f"{text}2", by=text, origin=url_only))
    steps = (
        Step(name=text, cmd=text, inputs=inputs, outs=(Output(path=f"{text}3", digest=text),)),
        Step(name=f"{text}!", cmd=f"{text}\n{text}", inputs=(read(f"{text}3", Kind.STAGE, text),), outs=(out(text),)),
    )
    evaluation = (
        Step(name=f"{text}?", cmd=text, inputs=(read(f"{text}4", Kind.STAGE, text),), outs=(out(f"{text}5"),)),
    )
    packages = tuple(
        Package(name=name, version=text, origin=text, revision=text) for name in ("numpy", text, f"{text}1")
    )
    found = Environment(
        python={"version": text, "implementation": text},
        packages=packages,
        os={"system": text, "distribution": text},
        cpu={"model": text, "count": text},
        gpus=(Gpu(name=text, memory=text, driver=text),),
        lock=LockFile(path=text, sha256=text),
        variables={text: text},
    )
    feature = Feature(name=text, type=text, shape=(text, 3))
    columns = (
        ColumnProfile(name=text, type="date", nulls=1, minimum=text, maximum=text),
        ColumnProfile(name=text, type=text, nulls=0, distinct=2, minimum=1.5, mean=2),
    )
    model = ModelDescription(
        format="joblib",
        status=Status.CODE_CAPABLE,
        library=text,
        library_version=text,
        imports=(text,) * 25,
        details={text: text, "architectures": text},
        hyperparameters={f"{text}{n}": text for n in range(14)},
        signature=Signature(inputs=(feature,), outputs=(feature,), classes=(text, text), source=text),
        complete=False,
        problem=text,
    )
    facts = CardFacts(
        declared=Declared(name=text, file="dvc.yaml", path=text),
        artifact=ArtifactFacts(path=f"{text}/m", kind="file", digest=text, source=Source.STAGE, output=out(text)),
        recipe=Recipe(steps=steps, evaluation=evaluation),
        metrics={f"{text}5": {"auc": 1}},
        environment=TrainingEnvironment(file=text, digest=text, recorded=found),
        named=Named(version=text or "v1.0.0"),
        model=model,
        shapes={f"{text}1": Shape(rows=10, width=2)},
        profiles=dict.fromkeys((f"{text}1", f"{text}2", text), TableProfile(rows=3, columns=columns)),
    )
    yield facts
    own = replace(facts.artifact, path=text or "m")
    yield replace(facts, artifact=own, named=Named(), environment=TrainingEnvironment(file=text, digest=text))
    imported = Recipe(origin=origin)
    yield replace(facts, artifact=replace(own, source=Source.GIT, lfs=text), recipe=imported, environment=None)
    yield replace(facts, artifact=replace(own, source=Source.URL), recipe=Recipe(origin=url_only), named=Named())
    missing = replace(own, source=Source.MISSING, problem=text, path=None, digest=None)
    yield replace(facts, artifact=missing, recipe=Recipe(), model=replace(model, format=text, details={}))
    old = Declared(name=text, file="artifacts.yaml", path=text)
    yield replace(facts, declared=old, artifact=replace(own, problem=text, digest=None), model=None)
    yield replace(facts, artifact=own, named=Named(), model=replace(model, format="gguf", status=Status.UNKNOWN))


# What a reader sees -------------------------------------------------------------------------------------------------


parse = lru_cache(maxsize=8)(values.parse)


def rows(text: str) -> list[list[Token]]:
    """The cells of all tables, by row, headings included."""
    found: list[list[Token]] = []
    for token, after in pairwise(parse(text)):
        if token.type == "tr_open":
            found.append([])
        elif token.type in ("td_open", "th_open"):
            found[-1].append(after)
    return found


def plain(token: Token) -> str:
    """What a cell or sentence shows; code as its text."""
    return "".join(child.content for child in token.children or [])


def shown(text: str) -> list[list[str]]:
    return [[plain(cell) for cell in row] for row in rows(text)]


def fences(text: str, language: str) -> list[str]:
    return [token.content for token in parse(text) if token.type == "fence" and token.info == language]


def hidden(text: str, limit: int) -> str:
    return one_line(redact_text(text), limit)


def escaped(text: str, limit: int = 300) -> str:
    """As `hidden`; what is escaped for its place is looked at for secrets once more."""
    return one_line(redact_text(hidden(text, limit)))


DETAILS = re.compile(r"<details>\n<summary>(?:[\w ,()]+|Columns of <code>[^<>\n]*</code> \([\d,]+\))</summary>\n")


def check_shape(text: str) -> None:
    """Nothing but tables, fences, lists, sentences of text and code, and folded parts that are closed again."""
    depth = 0
    allowed = {"paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"}
    for token in parse(text):
        if token.type == "html_block":
            depth += 1 if DETAILS.fullmatch(token.content) else -1
            assert depth in (0, 1)
            assert depth or token.content == "</details>\n" or token.content == "</details>"
        elif token.type == "inline":
            kinds = {child.type for child in token.children or []} - {"text", "text_special", "code_inline"}
            assert not kinds or re.fullmatch(r"\*and [\d,]+ more\*", token.content), (kinds, token.content)
        elif token.type != "fence":
            assert token.type.removesuffix("_open").removesuffix("_close") in allowed, token
    assert depth == 0


def check_tables(text: str) -> None:
    """Every row has as many cells as its head; a bare `|` stands between cells only."""
    bars: list[int] = []
    bare = re.sub(r"^(`{3,})(?:mermaid|sh|python)\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in bare.split("\n"):
        if line.startswith("|"):
            bars.append(len(re.findall(r"(?<!\\)\|", line)))
            assert bars[-1] == bars[0]
            assert line.endswith(" |")
        else:
            bars = []


def check_card(name: str, text: str) -> None:
    """Inside a card the block stays one block, and its text is what was put there."""
    card = parse_card(f"# x\n\n<!-- modelver:begin {name} -->\n\n{text}\n\n<!-- modelver:end {name} -->\n\n## y\n")
    assert card.problems == ()
    assert [(block.id, block.text) for block in card.blocks] == [(name, text)]


def check_all(value: str) -> None:
    """Of the blocks of all facts that are full of `value`, each once."""
    for name, text in sorted({(name, render(facts)) for facts in full_of(value) for name, render in RENDERS.items()}):
        assert text == safe(text).replace("\t", " ").strip()
        check_shape(text)
        check_tables(text)
        check_card(name, text)
        check_python_and_shell(text)
        for picture in fences(text, "mermaid"):
            labels(picture)


LOADS = ast.dump(ast.parse('import joblib\nmodel = joblib.load("")'))


def check_python_and_shell(text: str) -> None:
    """The code is the template's but for its one literal; the commands have words only."""
    for code in fences(text, "python"):
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant):
                node.value = ""
        assert ast.dump(tree) == LOADS
    for code in fences(text, "sh"):
        for line in code.splitlines():
            words = list(shlex.shlex(line, posix=True, punctuation_chars=True))
            assert words[0] in ("modelver", "dvc", "git", "llama-cli")
            assert not any(set(word) <= set("();<>|&") for word in words if word and line.find(f"'{word}'") < 0)


NODE = re.compile(r'    (n\d+)(?:\["(L)"\]|\[\("(L)"\)\]|\(\["(L)"\]\)|\[/"(L)"/\])'.replace(
    "L", r"(?:[A-Za-z0-9/ ._-]|#\d+;)+"))  # fmt: skip
EDGE = re.compile(r"    (n\d+) --> (n\d+)|    style (n\d+) stroke-width:4px")


def labels(picture: str) -> list[str]:
    """The labels of a flowchart that consists of nodes, then edges, then styles, and of nothing else."""
    head, *lines = picture.rstrip("\n").split("\n")
    assert head == "flowchart LR"
    nodes = {found[1]: "".join(filter(None, found.groups()[1:])) for line in lines if (found := NODE.fullmatch(line))}
    assert list(nodes) == [f"n{n}" for n in range(1, len(nodes) + 1)]
    for line in lines[len(nodes) :]:
        found = EDGE.fullmatch(line)
        assert found, line
        assert {node for node in found.groups() if node} <= set(nodes)
    return [re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label) for label in nodes.values()]


# Hostile values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*HOSTILE, *SECRETS, *OURS])
def test_hostile_values_change_no_shape(text: str) -> None:
    """Wherever it stands, no value makes a heading, link, element, row, marker, shell word or line of Mermaid."""
    check_all(text)


@given(TEXT)
def test_any_values_change_no_shape(text: str) -> None:
    """The same for texts that nobody thought of."""
    check_all(text)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_stay_out(text: str) -> None:
    """No password or token reaches a card, nor the first half of one where a long text is cut."""
    for facts in full_of(text):
        for render in RENDERS.values():
            shown_text = render(facts)
            assert "hunter2" not in shown_text
            assert scan(shown_text.replace("`", " ")) == ()


@pytest.mark.parametrize("name", RENDERS)
def test_marker_in_a_long_row_is_no_marker(name: str) -> None:
    """Long names that hold a marker of ours do not make the card unreadable."""
    for facts in full_of("<!-- modelver:begin data -->" + "y" * 5000):
        check_card(name, RENDERS[name](facts))


@given(TEXT)
def test_values_read_literally(value: str) -> None:
    """Names, paths and values are shown as they are, on one line, without secrets."""
    text = value or "x"
    (facts, *_) = full_of(text)
    cut = escaped(text)
    if not cut:
        return
    ran = " && ".join(line.strip() for line in text.replace("\\\n", " ").split("\n") if line.strip())
    assert shown(RENDERS["pipeline"](facts))[1] == [cut, escaped(ran, 120) or "-"]
    data_rows = shown(RENDERS["data"](facts))
    paths = [row[0] for row in data_rows if len(row) <= 5 and row[0] != "Path"]
    assert sorted(paths) == sorted(escaped(f"{text}{n}") for n in ("", 1, 2, 3, 4))
    columns = [row for row in data_rows if len(row) == 7 and row[0] != "Column"]
    assert [row[0] for row in columns] == [escaped(text, 120)] * len(columns)
    assert len(columns) == 6
    inputs = shown(RENDERS["signature"](facts))[1]
    assert inputs[:2] == [cut, cut]
    properties = dict(shown(RENDERS["artifact"](facts))[1:8])
    assert properties["Path"] == escaped(f"{text}/m")
    assert properties["Digest"] == cut


@given(TEXT)
def test_classes_read_literally(value: str) -> None:
    """A class's name makes no list, heading or rule of its own."""
    text = RENDERS["signature"](with_model(signature=Signature(classes=(value, "b"))))
    found = [token for token in parse(text) if token.type == "inline"]
    assert [literal(token) for token in found[-2:]] == [escaped(value) or "(no name)", "b"]


@given(TEXT)
def test_labels_read_literally(value: str) -> None:
    """A label's text is the name, cut; it ends no label, and its markup is spelt in codes."""
    (picture,) = fences(RENDERS["pipeline"](next(full_of(value))), "mermaid")
    found = labels(picture)
    assert (hidden(value, 60) or "?") in found
    assert {kind for kind in ("www.", "://", "`", "<", "&") if kind in picture} == set()


@given(TEXT)
def test_commands_and_code_take_the_path_as_it_is(value: str) -> None:
    """A shell and Python read from the snippets the very path, whatever quotes it holds."""
    path = redact_text(f"models/{value or 'm'}")
    facts = with_artifact(version=None, path=path, output=None)
    text = RENDERS["usage"](facts)
    visible = safe(path).replace("\n", "\\n").replace("\t", "\\t")
    (command,) = fences(text, "sh")
    (code,) = fences(text, "python")
    (constant,) = (node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant))
    assert shlex.split(command)[:2] == ["dvc", "pull"]
    assert isinstance(constant, str)
    if not re.search(r"[=:-]", path):  # else more may be hidden
        assert shlex.split(command)[2:] == [visible]
        assert constant == path


# data ---------------------------------------------------------------------------------------------------------------


def test_data_says_what_and_where_from() -> None:
    """One row for each input: digest, size, and who tracks or writes it, by path."""
    text = data.render(replace(FACTS, shapes={"data/raw.csv": Shape(rows=12_345, columns=("a", "b"))}))
    times = "\N{MULTIPLICATION SIGN}"
    assert shown(text) == [
        ["Path", "Digest", "Size", f"Rows {times} columns", "From"],
        ["data/raw.csv", "md5:0123456789ab", "1.4 MB", f"12,345 {times} 2", "raw data tracked by data/raw.csv.dvc"],
        ["data/regions", "md5:0123456789ab.dir", "140.0 kB, 12 files", "-",
         "imported from https://***@example.com/geo.git, path out/regions, revision main, commit abababababab; "
         "tracked by data/regions.dvc"],
        ["data/train.csv", "md5:0123456789ab", "900 B", "-", "written by pipeline stage prepare"],
        ["Path", "Digest", "Size", "From"],
        ["data/test.csv", "md5:0123456789ab", "900 B", "written by pipeline stage prepare"],
        ["https://example.com/labels.csv", "md5:0123456789ab", "900 B", "outside the repository"],
    ]  # fmt: skip


def test_columns_as_they_were_profiled() -> None:
    """Each table's once, below those of paths; numbers and dates, and of any other cell nothing."""
    columns = (
        ColumnProfile(
            name="age", type="integer", nulls=1200, distinct=None, minimum=0, maximum=10**21, mean=37.123456789
        ),
        ColumnProfile(
            name="at", type="date", nulls=0, distinct=2, minimum="2024-01-01", maximum="2024-01-02T03:04:05Z"
        ),
        ColumnProfile(name="who", type="text", nulls=0, distinct=2, minimum="Ada", maximum=7),
    )
    profiles = {
        "data/raw.csv": TableProfile(rows=9, columns=columns),
        "data/test.csv": TableProfile(rows=1, columns=()),
    }
    text = data.render(replace(FACTS, profiles=profiles, shapes={"data/raw.csv": Shape(rows=1, width=1)}))
    times = "\N{MULTIPLICATION SIGN}"
    assert shown(text)[1][3] == f"9 {times} 3"
    assert [row[3] for row in shown(text) if row[0] == "data/test.csv"] == [f"1 {times} 0"]
    assert text.count("<summary>Columns of <code>data/raw.csv</code> (3)</summary>") == text.count("<details>") == 1
    last = shown(text.partition("<details>")[2])
    assert last == [
        ["Column", "Type", "Missing", "Distinct", "Smallest", "Largest", "Mean"],
        ["age", "integer", "1,200", "many", "0", "1000000000000000000000", "37.1235"],
        ["at", "date", "0", "2", "2024-01-01", "2024-01-02T03:04:05Z", "-"],
        ["who", "text", "0", "2", "-", "-", "-"],
    ]


def test_imported_from_a_url() -> None:
    """`dvc import-url` names no repository, only the URL."""
    origin = Origin(path="s3://bucket/raw.csv")
    step = replace(TRAIN, inputs=(read("raw.csv", by="raw.csv.dvc", origin=origin),))
    text = data.render(replace(FACTS, recipe=Recipe(steps=(step,))))
    assert shown(text)[1][-1] == "imported from s3://bucket/raw.csv; tracked by raw.csv.dvc"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(steps=(replace(TRAIN, inputs=(CODE,)),)), data.NOTHING),
        (Recipe(), f"{data.NOTHING} No pipeline stage writes it, so the commit does not say what it was trained on."),
        (
            Recipe(origin=Origin(path="m.pkl", url="https://example.com/m.git", rev_lock="ab" * 20)),
            "The model itself was imported from `https://example.com/m.git`, path `m.pkl`, commit `abababababab`. "
            "Its source has to say what it was trained on.",
        ),
    ],
)
def test_data_that_nobody_tracks(recipe: Recipe, said: str) -> None:
    """Where there is no data a sentence says so and why."""
    assert data.render(replace(FACTS, recipe=recipe)) == said


# pipeline -----------------------------------------------------------------------------------------------------------


def test_picture_of_the_pipeline() -> None:
    """Data, stages, the model and metrics in the order in which they ran; code and what nobody reads left out."""
    (picture,) = fences(pipeline.render(FACTS), "mermaid")
    assert picture.split("\n    ") == [
        "flowchart LR",
        'n1[("data/raw.csv")]',
        'n2["prepare"]',
        'n3[("data/regions")]',
        'n4[("data/train.csv")]',
        'n5["train"]',
        'n6(["models/churn.pkl"])',
        'n7["evaluate"]',
        'n8[("data/test.csv")]',
        'n9[("https#58;//example.com/labels.csv")]',
        'n10[/"metrics.json"/]',
        'n11[("predictions.csv")]',
        'n12["report"]',
        *("n1 --> n2", "n3 --> n2", "n2 --> n4", "n4 --> n5", "n5 --> n6", "n6 --> n7", "n2 --> n8", "n8 --> n7"),
        *("n9 --> n7", "n7 --> n10", "n7 --> n11", "n11 --> n12", "style n6 stroke-width:4px\n"),
    ]


def test_metrics_that_dvc_keeps_look_alike() -> None:
    """The picture does not depend on whether the metrics file is at hand."""
    away = replace(FACTS, metrics={}, metric_digests={"metrics.json": f"md5:{HEX}"})
    assert pipeline.render(away) == pipeline.render(FACTS)


def test_model_in_a_tracked_directory_is_the_model() -> None:
    """The stage writes the directory; the evaluation reads a file of it: one node."""
    train = replace(TRAIN, outs=(out("models"),))
    facts = replace(
        FACTS,
        artifact=replace(FACTS.artifact, output=out("models"), inside="churn.pkl"),
        recipe=Recipe(steps=(PREPARE, train), evaluation=(EVALUATE,)),
    )
    (picture,) = fences(pipeline.render(facts), "mermaid")
    assert labels(picture).count("models/churn.pkl") == 1
    assert "models" not in labels(picture)


def test_commands_are_on_one_line_without_secrets() -> None:
    """Several commands are joined; a line that goes on is one command."""
    assert shown(pipeline.render(FACTS)) == [
        ["Pipeline stage", "Command"],
        ["prepare", "python src/prepare.py --token *** && echo done"],
        ["train", "python src/train.py"],
        ["evaluate", "-"],
        ["report", "python report.py"],
    ]


def test_a_large_pipeline_is_a_list() -> None:
    """Beyond sixty nodes nobody reads a picture: the stages are counted and listed."""
    few = tuple(Step(name=f"s{n}", cmd="true", inputs=(), outs=()) for n in range(60))
    assert fences(pipeline.render(replace(FACTS, recipe=Recipe(steps=few))), "mermaid")
    many = (*few, replace(few[0], name="last"))
    text = pipeline.render(replace(FACTS, recipe=Recipe(steps=many)))
    assert not fences(text, "mermaid")
    assert text.startswith("The pipeline is too large for a picture: 61 pipeline stages")
    assert [row[0] for row in shown(text)[1:]] == [step.name for step in many]


def test_many_edges_are_a_list() -> None:
    """Few nodes with hundreds of edges are no picture either."""
    inputs = tuple(read(f"d{n}") for n in range(20))
    steps = tuple(Step(name=f"s{n}", cmd=None, inputs=inputs, outs=()) for n in range(20))
    assert "too large" in pipeline.render(replace(FACTS, recipe=Recipe(steps=steps)))


@pytest.mark.parametrize(
    ("source", "recipe", "said"),
    [
        (Source.DVC, Recipe(), "No pipeline stage writes this model: its file was added with `dvc add`."),
        (Source.DVC, Recipe(origin=Origin(path="x")), "No pipeline stage writes this model: it was imported with DVC."),
        (Source.GIT, Recipe(), "No pipeline stage writes this model: its file is kept in Git."),
        (Source.URL, Recipe(), "No pipeline stage writes this model: it is kept at a URL."),
        (Source.STAGE, Recipe(), "The commit does not say how the pipeline stage that writes this model ran."),
        (Source.MISSING, Recipe(), "The commit does not say what writes this model."),
    ],
)
def test_no_pipeline(source: Source, recipe: Recipe, said: str) -> None:
    """A sentence says how the model got here instead."""
    assert pipeline.render(replace(with_artifact(source=source), recipe=recipe)) == said


# environment --------------------------------------------------------------------------------------------------------


def test_recorded_environment() -> None:
    """System first, then the packages that a reader looks for, then the others folded up."""
    text = environment.render(
        recorded(
            Environment(
                python={"version": "3.11.2", "implementation": "CPython"},
                os={"system": "Linux", "machine": "x86_64", "distribution": "Debian 12"},
                cpu={"model": "EPYC", "count": 8},
                gpus=(Gpu(name="A100", memory="80 GiB", driver="535"),) * 2,
                lock=LockFile(path="uv.lock", sha256="cd" * 32),
                variables={"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "4"},
                packages=(
                    Package(name="attrs", version="24.1"),
                    Package(name="numpy", version="2.1.0"),
                    Package(name="own", version="0.1", origin="local", editable=True),
                    Package(name="scikit-learn", version="1.5.2"),
                ),
            )
        )
    )
    assert text.startswith(f"The training recorded its environment in `environment.json` (sha256 `{'ab' * 32}`).\n")
    assert shown(text) == [
        ["Part", "Recorded"],
        ["Python", "3.11.2, CPython"],
        ["OS", "Linux, Debian 12, x86_64"],
        ["CPU", "EPYC (8 CPUs)"],
        ["GPU", "2 \N{MULTIPLICATION SIGN} A100, 80 GiB, driver 535"],
        ["Lock file", f"uv.lock (sha256 {'cd' * 32})"],
        ["OMP_NUM_THREADS", "4"],
        ["PYTHONHASHSEED", "0"],
        ["Package", "Version"],
        ["scikit-learn", "1.5.2"],
        ["numpy", "2.1.0"],
    ]
    folded = "<details>\n<summary>2 other packages</summary>\n\nattrs 24.1, own 0.1 (from a local folder, editable)\n\n"
    assert text.endswith(f"{folded}</details>")


def test_packages_from_elsewhere_say_so() -> None:
    """One package that is not from an index is reason for a column."""
    elsewhere = Package(name="torch", version="2.4", origin="https://example.com/t.git", revision="ab" * 20)
    text = environment.render(
        recorded(Environment(python=None, packages=(elsewhere, Package(name="dvc", version="3"))))
    )
    assert shown(text)[-3:] == [
        ["Package", "Version", "From"],
        ["torch", "2.4", "https://example.com/t.git at abababababababababa"],
        ["dvc", "3", "package index"],
    ]
    assert ["Python", "not known"] in shown(text)


def test_environment_that_was_not_recorded() -> None:
    """What pins packages is no record of a training; without both, a line says what would record it."""
    pinned = TrainingEnvironment(file="requirements.txt", digest="ab" * 32)
    assert environment.render(replace(FACTS, environment=pinned)) == (
        "The training did not record its environment. "
        f"The commit pins packages in `requirements.txt` (sha256 `{'ab' * 32}`)."
    )
    text = environment.render(FACTS)
    assert text.startswith("The environment of the training was not recorded.\n")
    assert "`modelver run -- CMD`" in text


# artifact -----------------------------------------------------------------------------------------------------------


def properties(facts: CardFacts) -> dict[str, str]:
    return {row[0]: row[1] for row in shown(artifact.render(facts))[1:]}


def test_artifact_says_what_it_is() -> None:
    """Path, kind, size, full digest, keeper, format and library."""
    assert properties(FACTS) == {
        "Path": "models/churn.pkl",
        "Kind": "file",
        "Size": "1.4 MB (1,440,000 bytes)",
        "Digest": f"md5:{HEX}",
        "Kept by": "DVC cache",
        "Format": "joblib",
        "Library": "sklearn 1.5.2",
        "Code": "loading it runs code: load it only if you trust who made it",
    }


@pytest.mark.parametrize(
    ("changes", "keeper", "digest"),
    [
        ({"source": Source.GIT}, "Git", f"md5:{HEX}"),
        ({"source": Source.GIT, "digest": None, "lfs": "cd" * 32}, "Git LFS", f"sha256:{'cd' * 32}"),
        ({"source": Source.URL, "digest": None}, "URL (not verifiable)", "not known"),
        ({"source": Source.MISSING, "digest": None, "problem": "no such file"}, "not found: no such file", "not known"),
        ({"digest": None, "problem": "run dvc fetch"}, "DVC cache", "not known: run dvc fetch"),
        (
            {"output": replace(out("x"), cached=False)},
            "Git or nobody: DVC does not cache it (cache: false)",
            f"md5:{HEX}",
        ),
    ],
)
def test_who_keeps_the_bytes(changes: dict[str, object], keeper: str, digest: str) -> None:
    """An auditor reads where the bytes are and whether a digest stands for them."""
    found = properties(with_artifact(**changes))
    assert (found["Kept by"], found["Digest"]) == (keeper, digest)


def test_directories_say_how_many_files() -> None:
    """The number of files belongs to the kind."""
    found = properties(with_artifact(kind="directory", files=12))
    assert found["Kind"] == "directory of 12 files"


def test_what_the_bytes_say() -> None:
    """Imports are listed up to twenty, details stand open, many hyperparameters are folded up, all of it counted."""
    text = artifact.render(
        with_model(
            imports=tuple(f"m.f{n:02}" for n in range(23)),
            details={"estimator": "LogisticRegression"},
            hyperparameters={f"p{n:03}": n for n in range(120)},
            complete=False,
            problem="cut short",
        )
    )
    found = {row[0]: row[1] for row in shown(text)[1:]}
    assert found["Imports"] == ", ".join(f"m.f{n:02}" for n in range(20)) + " and 3 more"
    assert found["Looked at"] == "in part only: cut short"
    assert "Details:\n\n| Detail | Value |\n| --- | --- |\n| estimator | LogisticRegression |" in text
    assert "<summary>Hyperparameters (120)</summary>" in text
    assert "*and 20 more*" in text


def test_secret_settings_are_hidden() -> None:
    """A hyperparameter's name can give it away as a secret; what language models call a token is none."""
    found = dict(shown(artifact.render(with_model(hyperparameters={"api_key": "abc", "max_tokens": 512})))[-2:])
    assert found == {"api_key": "***", "max_tokens": "512"}


def test_bytes_that_were_not_looked_at() -> None:
    """Without a description the block says so, and claims nothing of the format."""
    text = artifact.render(replace(FACTS, model=None))
    assert "were not looked at" in text
    assert "Format" not in text


@pytest.mark.parametrize("status", Status)
def test_nothing_is_called_safe(status: Status) -> None:
    """No look at bytes can promise that."""
    for render in RENDERS.values():
        assert re.search(r"\bsafe", render(with_model(status=status, imports=("os.system",))), re.IGNORECASE) is None
    assert properties(with_model(status=Status.NO_CODE_FORMAT))["Code"] == "the format holds no code"
    assert properties(with_model(status=Status.UNKNOWN))["Code"] == "not known whether loading runs code"


# signature ----------------------------------------------------------------------------------------------------------


def test_signature_lists_inputs_outputs_and_classes() -> None:
    """Names, types and shapes as the model has them."""
    text = signature.render(
        with_model(
            signature=Signature(
                inputs=(Feature(name="age", type="double", shape=("?", 3)), Feature(name="a|b")),
                outputs=(Feature(name="p", shape=()),),
                classes=tuple(f"c{n}" for n in range(103)),
                source="MLmodel",
            )
        )
    )
    assert "according to `MLmodel`." in text
    assert shown(text) == [
        ["Name", "Type", "Shape"],
        ["age", "double", "(?, 3)"],
        ["a|b", "-", "-"],
        ["Name", "Type", "Shape"],
        ["p", "-", "()"],
    ]
    assert "Classes (103):\n\n- c0\n- c1\n" in text
    assert text.endswith("- c99\n\n*and 3 more*")


def test_no_signature_is_no_text() -> None:
    """A model that says nothing of its inputs, or that nobody looked at, has an empty block."""
    assert signature.render(FACTS) == ""
    assert signature.render(replace(FACTS, model=None)) == ""


# usage --------------------------------------------------------------------------------------------------------------


def commands(facts: CardFacts) -> list[str]:
    return [line for block in fences(usage.render(facts), "sh") for line in block.splitlines()]


def test_a_released_version_is_fetched_by_its_number() -> None:
    """With our command, and with DVC's own, which takes the version number alone."""
    assert commands(FACTS) == [
        "modelver get churn@v1.2.0 -o churn.pkl",
        "dvc artifacts get . churn --rev v1.2.0 -o churn.pkl",
    ]
    below = replace(FACTS, declared=Declared(name="a/b:churn", file="a/b/dvc.yaml", path="m.pkl"))
    assert commands(below)[1] == "dvc artifacts get . a/b:churn --rev v1.2.0 -o churn.pkl"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (with_artifact(None), ["dvc pull models/churn.pkl"]),
        (with_artifact(None, path="-x y.pkl"), ["dvc pull './-x y.pkl'"]),
        (
            with_artifact(None, path="sub/m/x.pkl", output=replace(out("sub/m"), root="sub")),
            ["dvc --cd sub pull m/x.pkl"],
        ),
        (with_artifact(None, source=Source.GIT), []),
        (with_artifact(None, source=Source.GIT, lfs="ab"), ["git lfs pull --include models/churn.pkl"]),
        (with_artifact(None, output=replace(out("x"), cached=False)), []),
        (with_artifact(source=Source.MISSING), []),
        (
            with_artifact(source=Source.URL, path="https://u:hunter2@example.com/m.onnx?sig=hunter2"),
            ["dvc get-url 'https://***@example.com/m.onnx?sig=***' m.onnx"],
        ),
        (
            with_artifact(source=Source.GIT),
            ["modelver get churn@v1.2.0 -o churn.pkl", "git checkout churn@v1.2.0 -- models/churn.pkl"],
        ),
        (
            replace(FACTS, declared=Declared(name="a:churn", file="a/artifacts.yaml", path="m.pkl")),
            [
                "modelver get a:churn@v1.2.0 -o churn.pkl",
                "git checkout a=churn@v1.2.0",
                "dvc pull models/churn.pkl",
            ],
        ),
    ],
)
def test_commands_for_every_keeper(facts: CardFacts, expected: Sequence[str]) -> None:
    """What fetches the bytes depends on who keeps them."""
    assert commands(facts) == expected


@pytest.mark.parametrize(
    ("form", "library", "line"),
    [
        ("joblib", "sklearn", 'model = joblib.load("churn.pkl")'),
        ("pickle", "sklearn", 'with open("churn.pkl", "rb") as file:'),
        ("pytorch", "pytorch", 'state = torch.load("churn.pkl", map_location="cpu", weights_only=True)'),
        ("pytorch-legacy", "pytorch", 'state = torch.load("churn.pkl", map_location="cpu", weights_only=True)'),
        ("torchscript", "pytorch", 'model = torch.jit.load("churn.pkl", map_location="cpu")'),
        ("safetensors", "pytorch", "from safetensors.torch import load_file"),
        ("safetensors", None, "from safetensors.numpy import load_file"),
        ("onnx", "onnx", 'session = onnxruntime.InferenceSession("churn.pkl")'),
        ("xgboost-json", "xgboost", 'model.load_model("churn.pkl")'),
        ("lightgbm", "lightgbm", 'model = lightgbm.Booster(model_file="churn.pkl")'),
        ("catboost", "catboost", 'model.load_model("churn.pkl")'),
        ("keras", "keras", 'model = keras.models.load_model("churn.pkl")'),
        ("saved-model", "tensorflow", 'model = tf.saved_model.load("churn.pkl")'),
        ("huggingface", "transformers", 'model = transformers.AutoModel.from_pretrained("churn.pkl")'),
        ("mlflow", "sklearn", 'model = mlflow.pyfunc.load_model("churn.pkl")'),
    ],
)
def test_code_that_loads_the_format(form: str, library: str | None, line: str) -> None:
    """The code is Python, names what it imports, and loads what the command above fetched."""
    (code,) = fences(usage.render(with_model(format=form, library=library)), "python")
    assert line in code.splitlines()
    ast.parse(code)


def test_code_follows_the_details() -> None:
    """A compressed pickle is unpacked; an architecture's head picks the class that has it."""
    text = usage.render(with_model(format="pickle", details={"compression": "gzip"}))
    assert 'joblib.load("churn.pkl")' in text
    text = usage.render(with_model(format="huggingface", details={"architectures": "BertForSequenceClassification"}))
    assert "transformers.AutoModelForSequenceClassification.from_pretrained" in text


def test_a_gguf_is_a_command() -> None:
    """llama.cpp is run, not imported."""
    assert commands(with_model(format="gguf"))[-1] == "llama-cli -m churn.pkl"


@pytest.mark.parametrize("form", ["directory", "binary", "text", "tflite", "hdf5"])
def test_no_code_for_other_formats(form: str) -> None:
    """Where the format does not say how to load it, nothing is guessed."""
    text = usage.render(with_model(format=form))
    assert "Load it" not in text
    assert fences(text, "python") == []


def test_loading_is_warned_of() -> None:
    """The sentence before the code says whether loading runs code; a format without code needs none."""
    assert "runs code that the file names: load it only if you trust who made it." in usage.render(FACTS)
    assert "Whether loading it runs code is not known." in usage.render(with_model(status=Status.UNKNOWN))
    assert "Load it:\n" in usage.render(with_model(format="onnx", status=Status.NO_CODE_FORMAT))
