"""Cards of hostile repositories: values are shown as what they are, cards that explode do not, nothing is followed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it.token import Token

from dvc_modelver.cards.document import parse_card
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from tests.bad_input.support import copy_repo, edit
from tests.cards.values import HOSTILE, parse
from tests.hostile.support import SECONDS, SECRET, Box, attack, check_answer, commands, few, write_object, write_ref
from tests.support import DvcRepo, Modelver

CARD = "model_cards/churn.md"
URL = f"https://user:{SECRET}@example.com/r.git?token={SECRET}&x=1"
TOKEN = "ghp_" + "abcdefghij" * 4
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{'ab' * 32}\n-----END RSA PRIVATE KEY-----"
SECRETS = {"password": SECRET, "apiKey": SECRET, "url": URL, "text": TOKEN, "jwt": JWT, "pem": PEM, "db_pwd": 918273645}
"""What must not be in any card, by the key that it stands under."""
TEXTS = {key: value for key, value in SECRETS.items() if isinstance(value, str)}
NEVER = (SECRET, TOKEN, JWT, "ab" * 32, "918273645")
VALUES = tuple(value for value in HOSTILE if value != "\ud800")
"""Without the lone surrogate, which no YAML file can hold."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def shown(value: object) -> str:
    """What a reader of the card sees of a text."""
    return one_line(redact_text(str(value)))


# Reading a card as others do -----------------------------------------------------------------------------------------


def card_of(box: Box) -> str:
    """The card in the work tree, after what must hold of every card."""
    return sound((box.repo.path / CARD).read_text())


def sound(text: str) -> str:
    """`text`, in which nothing is hidden, no secret is left, and no markup is the repository's."""
    assert not _HIDDEN.search(text)
    for secret in NEVER:
        assert secret not in text
        assert secret not in re.sub(r"\\(.)", r"\1", text)
    assert parse_card(text).problems == ()
    body = text.partition("\n---\n")[2]
    for token in walk(parse(body)):
        assert token.type not in ("html_block", "html_inline") or _only_ours(token.content), token
        assert token.type != "link_open", token
        assert token.type != "image" or re.fullmatch(r"churn-[a-z0-9_]+-[0-9a-f]{12}\.svg", str(token.attrs["src"]))
    return text


def _only_ours(html: str) -> bool:
    """Markers, comments of the template, and folded parts whose title is plain."""
    rest = re.sub(r"<!--.*?-->|<summary>[\w ,.()]*</summary>|</?details>", "", html, flags=re.DOTALL)
    return not rest.strip()


def walk(tokens: list[Token]) -> Iterator[Token]:
    """Every token, those inside lines as well."""
    for token in tokens:
        yield token
        yield from walk(token.children or [])


def block(text: str, name: str) -> str:
    """What stands in a generated block."""
    found = parse_card(text).block(name)
    assert found is not None
    return found.text


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, each cell as a reader sees it; every row has as many cells as the head."""
    lines = text.splitlines()
    found: list[list[list[str]]] = []
    for token in parse(text):
        if token.type == "table_open":
            found.append([])
            assert token.map is not None
            # The parser mends rows that are too long or too short, so the bars themselves are counted.
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines[slice(*token.map)]}
            assert len(bars) == 1, lines[slice(*token.map)]
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and token.level >= 3 and found:
            found[-1][-1].append(seen(token))
    return found


OUR_MARKUP = ("em_open", "em_close")
"""Of the words `not set`, where a value would stand."""


def seen(token: Token) -> str:
    """The text of a line; nothing in it may be markup but code."""
    parts = []
    for child in token.children or []:
        assert child.type in ("text", "text_special", "code_inline", *OUR_MARKUP), (child.type, token.content)
        parts.append(child.content)
    text = "".join(parts)
    assert text == "not set" or not any(child.type in OUR_MARKUP for child in token.children or []), token.content
    return text


# Values --------------------------------------------------------------------------------------------------------------


def _lines(values: object) -> str:
    """A value that is YAML as well as JSON."""
    return json.dumps(values, ensure_ascii=False)


PARAMS: dict[str, object] = {
    **{"lr": 1e-05, "depth": 7},
    **{f"k{n} {value}": value for n, value in enumerate(VALUES)},
    **SECRETS,
}


def hostile_files(box: Box) -> None:
    """Every hostile value in every place of a repository that a card shows."""
    box.git.write("params.yaml", _lines({"prepare": {"keep": 30}, "train": PARAMS}))
    numbers = {f"m{n} {value}": n / 100 for n, value in enumerate(HOSTILE)}
    texts = {f"t{n}": value for n, value in enumerate(HOSTILE)}
    box.git.write("metrics.json", json.dumps({"auc": 0.85, **TEXTS, "deep": {"er": numbers}, **texts}))
    meta = {
        "license": f"<b>{URL}",
        "task": "a|b [x](y)",
        "datasets": ["- x", "a: b", URL, "org/name", "---"],
        "base_model": [URL, "org/base", "../x"],
        "framework": ["<script>"],
        "library_name": "{{7*7}}",
    }
    text = (box.repo.path / "dvc.yaml").read_text()
    head = text.partition("artifacts:")[0].replace(
        "cmd: python src/train.py", "cmd: " + json.dumps("a|b `touch CANARY`")
    )
    entry = {
        "path": "models/churn.bin",
        "type": "model",
        "desc": " ".join(VALUES) + f" {URL} {TOKEN}",
        "labels": [*VALUES, URL, TOKEN],
        "meta": meta,
    }
    box.git.write("dvc.yaml", head + "artifacts: " + _lines({"churn": entry}) + "\n")
    _hostile_pipeline(box)
    _hostile_environment(box)


PATHS = (
    "data/a|b.csv", "data/`x`.csv", "data/<script>.csv", "data/[a](javascript:x)", "data/---", "data/{{7*7}}",
    "data/$(touch CANARY)", "data/${x}", "data/-rf", "data/--output=CANARY", "data/![a](x.png)", "data/<!-- x -->",
    "data/</details>", "data/www.example.com", "data/#1;", 'data/"quoted"', "data/'quoted'", "data/end", "data/a;b",
)  # fmt: skip


def _hostile_pipeline(box: Box) -> None:
    """Pipeline stages of hostile names and commands, whose hostile outputs the training reads."""
    import yaml

    lock = yaml.safe_load((box.repo.path / "dvc.lock").read_text())
    stages = {}
    for n, path in enumerate(PATHS):
        name = f"s{n} {VALUES[n % len(VALUES)]}"
        out = {"path": path, "hash": "md5", "md5": f"{n:032x}", "size": n}
        commands = [*VALUES[n::7], f"curl {URL} --password {SECRET} # {TOKEN}", f"touch {box.canary}"]
        stages[name] = {"cmd": commands if n % 2 else " ; ".join(commands), "outs": [out]}
        lock["stages"]["train"]["deps"].append({key: out[key] for key in ("path", "hash", "md5", "size")})
    lock["stages"] = {**stages, **lock["stages"]}
    lock["stages"]["train"]["params"] = {"params.yaml": {"train": PARAMS}}
    lock["stages"]["train"]["cmd"] = "a|b `touch CANARY`"
    box.git.write("dvc.lock", _lines(lock))
    text = (box.repo.path / "dvc.yaml").read_text()
    written = {
        name: {"cmd": body["cmd"], "outs": [out["path"] for out in body["outs"]]} for name, body in stages.items()
    }
    rows = "".join(f"  {_lines(name)}: {_lines(body)}\n" for name, body in written.items())
    text = text.replace("stages:\n", f"stages:\n{rows}", 1)
    deps = "".join(f"    - {json.dumps(path)}\n" for path in PATHS)
    box.git.write("dvc.yaml", text.replace("    - src/train.py\n", f"    - src/train.py\n{deps}", 1))
    raw = yaml.safe_load((box.repo.path / "data/raw.csv.dvc").read_text())
    repo = {"url": URL, "rev": "a|b", "rev_lock": "<script>alert(1)</script>"}
    raw |= {"frozen": True, "deps": [{"path": "x|`y`\n[a](b)", "repo": repo}]}
    box.git.write("data/raw.csv.dvc", json.dumps(raw))


def _hostile_environment(box: Box) -> None:
    packages = [{"name": f"p{n} {value}", "version": value} for n, value in enumerate(HOSTILE)]
    packages += [{"name": "numpy", "version": "a|b`", "origin": URL, "revision": "[a](b)", "editable": True}]
    packages += [{"name": f"q{n}", "version": "1", "origin": value} for n, value in enumerate(HOSTILE)]
    document = {
        "schema": 1,
        "python": {"version": "a|b", "implementation": "<script>"},
        "packages": packages,
        "os": {"system": "`x`", "distribution": "a\n| b |"},
        "cpu": {"model": "![a](x.png)", "count": "</details>"},
        "gpus": [{"name": "a|b", "memory": URL, "driver": "---"}],
        "lock": {"path": "../`x`|y", "sha256": "<b>"},
        "variables": {"OMP|`": "a|b", "PASSWORD": SECRET},
    }
    box.git.write("environment.json", json.dumps(document))


@pytest.fixture(scope="module")
def evil_template(
    hostile_template: DvcRepo, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver
) -> tuple[Box, str]:
    """Built once: a repository full of hostile values, and the card that `card update` made of it."""
    box = Box(copy_repo(hostile_template, tmp_path_factory.mktemp("evil") / "box"))
    hostile_files(box)
    box.git.commit("Evil")
    modelver("card", "update", cwd=box.git)
    return box, (box.repo.path / CARD).read_text()


@pytest.fixture(scope="module")
def evil(evil_template: tuple[Box, str]) -> str:
    """The card of a repository full of hostile values."""
    return evil_template[1]


def test_nothing_is_executed_and_nothing_written_outside(box: Box) -> None:
    """Every card command on a repository full of hostile values, watched: files, programs, pickles and imports."""
    hostile_files(box)
    box.git.commit("Evil")
    before = (box.repo.path / CARD).read_bytes()
    cards = {
        "stale": ["card", "check", "--json"],
        "plan": ["card", "update", "--dry-run", "--json"],
        "update": ["card", "update", "--json"],
        "check": ["card", "check"],
        "check json": ["card", "check", "churn", "--stage", "prod", "--json"],
        "show": ["card", "show", "churn"],
        "text": ["card", "show", "--json"],
        "show version": ["card", "show", "churn@v0.1.0"],
        "show elsewhere": ["card", "show", "churn@latest", "--repo", "."],
    }
    report = attack(box, cards, without=[name for name in commands(box) if name != "show"], may_write=[CARD])
    codes = {name: report.results[name].code for name in cards}
    assert codes == {name: {"stale": 1, "check json": 1}.get(name, 0) for name in cards}, report.results
    assert (box.repo.path / CARD).read_bytes() != before
    assert "**churn** v0.2.0" in report.results["text"].json["text"]
    card_of(box)


def test_what_was_hidden_is_shown_as_it_stands(box: Box, modelver: Modelver) -> None:
    """A card in which modelver hid a password is shown to the byte: saved to a file, it is the same sound card."""
    edit(box.repo.path / "dvc.yaml", "desc: Who is about to leave", f"desc: See {_lines(URL)[1:-1]}")
    modelver("card", "update", cwd=box.git)
    text = card_of(box)
    assert "example.com" in text
    assert modelver("card", "show", "churn", "--json", cwd=box.git).json["text"] == text
    assert modelver("card", "show", "churn", cwd=box.git).out == text


def test_a_release_with_hostile_values(evil_template: tuple[Box, str], tmp_path: Path, modelver: Modelver) -> None:
    """Released, the next version's card tells the differences, and the one after that has them in its table too."""
    box = Box(copy_repo(evil_template[0].repo, tmp_path / "box"))
    box.git.commit("The card")
    modelver("release", "churn", "--offline", cwd=box.git)
    params = json.loads((box.repo.path / "params.yaml").read_text())
    params["train"] = {key: f"{value}x" for key, value in reversed(params["train"].items())} | {"depth": 7}
    box.git.commit("More evil", {"params.yaml": _lines(params)})
    modelver("release", "churn", "--offline", cwd=box.git)
    text = card_of(box)
    assert "base=" in text
    changes = tables(block(text, "changes"))
    cells = [row for table in changes for row in table]
    assert ["train.k7 a|b", "a|b", "a|bx"] in cells
    assert "train.password" in {row[0] for row in cells} or "more*" in text
    assert modelver("card", "check", "--json", cwd=box.git).json["ok"] is True


def test_the_card_holds_nothing_but_text(evil: str) -> None:
    """No secret, no hidden character, no HTML, link or picture of the repository's, and every marker is ours."""
    sound(evil)


@pytest.mark.parametrize("key", ["db_pwd", "password", "deep.api_key"])
def test_a_secret_that_is_a_number_is_hidden_among_metrics(box: Box, modelver: Modelver, key: str) -> None:
    """A number under the name of a password is shown in no block, as it is in none of the params."""
    box.git.write("metrics.json", json.dumps({"auc": 0.85, key: 918273645}))
    modelver("card", "update", cwd=box.git)
    assert "918273645" not in (box.repo.path / CARD).read_text()


def test_params_read_literally(evil: str) -> None:
    """Each param has its row, and each cell shows key and value and nothing else; secrets are hidden."""
    (table,) = tables(block(evil, "params"))
    assert table[0][:2] == ["Param", "Value"]
    rows = {row[0]: row[1] for row in table[1:]}
    for n, value in enumerate(VALUES):
        assert rows[shown(f"train.k{n} {value}")] == shown(value), value
    assert {row[0]: row[1] for row in table[1:] if row[0].removeprefix("train.") in SECRETS} == {
        **{f"train.{key}": "***" for key in ("password", "apiKey", "text", "jwt", "pem", "db_pwd")},
        "train.url": shown(URL),
    }
    assert len(table) == 1 + len({"keep", *PARAMS})


def test_metrics_read_literally(evil: str) -> None:
    """Keys and texts of a metrics file too, and texts are no metrics of the front matter."""
    found = [row for table in tables(block(evil, "metrics")) for row in table]
    rows = {row[0]: row[1] for row in found}
    for n, value in enumerate(HOSTILE):
        assert rows[shown(f"deep.er.m{n} {value}")] == f"{n / 100:.6g}", value
    assert rows[shown(f"t{HOSTILE.index('a|b')}")] == "a|b"
    assert rows["password"] == rows["pem"] == rows["jwt"] == "***"


def test_description_and_labels_read_literally(evil: str) -> None:
    """The summary is a title, one paragraph and one list, whatever they hold."""
    tokens = parse(block(evil, "summary"))
    assert {token.type for token in tokens} <= {
        *("paragraph_open", "inline", "paragraph_close", "bullet_list_open", "bullet_list_close"),
        *("list_item_open", "list_item_close"),
    }
    inlines = [token for token in tokens if token.type == "inline"]
    assert shown(" ".join(VALUES))[:200] in "".join(child.content for child in inlines[1].children or [])
    labels = next(token for token in inlines if token.content.startswith("Type:"))
    for value in VALUES[:15]:
        if shown(value):
            assert shown(value) in seen(labels), value


def test_pipeline_and_data_read_literally(evil: str) -> None:
    """A row for each pipeline stage and file, hostile names as code; the picture is one fence that stays closed."""
    tokens = parse(block(evil, "pipeline"))
    assert [token.type for token in tokens if token.level == 0 and token.nesting >= 0][:2] == ["fence", "table_open"]
    (table,) = tables(block(evil, "pipeline"))
    names = [row[0] for row in table[1:]]
    for n in range(len(PATHS)):
        assert shown(f"s{n} {VALUES[n % len(VALUES)]}") in names
    assert {len(row) for row in table} == {2}
    fence = next(token for token in tokens if token.type == "fence")
    assert not re.search(r"[<>`]|click|javascript:|%%", fence.content.replace("-->", ""))
    rows = [row for table in tables(block(evil, "data")) for row in table]
    assert {shown(path) for path in PATHS} <= {row[0] for row in rows}
    assert {len(row) for row in rows} == {len(rows[0])}
    (imported,) = [row for row in rows if row[0] == "data/raw.csv"]
    assert shown(URL) in imported[-1]
    assert shown("x|`y`\n[a](b)") in imported[-1]


def test_the_environment_reads_literally(evil: str) -> None:
    """What `environment.json` holds is text in tables and in one folded list."""
    text = block(evil, "environment")
    cells = [cell for table in tables(text) for row in table for cell in row]
    assert "a|b, <script>" in cells
    assert shown("../`x`|y") in " ".join(cells)
    assert "***" in cells
    (listed,) = [t for t in parse(text) if t.type == "inline" and t.content.startswith("p0 ")]
    found = seen(listed)
    for n, value in enumerate(HOSTILE):
        assert shown(f"p{n} {value} {value}") in found, value


def test_the_front_matter_reads_literally(evil: str) -> None:
    """YAML of plain scalars: labels as they are, no alias, tag or second document, and Hugging Face reads it."""
    import yaml
    from huggingface_hub import ModelCard

    front = evil.split("---\n")[1] if evil.startswith("---\n") else ""
    documents = list(yaml.safe_load_all(front))
    assert len(documents) == 1
    data = documents[0]
    assert set(data) <= {
        *("license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "base_model", "model-index"),
    }
    assert data["tags"] == list(dict.fromkeys(shown(v) for v in (*VALUES, URL, TOKEN)[:50] if shown(v)))
    assert data["base_model"] == "org/base"
    assert "org/name" in data["datasets"]
    numbers = data["model-index"][0]["results"][0]["metrics"]
    assert {"auc": 0.85, "deep.er.m7 a|b": 0.07}.items() <= {n["name"]: n["value"] for n in numbers}.items()
    assert ModelCard(evil).data.model_name == "churn"


@pytest.mark.parametrize("lang", ["1.1", "1.2"])
def test_every_yaml_reads_the_same(evil: str, lang: str) -> None:
    """A reader of YAML 1.2 (DVC's) and one of 1.1 (PyYAML) agree on every value."""
    import yaml

    ruamel = pytest.importorskip("ruamel.yaml")
    front = evil.split("---\n")[1]
    reader = ruamel.YAML(typ="safe", pure=True)
    reader.version = lang
    assert reader.load(front) == yaml.safe_load(front)


# Pictures ------------------------------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("template", ["linear", "scatter", "confusion", "bar_horizontal"])
def test_plots_hold_only_text(box: Box, modelver: Modelver, template: str) -> None:
    """Titles, columns and classes full of markup make a picture of a few harmless elements, and a plain title."""
    title = "</text><script>alert(1)</script> ![a](javascript:x) | ` " + URL + " \x1b[2J \u202e \ufffe " + TOKEN
    columns = ["</svg><script>", '" onload="alert(1)', f"{TOKEN}"]
    rows = [dict(zip(columns, (value, n, n * 2), strict=True)) for n, value in enumerate(VALUES[:20])]
    if template in ("linear", "scatter"):
        rows = [row | {columns[0]: n} for n, row in enumerate(rows)]
    box.git.write("plot.json", json.dumps(rows))
    x, y = (columns[1], columns[0]) if template == "bar_horizontal" else columns[:2]
    option = {"x": x, "y": y, "template": template, "title": title, "x_label": title}
    with open(box.repo.path / "dvc.yaml", "a") as file:
        file.write("plots: [" + json.dumps({"plot.json": option}) + "]\n")
    box.git.write(".modelver.yaml", "cards: {plots: [plot.json]}\n")
    modelver("card", "update", cwd=box.git)
    text = card_of(box)
    (image,) = [token for token in walk(parse(block(text, "plots"))) if token.type == "image"]
    assert all(child.type in ("text", "text_special") for child in image.children or [])
    (place,) = (box.repo.path / "model_cards").glob("*.svg")
    data = place.read_bytes()
    assert len(data) <= 20_000
    for secret in NEVER:
        assert secret.encode() not in data
    root = ElementTree.fromstring(data)
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "title", "desc", "g", "rect", "path", "text", "circle", "line", "polyline", "tspan"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith(("on", "{")) or name in ("href", "style")]
    assert not _HIDDEN.search("".join(root.itertext()))


# Cards that are hostile themselves ----------------------------------------------------------------------------------

MARK = "<!-- modelver:begin params -->\n"
BOMBS: dict[str, str] = {
    "an alias bomb": "---\na: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}' if n > 1 else '*a'] * 9)}]\n" for n in range(1, 30))
    + "# modelver:begin\n# modelver:end\n---\n",
    "a Python object": "---\na: !!python/object/apply:os.system ['touch CANARY']\n# modelver:begin\n# modelver:end\n"
    "---\n",
    "20,000 levels of YAML": "---\na: " + "[" * 20_000 + "\n---\n",
    "50,000 beginnings": MARK * 50_000,
    "50,000 ends": "<!-- modelver:end params -->\n" * 50_000,
    "25,000 blocks": "".join(f"<!-- modelver:begin x{n} -->\n<!-- modelver:end x{n} -->\n" for n in range(25_000)),
    "a line of a megabyte": "AUC 0.80 " * 120_000 + "\n",
    "a megabyte of backticks": "`" * 1_000_000 + "\n",
    "backticks of all lengths": " ".join("`" * n for n in range(1, 1200)) + "\n",
    "half a megabyte of quotes": ">" * 500_000 + "\n",
    "lists without end": "- " * 250_000 + "\n",
    "comments without end": "<!--" * 250_000 + "\n",
    "markers on one line": "<!-- modelver:begin " * 50_000 + "\n",
    "attributes without end": f"<!-- modelver:begin x {' '.join(f'a{n}=b' for n in range(50_000))} -->\n",
    "100,000 headings": "# Limitations\n" * 100_000,
    "100,000 fences": "```\n~~~\n" * 50_000,
    "digits": "AUC " + "9" * 500_000 + "\n",
    "an endless exponent": "The auc is 1e999999999 or 0.8e-999999999.\n",
    "underlines": "a\n" + "=\n-\n" * 100_000,
    "brackets": "[" * 300_000 + "](" * 100_000 + "\n",
    "emphasis": "*a **b " * 100_000 + "\n",
    "tables": "|" * 300_000 + "\n" + "|-" * 150_000 + "\n",
    "required without end": "<!-- modelver:required " + "Limitations; " * 50_000 + "-->\n",
    "almost secrets": "eyJ" * 100_000 + "\n" + "sk-" * 100_000 + "\n",
    "secrets without end": "-----BEGIN A-----\n" * 40_000,
    "URLs": "https://" * 100_000 + "\n" + "://a" * 100_000 + "@\n",
    "NUL": "\0" * 100_000 + "\n",
    "hidden characters": "\x1b[2J\u202e\u200b\ufeff\x9b\n# \x1b]0;x\x07 Limitations\n",
    "old line ends": "a\r\r\n\x0b\x0c\x1c\x85\u2028b\r" * 1000,
}


SLOW = {
    name for name in BOMBS if name.startswith(("50,000", "100,000", "underlines", "almost", "markers", "attributes"))
}


@pytest.mark.parametrize("what", few(BOMBS, *(BOMBS.keys() - SLOW)))
def test_a_card_that_explodes_does_not(box: Box, modelver: Modelver, what: str) -> None:
    """Whatever stands in it: an answer or an error of the table within seconds, nothing hidden on the terminal."""
    released = (box.repo.path / CARD).read_text()
    text = BOMBS[what]
    box.git.write(CARD, text + released.partition("\n---\n")[2] if text.startswith("---\n") else released + text)
    box.git.commit("A bomb", {".modelver.yaml": "cards: {required: {prod: [Limitations]}}\n"})
    box.git.write("params.yaml", (box.repo.path / "params.yaml").read_text() + "other: 1\n")
    for words in (
        ("card", "check", "--stage", "prod"),
        ("card", "check", "--json"),
        ("card", "update"),
        ("card", "update", "--discard-edits", "--json"),
        ("card", "show", "churn"),
        ("card", "show", "churn", "--json"),
        ("promote", "churn@v0.2.0", "prod"),
        ("release", "churn", "--dry-run"),
    ):
        begin = time.monotonic()
        result = modelver(*words, cwd=box.git, code=None)
        assert time.monotonic() - begin < SECONDS, words
        check_answer(result)
        assert result.code in (0, 1, 2, 3), result.err[:500]
    assert not box.canary.exists()


def test_a_card_above_the_limit_is_refused(box: Box, modelver: Modelver) -> None:
    """4 MiB is a page of nobody: the check names the limit, the update is 2, and it is left as it is."""
    text = (box.repo.path / CARD).read_text() + "word " * 1_000_000
    box.git.write(CARD, text)
    (problem,) = modelver("card", "check", "--json", cwd=box.git, code=1).json["cards"][0]["problems"]
    assert "limit" in problem["problem"]
    modelver("card", "update", "--discard-edits", cwd=box.git, code=2)
    assert (box.repo.path / CARD).read_text() == text


def test_a_card_is_whole_in_json(box: Box, modelver: Modelver) -> None:
    """Escaping for the terminal does not change what a script reads, line ends and hidden characters among it."""
    text = (box.repo.path / CARD).read_text().replace("\n", "\r\n") + "\x1b[2J \u202e \u2028 \x85 end\r\n\r\n"
    (box.repo.path / CARD).write_bytes(text.encode())
    assert modelver("card", "show", "churn", "--json", cwd=box.git).json["text"] == text
    out = modelver("card", "show", "churn", cwd=box.git).out
    assert not _HIDDEN.search(out)
    assert "\\x1b[2J \\u202e" in out


def test_secrets_of_people_are_not_shown_again(box: Box, modelver: Modelver) -> None:
    """A URL with a password that somebody wrote into a card is hidden when the card is shown or checked."""
    box.git.write(CARD, (box.repo.path / CARD).read_text() + f"\nSee {URL}.\n")
    for words in (("card", "show", "churn"), ("card", "show", "churn", "--json"), ("card", "check", "--json")):
        result = modelver(*words, cwd=box.git, code=None)
        check_answer(result)
        assert result.code == int(words[1] == "check")
    refusal = modelver("card", "update", cwd=box.git, code=None)
    check_answer(refusal)


# What leads elsewhere ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["../../outside/precious", "/etc/passwd", "../.git/config", "../params.yaml"])
def test_a_card_that_is_a_link_is_not_followed(box: Box, modelver: Modelver, target: str) -> None:
    """In the work tree, in a commit and in a version: what it points to is neither shown nor written."""
    (box.repo.path / CARD).unlink()
    (box.repo.path / CARD).symlink_to(target)
    box.release_by_hand()
    for words in ("churn", "churn@v0.3.0"):
        failed = modelver("card", "show", words, cwd=box.git, code=None)
        assert failed.code in (3, 7), failed
        assert "user's own" not in failed.out + failed.err
    assert modelver("card", "check", "--json", cwd=box.git, code=1).json["ok"] is False
    modelver("card", "update", "--discard-edits", cwd=box.git, code=3)
    assert modelver("release", "churn", "--dry-run", cwd=box.git, code=None).code in (0, 2, 3)
    assert (box.outside / "precious").read_text() == "the user's own"
    assert (box.repo.path / CARD).is_symlink()


@pytest.mark.parametrize(
    "path",
    [
        "../../outside/precious",
        "/etc/passwd",
        ".git/config",
        ".git/HEAD",
        "model_cards",
        "",
        "no/such.md",
        "x%0Ay",
        ":/",
    ],
)
def test_a_record_that_names_another_card(box: Box, modelver: Modelver, path: str) -> None:
    """The path in a forged record is looked for in the version's own tree and nowhere else."""
    body = box.git.run("cat-file", "tag", "refs/tags/churn@v0.1.0").stdout.decode()
    forged = re.sub(r"(Modelver-Card: \S+) \S+", lambda m: f"{m[1]} {path}", body)
    assert forged != body
    write_ref(box.git, "refs/tags/churn@v0.1.0", write_object(box.git, "tag", forged.encode()))
    for words in (
        ("card", "show", "churn@v0.1.0"),
        ("show", "churn@v0.1.0", "--json"),
        ("promote", "churn@v0.1.0", "x"),
    ):
        result = modelver(*words, cwd=box.git, code=None)
        check_answer(result)
        assert result.code != 70
        for words_of_others in ("user's own", "root:", "[core]", "ref: refs"):
            assert words_of_others not in result.out


TEMPLATES_THAT_LEAD_OUT = (
    "../outside/precious",
    "/etc/passwd",
    ".git/config",
    "~/.gitconfig",
    "link.md",
    "dir/../../x",
)


@pytest.mark.parametrize("name", TEMPLATES_THAT_LEAD_OUT)
def test_a_template_that_leads_out(box: Box, modelver: Modelver, name: str) -> None:
    """A repository's configuration makes nobody read a file outside of it into a card."""
    (box.repo.path / "link.md").symlink_to(box.outside / "precious")
    (box.repo.path / CARD).unlink()
    box.git.commit("Lead out", {".modelver.yaml": json.dumps({"cards": {"template": name}})})
    for words in (("card", "update"), ("release", "churn", "--dry-run")):
        result = modelver(*words, cwd=box.git, code=None)
        assert result.code == 2 or words[0] == "release", result
    assert not (box.repo.path / CARD).exists()


PLOTS_THAT_LEAD_OUT = (
    "../outside/data.csv",
    "/etc/passwd",
    ".git/config",
    "link.csv",
    "{touch}",
    "http://127.0.0.1:9/x",
)


@pytest.mark.parametrize("name", PLOTS_THAT_LEAD_OUT)
def test_plots_that_lead_out(box: Box, modelver: Modelver, name: str) -> None:
    """Neither is a plot's data read outside, nor is a picture written anywhere but beside the card."""
    (box.outside / "data.csv").write_text("x,y\n0,1\n1,2\n")
    (box.repo.path / "link.csv").symlink_to(box.outside / "data.csv")
    with open(box.repo.path / "dvc.yaml", "a") as file:
        file.write("plots: [" + json.dumps({"evil": {"x": "x", "y": {name: "y"}}}) + "]\n")
    box.git.commit("Lead out", {".modelver.yaml": json.dumps({"cards": {"plots": [name, "evil"]}})})
    modelver("card", "update", cwd=box.git, code=None)
    assert list(box.repo.path.rglob("*.svg")) == []
    assert sorted(p.name for p in box.outside.iterdir()) == ["data.csv", "precious"]


def test_pictures_of_others_are_never_removed(box: Box, modelver: Modelver) -> None:
    """A card that claims to show somebody's file cannot get it removed, inside or outside of its folder."""
    victims = [
        "model_cards/other-x-0123456789ab.svg",
        "churn-x-0123456789ab.svg",
        "model_cards/churn-x-0123456789ab.svg",
    ]
    for name in victims:
        box.git.write(name, "<svg/>")
    shown_there = "".join(
        f"![x]({name})\n"
        for name in ("other-x-0123456789ab.svg", "../churn-x-0123456789ab.svg", "churn-x-0123456789ab.svg")
    )
    text = (box.repo.path / CARD).read_text()
    empty = "<!-- modelver:begin plots -->\n"
    assert empty in text
    box.git.write(CARD, text.replace(empty, f"{empty}\n{shown_there}\n"))
    box.git.commit("Claim")
    modelver("card", "update", "--discard-edits", cwd=box.git)
    assert all((box.repo.path / name).read_text() == "<svg/>" for name in victims)
    assert "![x]" not in block((box.repo.path / CARD).read_text(), "plots")
