"""What commands print: JSON of the contract's shapes, tables that hostile text cannot break, errors that help."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dvc_modelver._version import __version__
from dvc_modelver.cli import card as card_group
from dvc_modelver.cli import hooks as hooks_group
from dvc_modelver.cli import pipeline as pipeline_group
from dvc_modelver.cli.main import COMMANDS
from dvc_modelver.cli.table import Table, render_csv, render_markdown, render_text, width
from dvc_modelver.core.text import one_line
from tests.cli import shapes
from tests.cli.shapes import faults
from tests.support import Clock, Clones, DvcRepo, Git, Modelver, Result, Templates

Run = Callable[..., Result]


@pytest.fixture
def run(request: pytest.FixtureRequest, modelver: Modelver) -> Run:
    """`modelver` in `busy` where a test has that, else in `dvc_repo`; the clock ticks before each command."""
    repo: DvcRepo = request.getfixturevalue("busy" if "busy" in request.fixturenames else "dvc_repo")
    return runner(repo.git, modelver)


def runner(git: Git, modelver: Modelver) -> Run:
    """`modelver` in `git`, the clock ticking before each command."""

    def call(*args: str | Path, **options: object) -> Result:
        git.clock.tick()
        return modelver(*args, cwd=git, **options)  # type: ignore[arg-type]

    return call


@pytest.fixture(scope="module")
def busy_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> DvcRepo:
    """Built once, for `busy` to copy."""
    repo = templates.dvc(tmp_path_factory.mktemp("busy"))
    run = runner(repo.git, modelver)
    run("release", "churn", "-m", "the first")
    run("promote", "churn", "prod")
    repo.fake_train(9)
    run("release", "churn", "--bump", "minor", "--stage", "staging")
    run("promote", "churn", "dev")
    run("withdraw", "churn#dev")
    repo.fake_train(10)
    run("release", "churn", "--version", "v1.0.0-rc.1")
    run("withdraw", "churn@v1.0.0-rc.1", "-m", "bad", "--yes")
    repo.git.tag("ranker@v1.0.0")
    repo.git.tag("ranker#shadow#1", rev="HEAD~2")
    repo.git.tag("old@v3.0.0")
    repo.git.tag("old@deprecated")
    repo.git.tag("churn@v9", message=None)
    return repo


@pytest.fixture
def busy(busy_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A DVC repository in which everything has happened: releases, stages, withdrawals, GTO's tags, faults."""
    shutil.copytree(busy_template.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(tmp_path / busy_template.path.name, busy_template.git.home, Clock(busy_template.git.clock.seconds))
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, tmp_path / busy_template.store.name)


# JSON ----------------------------------------------------------------------------------------------


def test_list_json(busy: DvcRepo, run: Run) -> None:
    """`list --json` has the contract's keys, says what happened, and names the faulty ref."""
    answer = run("list", "--json").json
    assert faults(answer, shapes.LIST) == []
    churn, old, ranker = answer["models"]
    assert answer["schema"] == 1
    assert [m["name"] for m in answer["models"]] == ["churn", "old", "ranker"]
    assert (churn["type"], churn["path"], churn["latest"], churn["versions"]) == (
        "model",
        "models/churn.bin",
        "v0.2.0",
        3,
    )
    assert {stage: held["version"] for stage, held in churn["stages"].items()} == {
        "prod": "v0.1.0",
        "staging": "v0.2.0",
    }
    assert (churn["retired"], churn["declared"], old["retired"], old["declared"]) == (False, True, True, False)
    assert ranker["stages"]["shadow"]["version"] is None
    assert ranker["stages"]["shadow"]["commit"] == busy.git.rev("HEAD~2")
    assert [problem["ref"] for problem in answer["problems"]] == ["refs/tags/churn@v9"]


def test_show_json(busy: DvcRepo, run: Run) -> None:
    """`show N --json` has every version, the highest first by SemVer, with where its bytes are."""
    answer = run("show", "churn", "--json").json
    assert faults(answer, shapes.SHOW) == []
    assert [(v["version"], v["withdrawn"], v["prerelease"], v["previous"]) for v in answer["versions"]] == [
        ("v1.0.0-rc.1", True, True, "v0.2.0"),
        ("v0.2.0", False, False, "v0.1.0"),
        ("v0.1.0", False, False, None),
    ]
    first = answer["versions"][-1]
    assert first["stages"] == ["prod"]
    assert first["message"] == "Release churn v0.1.0\n\nthe first"
    assert first["author"] == {"name": "Ada Byron", "email": "ada@example.com"}
    assert first["record"]["version"] == "v0.1.0"
    assert first["artifact"]["source"] == "stage"
    assert first["artifact"]["size"] == first["record"]["size"]


def test_show_json_of_versions_that_others_made(busy: DvcRepo, run: Run) -> None:
    """A version without a record or a declaration has the same keys, and says that its bytes are missing."""
    answer = run("show", "ranker", "--json").json
    assert faults(answer, shapes.SHOW) == []
    (only,) = answer["versions"]
    assert (only["record"], only["artifact"]["source"], only["artifact"]["path"]) == (None, "missing", None)


def test_show_version_json(busy: DvcRepo, run: Run) -> None:
    """`show N@V --json` has all of one version: params, metrics and data as the commit's files have them."""
    answer = run("show", "churn@v0.1.0", "--json").json
    assert faults(answer, shapes.SHOW_VERSION) == []
    assert answer["params"] == {"params.yaml": {"prepare.keep": 30, "train.lr": 1e-05, "train.depth": 6}}
    assert answer["metrics"]["metrics.json"]["auc"] == 0.8
    assert [item["path"] for item in answer["data"]] == ["data/raw.csv"]
    assert answer == run("show", "churn#prod", "--json").json
    assert run("show", "churn@latest", "--json").json["version"] == "v0.2.0"


def test_history_json(busy: DvcRepo, run: Run) -> None:
    """`history --json` has every event, newest first, with what it ends."""
    answer = run("history", "churn", "--json").json
    assert faults(answer, shapes.HISTORY) == []
    events = answer["events"]
    assert [(e["event"], e["version"], e["stage"], e["counter"]) for e in events] == [
        ("withdraw-version", "v1.0.0-rc.1", None, None),
        ("release", "v1.0.0-rc.1", None, None),
        ("withdraw-stage", "v0.2.0", "dev", 4),
        ("promote", "v0.2.0", "dev", 3),
        ("promote", "v0.2.0", "staging", 2),
        ("release", "v0.2.0", None, None),
        ("promote", "v0.1.0", "prod", 1),
        ("release", "v0.1.0", None, None),
    ]
    assert [e["ends"] for e in events[:3]] == [["churn@v1.0.0-rc.1"], [], ["churn#dev#3"]]
    assert [e["at"] for e in events] == sorted((e["at"] for e in events), reverse=True)
    everything = run("history", "--json").json
    assert faults(everything, shapes.HISTORY) == []
    assert {e["model"] for e in everything["events"]} == {"churn", "ranker", "old"}


def test_history_has_the_counters_of_versions_and_retirements(dvc_repo: DvcRepo, run: Run) -> None:
    """A counter that a tag has is shown, whatever the event."""
    for name in ("churn@v1.0.0#1", "churn@v1.0.0!#2", "churn@deprecated#3"):
        dvc_repo.git.tag(name)
    events = run("history", "--json").json["events"]
    assert [(e["event"], e["counter"]) for e in events] == [("retire", 3), ("withdraw-version", 2), ("release", 1)]


def test_history_at_json(busy: DvcRepo, run: Run) -> None:
    """`history --at --json` has what each stage held then, by the events' own times."""
    promoted = next(e for e in run("history", "--json").json["events"] if e["tag"] == "churn#dev#3")
    answer = run("history", "churn", "--at", promoted["at"], "--json").json
    assert faults(answer, shapes.AT) == []
    (model,) = answer["models"]
    assert (answer["at"], model["latest"]) == (promoted["at"], "v0.2.0")
    assert {stage: held["version"] for stage, held in model["stages"].items()} == {
        "dev": "v0.2.0",
        "prod": "v0.1.0",
        "staging": "v0.2.0",
    }
    before = run("history", "--at", "2024-12-31", "--json").json
    assert faults(before, shapes.AT) == []
    assert {(m["latest"], len(m["stages"])) for m in before["models"]} == {(None, 0)}


WRITING: dict[str, tuple[str, ...]] = {
    "release": ("release", "churn"),
    "release into a stage": ("release", "churn", "--stage", "dev"),
    "promote": ("promote", "churn@v0.2.0", "prod"),
    "promote of the holder": ("promote", "churn@v0.1.0", "prod"),
    "withdraw a version": ("withdraw", "churn@v0.2.0", "-m", "why", "--yes"),
    "withdraw a version again": ("withdraw", "churn@v1.0.0-rc.1", "-m", "why", "--yes"),
    "withdraw from a stage": ("withdraw", "churn#prod"),
    "retire": ("retire", "churn"),
    "retire again": ("retire", "old"),
}


@pytest.mark.parametrize("what", WRITING)
def test_writing_json(busy: DvcRepo, run: Run, what: str) -> None:
    """A writing command's plan and its answer have the same keys and steps; only the second makes the tags."""
    busy.fake_train(11)
    before = busy.git.tags()
    plan = run(*WRITING[what], "--dry-run", "--json").json
    assert busy.git.tags() == before
    done = run(*WRITING[what], "--json").json
    assert faults(plan, shapes.WRITING) == faults(done, shapes.WRITING) == []
    made = sorted(set(busy.git.tags()) - set(before))
    assert (plan["dry_run"], done["dry_run"], done["action"]) == (True, False, WRITING[what][0])
    assert plan["steps"] == done["steps"]
    assert sorted(step["target"] for step in done["steps"] if step["do"] == "git tag") == made
    assert plan["changed"] == done["changed"] == bool(made)
    (model,) = done["models"]
    assert model["tag"] in busy.git.tags()
    if made:
        assert model["tag"] in made
        assert model["commit"] == busy.git.rev(f"refs/tags/{model['tag']}^{{}}")


def test_push_json(two_clones: Clones, modelver: Modelver) -> None:
    """`push --json` and `release --push --json` have the writing commands' shape, and say that it is published."""
    ada = two_clones.ada.git
    modelver("release", "churn", cwd=ada)
    answer = modelver("push", "--json", cwd=ada).json
    assert faults(answer, shapes.WRITING) == []
    assert [(m["tag"], m["published"]) for m in answer["models"]] == [("churn@v0.1.0", True)]
    two_clones.ada.fake_train(9)
    ada("push", "-q")
    answer = modelver("release", "churn", "--push", "--json", cwd=ada).json
    assert faults(answer, shapes.RELEASED) == []
    assert [(m["tag"], m["published"]) for m in answer["models"]] == [("churn@v0.2.0", True)]


def test_numbers_that_are_not_finite(dvc_repo: DvcRepo, run: Run) -> None:
    """JSON has no NaN: such numbers are words, and a dot inside a key is escaped."""
    dvc_repo.git.commit("Odd metrics", {"metrics.json": '{"a": NaN, "b": Infinity, "c": -Infinity, "d.e": {"f": 1}}'})
    dvc_repo.git.tag("churn@v1.0.0")
    answer = run("show", "churn@v1.0.0", "--json").json
    assert answer["metrics"]["metrics.json"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity", r"d\.e.f": 1}


def test_hooks_json(busy: DvcRepo, run: Run) -> None:
    """`hooks install`, `hooks status` and `hooks uninstall` have the contract's keys."""
    for words, shape in (("install", shapes.HOOKED), ("status", shapes.HOOKS_STATUS), ("uninstall", shapes.HOOKED)):
        answer = run("hooks", words, "--json").json
        assert faults(answer, shape) == []
        assert answer.get("changed", True)


def test_card_json(busy: DvcRepo, run: Run) -> None:
    """`card update`, `card check` and `card show` have the contract's keys."""
    busy.fake_train(11)
    updated = run("card", "update", "--json").json
    assert faults(updated, shapes.WRITING) == []
    assert (updated["action"], updated["changed"], updated["dry_run"]) == ("card update", True, False)
    assert updated["models"] == [
        {"name": "churn", "version": None, "stage": None, "tag": None, "commit": None, "published": None}
    ]
    assert updated["steps"] == [{"do": "write", "target": "model_cards/churn.md"}]
    checked = run("card", "check", "--json").json
    assert faults(checked, shapes.CARD_CHECK) == []
    assert (checked["ok"], [(card["name"], card["ok"]) for card in checked["cards"]]) == (True, [("churn", True)])
    failed = run("--json", "card", "check", "churn", "--stage", "prod", code=1).json
    assert faults(failed, shapes.CARD_CHECK) == []
    assert (failed["ok"], failed["cards"][0]["ok"], len(failed["cards"][0]["problems"])) == (False, False, 3)
    shown = run("card", "show", "churn@v0.2.0", "--json").json
    assert faults(shown, shapes.CARD_SHOW) == []
    assert (shown["name"], shown["version"], shown["path"]) == ("churn", "v0.2.0", "model_cards/churn.md")
    assert run("card", "show", "--json").json["version"] is None


# Errors --------------------------------------------------------------------------------------------

ERRORS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "an unknown command": (("relaese", "churn"), 2, "bad-input"),
    "an unknown option": (("list", "--jason"), 2, "bad-input"),
    "an unknown global option": (("--jason", "list"), 2, "bad-input"),
    "a missing argument": (("show",), 2, "bad-input"),
    "an argument too many": (("retire", "churn", "ranker"), 2, "bad-input"),
    "an option without its value": (("release", "churn", "--bump"), 2, "bad-input"),
    "a bad version": (("show", "churn@v1"), 2, "bad-input"),
    "a bad name": (("show", "a b"), 2, "bad-input"),
    "a bad bump": (("release", "churn", "--bump", "huge"), 2, "bad-input"),
    "a bad date": (("history", "--at", "yesterday"), 2, "bad-input"),
    "options that exclude each other": (("list", "--md", "--csv"), 2, "bad-input"),
    "an unknown command of a group": (("card", "udpate"), 2, "bad-input"),
    "an unknown option of a command of a group": (("card", "check", "--stgae", "prod"), 2, "bad-input"),
    "an unknown model": (("show", "chrun"), 7, "not-found"),
    "an unknown model's card": (("card", "check", "chrun"), 7, "not-found"),
    "an unknown model's gate": (("gate", "chrun"), 7, "not-found"),
    "a gate against an unknown stage": (("gate", "churn", "--against", "production"), 7, "not-found"),
    "a gate's policy that is not there": (("gate", "churn", "--policy", "gate.yaml"), 2, "bad-input"),
    "a report that is not there": (("guard", "churn", "--stage", "prod", "--metrics", "x"), 2, "bad-input"),
    "a guard without a report": (("guard", "churn", "--stage", "prod"), 2, "bad-input"),
    "a guard of an empty stage": (("guard", "churn", "--stage", "dev", "--metrics", "metrics.json"), 7, "not-found"),
    "a table with nothing to check it against": (("validate", "data/raw.csv"), 2, "bad-input"),
    "a table against an unknown version": (("validate", "data/raw.csv", "--against", "churn@v7.0.0"), 7, "not-found"),
    "an unknown kind of pipeline stage": (("pipeline", "add", "gaet", "churn"), 2, "bad-input"),
    "a pipeline stage that is another": (
        ("pipeline", "add", "card-data", "data/raw.csv", "--as", "train", "--yes"),
        4,
        "conflict",
    ),
    "a model without what names it": (("list", "churn"), 2, "bad-input"),
    "an unknown version": (("show", "churn@v7.0.0"), 7, "not-found"),
    "an unknown stage": (("show", "churn#production"), 7, "not-found"),
    "an empty stage": (("get", "churn#dev"), 7, "not-found"),
    "a withdrawn version": (("promote", "churn@v1.0.0-rc.1", "prod"), 3, "refused"),
    "a withdrawn number": (("release", "churn", "--version", "v1.0.0-rc.1"), 4, "conflict"),
    "no remote": (("release", "churn", "--push"), 6, "environment"),
    "no directory": (("-C", "nowhere", "list"), 2, "bad-input"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_errors(busy: DvcRepo, run: Run, what: str) -> None:
    """An error is one line `error:` and one line `hint:` on stderr, and with --json the same as an object."""
    args, code, kind = ERRORS[what]
    busy.fake_train(11)
    plain = run(*args, code=code)
    assert plain.out == ""
    error, hint = plain.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert len(error) > 12
    assert not error.endswith(".")
    answer = run("--json", *args, code=code).json
    assert faults(answer, shapes.ERROR) == []
    assert answer["error"] == {
        "code": code,
        "kind": kind,
        "message": error.removeprefix("error: "),
        "hint": hint.removeprefix("hint: "),
    }


def test_slips_are_corrected(busy: DvcRepo, run: Run) -> None:
    """The hint names the near command, option, model, version or stage."""
    assert "release" in run("relaese", code=2).err
    assert "--bump" in run("release", "churn", "--bmp", "major", code=2).err
    assert "churn" in run("show", "chrun", code=7).err.splitlines()[1]
    assert "v0.2.0" in run("show", "churn@v0.2.1", code=7).err.splitlines()[1]
    assert "staging" in run("show", "churn#stagign", code=7).err.splitlines()[1]


def test_outside_a_repository(modelver: Modelver, tmp_path: Path) -> None:
    """Where there is no repository the environment is at fault, told in two lines and as JSON."""
    failed = modelver("list", "--json", cwd=tmp_path, code=6)
    assert faults(failed.json, shapes.ERROR) == []
    assert failed.json["error"]["kind"] == "environment"
    assert [line.partition(":")[0] for line in failed.err.splitlines()] == ["error", "hint"]


@pytest.mark.parametrize("args", [("--json", "nosuch"), ("nosuch", "--json"), ("--json", "list", "--nosuch")])
def test_json_errors_wherever_json_is_said(run: Run, args: tuple[str, ...]) -> None:
    """The error object comes also when --json stands before what is wrong."""
    assert run(*args, code=2).json["error"]["code"] == 2


def test_errors_do_not_show_secrets(run: Run) -> None:
    """A password in a URL that is given does not reach the error."""
    failed = run("list", "--repo", "file://ada:s3cr3t@localhost/nowhere", "--json", code=None)
    assert failed.code != 0
    assert "s3cr3t" not in failed.out + failed.err


# Tables --------------------------------------------------------------------------------------------

HOSTILE = [
    "a | b",
    "\\| x",
    "x\\",
    "`code`",
    "``` fence",
    "<script>alert(1)</script>",
    "<!-- -->",
    "&lt;b&gt; &amp; &#124;",
    "line\nbreak\r\nand | more",
    "[a](javascript:x)",
    "![i](http://x/y.png)",
    "<https://example.com>",
    "https://example.com www.example.com",
    "*bold* __bold__ ~~gone~~ _it_",
    "$x$",
    "# head",
    "- item",
    "1. item",
    "> quote",
    "---",
    "===",
    "=cmd|' /C calc'!A0",
    "@someone #1",
    "\x1b[31mred\x07",
    "\u202etxt.exe",
    "{{7*7}} ${x}",
    "",
    " ",
    "\\",
    "é 模型 🦊",
]


def cells_of(markdown: str) -> list[list[str]]:
    """The cells of the one table in `markdown`, as a CommonMark parser with GitHub's tables reads them.

    A cell that is anything but plain text is given as the list of its tokens' types.
    """
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    assert [t.type for t in tokens if t.level == 0] == ["table_open", "table_close"]
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            children = token.children or []
            kinds = {child.type for child in children}
            plain = kinds <= {"text", "text_special"}
            rows[-1].append("".join(child.content for child in children) if plain else f"markup: {sorted(kinds)}")
    return rows


@given(st.lists(st.tuples(*[st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))] * 3), min_size=1, max_size=4))
def test_markdown_cells_are_literal(rows: list[tuple[str, ...]]) -> None:
    """Whatever stands in cells, a CommonMark parser finds the same number of cells with the same text."""
    table = Table(columns=("A", "B", "C"), rows=tuple(rows), right=frozenset({"B"}))
    found = cells_of(render_markdown(table))
    assert found == [["A", "B", "C"], *([one_line(cell) for cell in row] for row in rows)]


@example("a-_x_-b")
@given(st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9\-/_]{0,8}[a-zA-Z0-9])?", fullmatch=True))
def test_markdown_headings_are_literal(stage: str) -> None:
    """A stage's name, which people choose, is literal in the heading too."""
    table = Table(columns=("MODEL", f"#{stage}"), rows=(("churn", "v1.0.0"),))
    assert cells_of(render_markdown(table))[0] == ["MODEL", f"#{stage}"]


@given(st.lists(st.tuples(*[st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))] * 2), min_size=1, max_size=4))
def test_csv_cells_are_literal_and_inert(rows: list[tuple[str, ...]]) -> None:
    """A CSV reader finds the same cells; none begins like a spreadsheet's formula."""
    table = Table(columns=("A", "B"), rows=tuple(rows))
    found = list(csv.reader(render_csv(table).split("\n")))
    assert found[0] == ["A", "B"]
    assert [[cell.removeprefix("'") for cell in row] for row in found[1:]] == [
        [one_line(cell).removeprefix("'") for cell in row] for row in rows
    ]
    assert not any(cell.startswith(("=", "+", "@", "-")) and not _is_number(cell) for row in found[1:] for cell in row)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(st.lists(st.tuples(*[st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))] * 2), min_size=1, max_size=4))
def test_text_tables_have_one_line_a_row(rows: list[tuple[str, ...]]) -> None:
    """On the terminal every row is one line without controls, and the second column begins at one place."""
    lines = render_text(Table(columns=("A", "B"), rows=tuple((a, f"<{b}") for a, b in rows))).splitlines()
    assert len(lines) == len(rows) + 1
    assert_harmless("\n".join(lines))
    # Inside a cell there are never two spaces in a row.
    assert len({width(line[: line.index("  <")]) for line in lines[1:]}) == 1


def test_columns_line_up() -> None:
    """Wide characters, accents and numbers on the right are padded to the same terminal columns."""
    table = Table(columns=("NAME", "N"), rows=(("模型", "7"), ("e\u0301a", "12")), right=frozenset({"N"}))
    assert render_text(table).splitlines() == ["NAME   N", "模型   7", "e\u0301a    12"]


def assert_harmless(text: str) -> None:
    """No control, line end but LF, change of direction or half character is in `text`."""
    bad = [
        char
        for char in text
        if char != "\n"
        and (
            unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        )
    ]
    assert bad == []


EVIL = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202egnp.exe\u2066 | `a` <script> \r hidden \u2028 =1+1"


@pytest.fixture
def hostile(dvc_repo: DvcRepo) -> DvcRepo:
    """`dvc_repo` with tags whose messages and authors want to take over the terminal."""
    evil = dvc_repo.git.at(".", GIT_COMMITTER_NAME=EVIL.replace("<", "").replace(">", ""))
    evil.tag("churn@v1.0.0", f"{EVIL}\n\n{EVIL}\n{EVIL}")
    evil.tag("churn#prod#1", f"S\n\n{EVIL}")
    evil.tag("churn@v1.0.0!", EVIL)
    evil(
        "tag",
        "-a",
        "--cleanup=verbatim",
        "-F",
        "-",
        "--",
        "churn@v2.0.0",
        input=b"S\n\n\xff\xfe latin \xe9 \xed\xa0\x80",
    )
    return dvc_repo


@pytest.mark.parametrize("form", [(), ("--md",), ("--csv",), ("--json",)])
@pytest.mark.parametrize("command", [("list",), ("show", "churn"), ("show", "churn@v1.0.0"), ("history",)])
def test_nothing_hostile_reaches_the_terminal(
    hostile: DvcRepo, run: Run, command: tuple[str, ...], form: tuple[str, ...]
) -> None:
    """Messages and authors full of escapes are shown without any control or change of direction, in every form."""
    shown = run(*command, *form)
    assert_harmless(shown.out)
    assert_harmless(shown.err)


def test_hostile_text_is_whole_in_json(hostile: DvcRepo, run: Run) -> None:
    """Escaping for the terminal does not change what a script reads."""
    events = run("history", "--json").json["events"]
    assert next(e for e in events if e["tag"] == "churn#prod#1")["message"] == f"S\n\n{EVIL}"


def test_hostile_messages_keep_the_tables_shape(hostile: DvcRepo, run: Run) -> None:
    """In Markdown and CSV the table of events has as many rows and cells as there are."""
    markdown, text = cells_of(run("history", "--md").out), run("history", "--csv").out
    assert {len(row) for row in markdown} == {7}
    assert len(markdown) == len(list(csv.reader(text.splitlines()))) == 5
    assert not any(cell.startswith("markup:") for row in markdown for cell in row)


def test_values_cannot_forge_lines(dvc_repo: DvcRepo, run: Run) -> None:
    """A param, metric or author with line breaks cannot write a line of its own into the answer."""
    forged = "x\nversion   churn@v9.9.9\nsha256    000"
    params = (dvc_repo.path / "params.yaml").read_text()
    dvc_repo.git.commit("Forge", {"params.yaml": f'{params}\n"a\\nstate     fine": {forged!a}\n'.replace("'", '"')})
    (dvc_repo.path / "dvc.yaml").write_text((dvc_repo.path / "dvc.yaml").read_text() + "params: [params.yaml]\n")
    dvc_repo.git.commit("Declare all params")
    dvc_repo.git.tag("churn@v1.0.0")
    shown = run("show", "churn@v1.0.0")
    assert "v9.9.9" in shown.out
    assert not [line for line in shown.out.splitlines() if line.startswith(("version   churn@v9", "sha256    000"))]
    assert not [line for line in shown.out.splitlines() if line.startswith("state     fine")]


def test_declarations_cannot_forge_lines(dvc_repo: DvcRepo, run: Run) -> None:
    """A name in `dvc.yaml` with line breaks is a problem on one line, in warnings and in the diagnosis."""
    text = (dvc_repo.path / "dvc.yaml").read_text()
    dvc_repo.git.commit("Forge", {"dvc.yaml": f'{text}  "x\\nerror: all is lost\\nNothing is wrong.": {{path: a}}\n'})
    for command, code in (("list", 0), ("doctor", 1)):
        shown = run(command, code=code)
        lines = (shown.out + shown.err).splitlines()
        assert [line for line in lines if "all is lost" in line]
        assert not [line for line in lines if line.startswith(("error:", "Nothing"))]


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        (("list",), ["MODEL", "TYPE", "LATEST", "VERSIONS", "#prod", "#shadow", "#staging"]),
        (("show", "churn"), ["VERSION", "AT (UTC)", "BY", "STAGES", "SIZE", "DIGEST", "COMMIT", "STATE"]),
        (("history",), ["AT (UTC)", "MODEL", "EVENT", "VERSION", "STAGE", "BY", "MESSAGE"]),
        (("history", "--at", "2025-06-01"), ["MODEL", "LATEST", "STAGE", "HELD", "SINCE (UTC)"]),
        (("gate", "churn@v0.1.0"), ["RESULT", "METRIC", "RULE", "VALUE", "REFERENCE", "CHANGE", "WHY"]),
        (
            ("guard", "churn", "--stage", "prod", "--metrics", "metrics.json"),
            ["RESULT", "METRIC", "RULE", "VALUE", "REFERENCE", "CHANGE", "WHY"],
        ),
    ],
)
def test_all_three_tables_say_the_same(busy: DvcRepo, run: Run, command: tuple[str, ...], columns: list[str]) -> None:
    """Text, Markdown and CSV of one command have the same columns and as many rows."""
    markdown = cells_of(run(*command, "--md").out)
    table = list(csv.reader(run(*command, "--csv").out.splitlines()))
    text = run(*command).out.splitlines()
    assert markdown[0] == table[0] == columns
    assert len(markdown) == len(table)
    assert [line for line in text if line.startswith(columns[0])]
    assert all(cell in "\n".join(text) for row in table[1:] for cell in row if not cell.startswith("'"))


# Options of every command --------------------------------------------------------------------------


def on_terminal(repo: Git, *args: str, **env: str) -> str:
    """What `modelver ARGS` writes to a terminal."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        Modelver.argv(*args),
        cwd=repo.path,
        env=repo.env | {"TERM": "xterm-256color"} | env,
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.DEVNULL,
    )
    os.close(slave)
    written = b""
    try:
        while part := os.read(master, 4096):
            written += part
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(master)
    assert process.wait() == 0
    return written.decode().replace("\r\n", "\n")


def test_colour_only_where_it_is_wanted(busy: DvcRepo, run: Run) -> None:
    """A terminal gets a bold heading; a pipe, --no-color, NO_COLOR and a dumb terminal get none."""
    plain = run("list").out
    assert "\x1b" not in plain
    coloured = on_terminal(busy.git, "list")
    assert coloured.startswith("\x1b[1mMODEL")
    assert coloured.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert on_terminal(busy.git, "list", "--no-color") == plain
    assert on_terminal(busy.git, "--no-color", "list") == plain
    assert on_terminal(busy.git, "list", NO_COLOR="1") == plain
    assert on_terminal(busy.git, "list", TERM="dumb") == plain
    assert on_terminal(busy.git, "list", NO_COLOR="").startswith("\x1b[1m")


def test_quiet_leaves_the_answer_and_errors(busy: DvcRepo, run: Run) -> None:
    """With -q notes and warnings go, the answer and errors stay."""
    loud, quiet = run("list"), run("list", "-q")
    assert "warning: refs/tags/churn@v9" in loud.err
    assert (quiet.out, quiet.err) == (loud.out, "")
    assert run("-q", "list").err == ""
    assert run("show", "nosuch", "-q", code=7).err.startswith("error: ")


def test_stdout_has_the_answer_only(busy: DvcRepo, run: Run) -> None:
    """Hints and warnings go to stderr, so that JSON stays one object and tables stay tables."""
    for form in ("--json", "--md", "--csv"):
        shown = run("list", form)
        assert shown.err.startswith("warning: ")
        assert not [line for line in shown.out.splitlines() if line.startswith(("warning", "hint", "note"))]
    assert run("list", "--json").json["models"]


@pytest.mark.parametrize("form", ["-C {path} list", "list -C {path}", "-C{path} list", "-q -C {path} --json list -v"])
def test_working_elsewhere(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path, form: str) -> None:
    """`-C PATH`, before or after the subcommand, works as if started there; a directory below finds its repository."""
    for path in (dvc_repo.path, dvc_repo.path / "src"):
        found = modelver(*form.format(path=path).split(), cwd=tmp_path)
        assert "churn" in found.out


def test_global_options_before_the_subcommand(busy: DvcRepo, run: Run) -> None:
    """Every common option may come first, as with git."""
    expected = run("list", "--json").out
    assert run("--json", "list").out == run("-q", "--json", "-v", "--no-color", "list").out == expected
    assert run("--json", "-C", "src", "show", "churn").json["name"] == "churn"


def test_version(run: Run, modelver: Modelver, tmp_path: Path) -> None:
    """`--version` prints the version, with or without a repository, also in a process of its own."""
    assert run("--version").out == f"modelver {__version__}\n"
    assert modelver.process("--version", cwd=tmp_path).out == f"modelver {__version__}\n"


GROUPS = {"card": card_group, "hooks": hooks_group, "pipeline": pipeline_group}
SINGLE = [name for name in COMMANDS if name not in GROUPS]
INSIDE = [f"{group} {name}" for group, module in GROUPS.items() for name in module.COMMANDS]


@pytest.mark.parametrize("name", [*SINGLE, *INSIDE])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_examples(run: Run, name: str, flag: str) -> None:
    """Every command's help shows how it is called, with examples that begin with the command itself."""
    shown = run(*name.split(), flag).out
    assert shown.startswith(f"Usage: modelver {name} ")
    _, found, examples = shown.partition("Examples:\n")
    assert found
    assert examples.split("\n\n")[0].strip().startswith(f"modelver {name}")
    for option in ("-C PATH", "--quiet", "--verbose", "--no-color", "--json", "--help"):
        assert option in shown


@pytest.mark.parametrize("name", GROUPS)
def test_a_groups_help_lists_its_commands(run: Run, name: str) -> None:
    """A group shows examples and each of its commands, with --help and when nothing else is said."""
    shown = run(name, "--help").out
    assert shown.startswith(f"Usage: modelver {name} ")
    assert f"Examples:\n    modelver {name} " in shown
    for command, line in GROUPS[name].COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(line)}$", shown, re.MULTILINE)
    assert run(name, code=2).out == shown
    assert run(name, "--json", code=2).json["error"]["code"] == 2


@pytest.mark.parametrize("name", ["list", "show", "history"])
def test_tables_have_their_options(run: Run, name: str) -> None:
    """Commands that show a table offer Markdown, CSV and another repository."""
    shown = run(name, "--help").out
    assert all(option in shown for option in ("--md", "--csv", "--repo PATH|URL"))


@pytest.mark.parametrize(
    "name",
    [
        "release",
        "promote",
        "withdraw",
        "retire",
        "push",
        "get",
        "init",
        "card update",
        "hooks install",
        "hooks uninstall",
        "pipeline add",
    ],
)
def test_writing_commands_have_a_dry_run(run: Run, name: str) -> None:
    """Commands that change something can say what they would do."""
    assert "--dry-run" in run(*name.split(), "--help").out


def test_program_help(run: Run) -> None:
    """Without a command, and with --help, every command is listed with its examples; the first is bad usage."""
    shown = run("--help").out
    assert "Examples:" in shown
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert run(code=2).out == run("-q", code=2).out
    assert "Usage: modelver" in run(code=2).out
    assert run("--json", code=2).json["error"]["code"] == 2
