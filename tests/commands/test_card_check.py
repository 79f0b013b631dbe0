"""`card check`: what it finds, where, with which remedy, and what it leaves alone; the command itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bad_input.support import build_released, copy_repo, edit
from tests.support import DvcRepo, Modelver, Result, Templates, snapshot

CARD = "model_cards/churn.md"
PLACEHOLDER = "[More Information Needed]"
Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def released_template(templates: Templates, modelver: Modelver, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """Built once; only to be copied."""
    return build_released(templates, modelver, tmp_path_factory.mktemp("checks"))


@pytest.fixture
def released(released_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """churn@v0.1.0 in `prod` (auc 0.8, depth 6), churn@v0.2.0 at HEAD (auc 0.85, depth 7), each with its card."""
    return copy_repo(released_template, tmp_path)


@pytest.fixture
def check(released: DvcRepo, modelver: Modelver) -> Check:
    """The report of `card check --json` on the one card of `released`, after what must hold of every report."""

    def call(*args: str, cwd: Path | None = None, **env: str) -> dict[str, Any]:
        where = released.git if cwd is None else cwd
        return report(modelver("card", "check", *args, "--json", cwd=where, env=env, code=None))

    return call


def report(result: Result) -> dict[str, Any]:
    """The one card's report: it is right exactly when nothing is wrong, and the exit code says so."""
    assert result.code in (0, 1), result
    answer = result.json
    (found,) = answer["cards"]
    assert answer["ok"] == found["ok"] == (found["problems"] == []) == (result.code == 0)
    for finding in (*found["problems"], *found["notes"]):
        assert set(finding) == {"line", "block", "problem", "remedy"}
        assert finding["problem"]
    assert isinstance(found, dict)
    return found


def card(repo: DvcRepo) -> str:
    """The card in the work tree."""
    return (repo.path / CARD).read_text()


def put(repo: DvcRepo, text: str | bytes) -> None:
    """Let the card be that."""
    repo.git.write(CARD, text)


def line_of(text: str, words: str) -> int:
    """The number of the first line that holds `words`."""
    return next(n for n, line in enumerate(text.split("\n"), 1) if words in line)


def blocks(found: dict[str, Any]) -> set[str]:
    """The blocks that something is wrong with."""
    return {problem["block"] for problem in found["problems"] if problem["block"] is not None}


def test_nothing_is_wrong_after_a_release(released: DvcRepo, modelver: Modelver, check: Check) -> None:
    """0, the version that the card names, and only notes of what the template advises to write."""
    found = check()
    assert (found["name"], found["path"], found["version"], found["problems"]) == ("churn", CARD, "v0.2.0", [])
    assert [note["line"] for note in found["notes"]] == [
        line_of(card(released), words) for words in ("## Intended use", "## Limitations", "## Contact")
    ]
    told = modelver("card", "check", cwd=released.git)
    assert told.out == "Nothing is wrong.\n"
    assert told.err.count("note: ") == 3
    assert modelver("card", "check", "-q", cwd=released.git).err == ""


def test_a_check_changes_nothing(released: DvcRepo, modelver: Modelver) -> None:
    """Whatever it finds, no file, ref or index is another one afterwards."""
    put(released, card(released).replace("0.85", "0.99"))
    before = snapshot(released.git)
    modelver("card", "check", "--stage", "prod", cwd=released.git, code=1)
    assert snapshot(released.git) == before


# Out of date -------------------------------------------------------------------------------------------------------

STALE: dict[str, tuple[str, str, str, set[str]]] = {
    "a param": ("params.yaml", "depth: 7", "depth: 8", {"params", "changes"}),
    "a metric": ("metrics.json", '"auc": 0.85', '"auc": 0.86', {"summary", "metrics", "changes"}),
    "the model's digest": ("dvc.lock", "{model}", "ab" * 16, {"summary", "artifact", "signature", "usage", "changes"}),
    "the data's digest": ("dvc.lock", "{data}", "cd" * 16, {"data", "changes"}),
    "a command": ("dvc.lock", "cmd: python src/train.py", "cmd: python3 src/train.py", {"pipeline"}),
    "a pipeline stage": ("dvc.yaml", "  train:", "  training:", {"pipeline", "data"}),
    "the description": ("dvc.yaml", "desc: Who is about to leave", "desc: Somebody else", {"summary"}),
    "nothing that a card says": ("dvc.yaml", "owner: team-churn", "owner: someone else", set()),
}


@pytest.mark.parametrize("what", STALE)
def test_blocks_that_are_out_of_date(released: DvcRepo, check: Check, what: str) -> None:
    """Each block that says what the files no longer say is named with its line and the command that mends it."""
    file, old, new, expected = STALE[what]
    lock = (released.path / "dvc.lock").read_text()
    digests = {
        name: re.search(rf"- path: {path}\n      hash: md5\n      md5: '?([0-9a-f]+)", lock)[1]  # type: ignore[index]
        for name, path in (("model", "models/churn.bin"), ("data", "data/prepared.csv"))
    }
    edit(released.path / file, old.format(**digests), new)
    found = check()
    assert blocks(found) >= expected
    assert bool(blocks(found)) == bool(expected)
    for problem in found["problems"]:
        if problem["block"] is not None:
            assert problem["line"] == line_of(card(released), f"modelver:begin {problem['block']} ")
            assert "is out of date" in problem["problem"]
        assert problem["remedy"] == "modelver card update churn"


@pytest.mark.parametrize("what", ["a metric", "the data's digest"])
def test_the_front_matter_that_is_out_of_date(released: DvcRepo, check: Check, what: str) -> None:
    """Numbers and the dataset's revision in the front matter are looked at like the blocks."""
    text = card(released)
    old, new = {"a metric": ("value: 0.85", "value: 0.95"), "the data's digest": ('"md5:f', '"md5:0')}[what]
    assert old in text
    put(released, text.replace(old, new, 1))
    (problem,) = check()["problems"]
    assert problem == {
        "line": 1,
        "block": None,
        "problem": "the front matter is out of date",
        "remedy": "modelver card update churn",
    }


def test_after_an_update_all_is_well(released: DvcRepo, modelver: Modelver, check: Check) -> None:
    """The remedy is one: after `card update` nothing is wrong, and the card still names its version."""
    released.fake_train(9)
    assert len(check()["problems"]) > 3
    modelver("card", "update", cwd=released.git)
    found = check()
    assert (found["problems"], found["version"]) == ([], "v0.2.0")


def test_uncommitted_files_count(released: DvcRepo, check: Check) -> None:
    """The work tree is what is checked, so that a hook can speak before the commit."""
    edit(released.path / "params.yaml", "depth: 7", "depth: 8")
    assert "params" in blocks(check())
    released.git("stash", "-q")
    assert check()["ok"] is True


@pytest.mark.parametrize("names", [(), ("churn",), ("churn", "churn")])
def test_a_card_that_is_not_there(released: DvcRepo, check: Check, names: tuple[str, ...]) -> None:
    """A model that never had a card is a note among all models, and a problem when it is asked for by name."""
    (released.path / CARD).unlink()
    found = check(*names)
    assert found["ok"] is (not names)
    (finding,) = found["problems"] or found["notes"]
    assert finding["problem"] == "there is no card"
    assert finding["remedy"] == "modelver card update churn"
    assert found["version"] is None
    assert check("--stage", "prod")["ok"] is False


# Markers and text ----------------------------------------------------------------------------------------------------


def test_an_edited_block(released: DvcRepo, check: Check) -> None:
    """A number improved by hand: block, line, and both ways out."""
    text = card(released)
    put(released, text.replace("| auc | 0.85 |", "| auc | 0.99 |"))
    (problem,) = check()["problems"]
    assert (problem["block"], problem["line"]) == ("metrics", line_of(text, "modelver:begin metrics"))
    assert "edited by hand" in problem["problem"]
    assert "--discard-edits" in problem["remedy"]


def test_an_edit_is_told_from_what_is_out_of_date(released: DvcRepo, check: Check) -> None:
    """Each block has its own finding when one is edited and others are stale."""
    put(released, card(released).replace("| auc | 0.85 |", "| auc | 0.99 |"))
    edit(released.path / "params.yaml", "depth: 7", "depth: 8")
    words = {problem["block"]: problem["problem"] for problem in check()["problems"]}
    assert "edited by hand" in words["metrics"]
    assert "out of date" in words["params"]


BEGIN, END = "<!-- modelver:begin params", "<!-- modelver:end params -->\n"
MARKERS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "without an end": (lambda t: t.replace(END, "\n"), "begins inside block params", "modelver:begin environment"),
    "without a beginning": (
        lambda t: re.sub(r"<!-- modelver:begin params [^\n]*\n", "\n", t),
        "ends without a beginning",
        "modelver:end params",
    ),
    "nested": (
        lambda t: t.replace(END, f"<!-- modelver:begin x -->\n<!-- modelver:end x -->\n{END}"),
        "begins inside block params",
        "modelver:begin x",
    ),
    "crossed": (
        lambda t: t.replace("<!-- modelver:end params -->", "<!-- modelver:end metrics -->"),
        "block metrics ends inside block params",
        "modelver:begin params",
    ),
    "twice": (
        lambda t: t + "\n<!-- modelver:begin params -->\n<!-- modelver:end params -->\n",
        "was there before",
        "",
    ),
    "not readable": (
        lambda t: t.replace(f"{BEGIN} sha256=", f"{BEGIN} sha256=nonsense "),
        "this marker cannot be read",
        "nonsense",
    ),
    "with a bad name": (lambda t: t + "\n<!-- modelver:begin A B -->\n", "this marker cannot be read", ""),
    "behind text": (lambda t: t + f"\nSee {BEGIN} -->\n", "this marker cannot be read", ""),
    "without an end at the end": (lambda t: t + "\n<!-- modelver:begin x -->\n", "has no end", ""),
}


@pytest.mark.parametrize("what", MARKERS)
def test_broken_markers(released: DvcRepo, modelver: Modelver, check: Check, what: str) -> None:
    """Line and fault are named, the check goes on to what else is wrong, and an update refuses with the same line."""
    change, words, where = MARKERS[what]
    text = change(card(released)) + "\nAn AUC of 0.80.\n"
    put(released, text)
    found = check()
    lines = [problem["line"] for problem in found["problems"] if words in problem["problem"]]
    expected = line_of(text, where) if where else None
    if what == "crossed":
        expected = next(n for n in range(line_of(text, BEGIN), 10**6) if "modelver:end" in text.split("\n")[n - 1])
    assert lines, found
    assert expected in (None, lines[0])
    assert 1 < lines[0] <= text.count("\n") + 1
    assert [p for p in found["problems"] if "0.80" in p["problem"]]
    before = snapshot(released.git)
    assert f"line {lines[0]}" in modelver("card", "update", cwd=released.git, code=2).err or len(lines) > 1
    assert snapshot(released.git) == before


def test_markers_in_code_are_text(released: DvcRepo, check: Check) -> None:
    """A fence, an indented block and a code span may show markers."""
    marker = "<!-- modelver:begin params -->"
    put(released, card(released) + f"\n```html\n{marker}\n```\n\n    {marker}\n\nAs in `{marker}`.\n")
    assert check()["ok"] is True


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"# T\n\nn\xe4me\n", b"\xed\xa0\x80", "# T\n".encode("utf-16"), b"a\n" * 3 + b"\x80"],
    ids=ascii,
)
def test_not_utf8(released: DvcRepo, modelver: Modelver, check: Check, data: bytes) -> None:
    """A card that is not UTF-8 is a problem with its line, not an error of the check; an update is 2."""
    put(released, data)
    (problem,) = check()["problems"]
    assert "not UTF-8" in problem["problem"]
    assert re.search(r"line \d+", problem["problem"])
    modelver("card", "update", cwd=released.git, code=2)
    assert (released.path / CARD).read_bytes() == data


FRONTS = {
    "never closed": "---\nlicense: mit\n\n# Churn\n",
    "one of our marks alone": "---\n# modelver:begin\nlicense: mit\n---\n\n# Churn\n",
    "our marks the other way round": "---\n# modelver:end\n# modelver:begin\n---\n",
}


@pytest.mark.parametrize("what", FRONTS)
def test_front_matter_that_is_broken(released: DvcRepo, modelver: Modelver, check: Check, what: str) -> None:
    """It is told with a line, and never rewritten."""
    put(released, FRONTS[what])
    found = check()
    modelver("card", "update", cwd=released.git, code=None)
    if found["problems"][0]["line"] != 1 or "out of date" not in found["problems"][0]["problem"]:
        assert (released.path / CARD).read_text() == FRONTS[what]
    else:
        assert FRONTS[what] in (released.path / CARD).read_text()


SECRETS = {
    "GitHub token": "ghp_" + "abcdefghij" * 4,
    "AWS access key": "AKIA" + "ABCDEFGH" * 2,
    "private key or certificate": "-----BEGIN RSA PRIVATE KEY-----",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef",
    "URL with a password or signature": "https://ada:hunter2swordfish@host/x",
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("form", ["in a sentence", "in code", "in a comment", "in the front matter", "escaped"])
def test_a_secret_in_peoples_text(released: DvcRepo, modelver: Modelver, check: Check, kind: str, form: str) -> None:
    """Line and kind are told, never the secret itself, wherever in the card it stands."""
    secret = SECRETS[kind]
    text = card(released)
    if form == "in the front matter":
        text = text.replace("---\n", f"---\nnote: '{secret}'\n", 1)
    else:
        shown = re.sub(r"([_.@:/-])", r"\\\1", secret) if form == "escaped" else secret
        words = {"in code": f"```\n{secret}\n```", "in a comment": f"<!-- {secret} -->"}.get(form, f"Use {shown} here.")
        text += f"\n{words}\n"
    put(released, text)
    secrets = [problem for problem in check()["problems"] if "looks like a secret" in problem["problem"]]
    assert [(problem["problem"].rpartition(": ")[2], problem["remedy"]) for problem in secrets] == [
        (kind, "take it out and change it")
    ]
    assert secrets[0]["line"] == (line_of(text, secret) if form != "escaped" else text.count("\n"))
    told = modelver("card", "check", cwd=released.git, code=1)
    assert secret not in told.out + told.err


# Sections ------------------------------------------------------------------------------------------------------------


def test_sections_that_a_stage_needs(released: DvcRepo, check: Check) -> None:
    """Configured sections are problems for their stage (missing, empty, placeholder), and no matter for others."""
    released.git.write(
        ".modelver.yaml", json.dumps({"cards": {"required": {"prod": ["Limitations", "Risks", "Contact", "Ethics"]}}})
    )
    text = card(released)
    at = text.index("## Contact")
    put(released, text[:at] + text[at:].replace(PLACEHOLDER, "") + "\n## Ethics\n\nFine.\n")
    found = check("--stage", "prod")
    lines = card(released)
    assert [(problem["problem"], problem["line"], problem["remedy"]) for problem in found["problems"]] == [
        ("section 'Limitations' is still to be written", line_of(lines, "## Limitations"), "write it"),
        ("section 'Risks' is missing", None, "write it"),
        ("section 'Contact' is empty", line_of(lines, "## Contact"), "write it"),
    ]
    assert [note["problem"] for note in found["notes"]] == ["section 'Intended use' is still to be written"]
    assert check()["ok"] is True


def test_what_the_template_advises_counts_for_a_stage_without_a_configuration(released: DvcRepo, check: Check) -> None:
    """Asked for a stage that nobody has configured, the card's own list is what has to be written."""
    found = check("--stage", "anything")
    assert len(found["problems"]) == 3
    put(released, card(released).replace(PLACEHOLDER, "Written."))
    found = check("--stage", "anything")
    assert (found["problems"], found["notes"]) == ([], [])


@pytest.mark.parametrize(
    ("stage", "config", "code"), [("a/b", "", 2), ("", "", 2), ("a b", "", 2), ("prdo", "stages: [prod]\n", 2)]
)
def test_a_stage_that_is_none(released: DvcRepo, modelver: Modelver, stage: str, config: str, code: int) -> None:
    """A name that cannot be a stage, or is not among the configured ones, is bad input."""
    released.git.write(".modelver.yaml", config)
    assert "error: " in modelver("card", "check", "--stage", stage, cwd=released.git, code=code).err


# Numbers -------------------------------------------------------------------------------------------------------------


def test_a_number_of_an_earlier_version(released: DvcRepo, modelver: Modelver, check: Check) -> None:
    """Prose that still gives v0.1.0's AUC: the line, what is written, the version, and both values."""
    text = card(released) + "\nOn the test set the AUC\nis **0.80**, which is enough.\n"
    put(released, text)
    (problem,) = check()["problems"]
    assert problem["line"] == line_of(text, "0.80**")
    assert problem["problem"] == "auc is given as 0.80: v0.1.0 had 0.8, now it is 0.85"
    assert problem["block"] is None
    told = modelver("card", "check", cwd=released.git, code=1)
    assert f"{CARD}:{problem['line']}: auc is given as 0.80" in told.out
    assert told.out.endswith("1 problem.\n")
    # An update does not touch people's words.
    modelver("card", "update", cwd=released.git)
    assert card(released) == text


def test_without_tags_nothing_is_said_of_earlier_numbers(
    released: DvcRepo, modelver: Modelver, check: Check, tmp_path: Path
) -> None:
    """A clone that has no tags cannot know what was: the number is worth a note, and the check ends with 0."""
    put(released, card(released) + "\nThe AUC is 0.80.\n")
    released.git.commit("Words")
    clone = released.git.clone(tmp_path / "clone", "--no-tags")
    assert clone.tags() == []
    found = check(cwd=clone.path)
    assert found["ok"] is True
    assert [note["problem"] for note in found["notes"] if "0.80" in note["problem"]] == [
        "auc is given as 0.80; this version has 0.85"
    ]
    shallow = released.git.clone(tmp_path / "shallow", "--no-tags", "--depth", "1")
    assert check(cwd=shallow.path)["ok"] is True


@pytest.mark.parametrize(
    ("words", "problems", "notes"),
    [
        ("The AUC is 0.85.", 0, 0),
        ("The AUC is 85 %.", 0, 0),
        ("The AUC is 0.71.", 0, 1),
        ("The AUC was 0.80 in v0.1.0, and is 0.85 now.", 0, 0),
        ("The previous version had an AUC of 0.80.", 0, 0),
        ("> The AUC is 0.80.", 0, 0),
        ("`auc = 0.80`", 0, 0),
        ("```\nThe AUC is 0.80.\n```", 0, 0),
        ("| AUC | |\n| --- | --- |\n| auc | 0.80 |", 0, 0),
        ('They said "the AUC is 0.80".', 0, 0),
        ("~~The AUC is 0.80.~~", 0, 0),
        ("The AUC should not fall below 0.80.", 1, 0),
        ("- with 80% AUC", 1, 0),
    ],
)
def test_which_numbers_are_told(released: DvcRepo, check: Check, words: str, problems: int, notes: int) -> None:
    """An earlier version's number is a problem, any other that differs a note; quotes, code and tables are not read."""
    put(released, card(released) + f"\n{words}\n")
    found = check()
    told = [sum("is given as" in f["problem"] for f in found[kind]) for kind in ("problems", "notes")]
    assert told == [problems, notes], found


def test_a_number_is_not_stale_against_its_own_version(released: DvcRepo, modelver: Modelver, check: Check) -> None:
    """Checked out at v0.1.0, its card and its numbers are right, whatever was released later."""
    put(released, card(released) + "\nThe AUC is 0.85.\n")
    released.git.commit("Words")
    released.git("checkout", "-q", "churn@v0.1.0")
    put(released, card(released) + "\nThe AUC is 0.80.\n")
    found = check()
    assert (found["problems"], found["version"]) == ([], "v0.1.0")


# Surroundings --------------------------------------------------------------------------------------------------------


def test_a_clone_without_data_or_tags_is_enough(released: DvcRepo, check: Check, tmp_path: Path) -> None:
    """Neither DVC's cache nor tags nor history are needed; what is stale is still found."""
    clone = released.git.clone(tmp_path / "clone", "--no-tags", "--depth", "1")
    assert check(cwd=clone.path)["problems"] == []
    edit(clone.path / "params.yaml", "depth: 7", "depth: 8")
    assert "params" in blocks(check(cwd=clone.path))


def test_a_linked_worktree_and_a_subdirectory(released: DvcRepo, check: Check, tmp_path: Path) -> None:
    """The card is found from anywhere in the work tree, and in a linked one."""
    assert check(cwd=released.path / "src")["ok"] is True
    released.git("worktree", "add", "-q", tmp_path / "linked", "churn@v0.1.0")
    assert check(cwd=tmp_path / "linked")["version"] == "v0.1.0"


def test_a_failed_check_of_one_model_does_not_hide_others(released: DvcRepo, modelver: Modelver) -> None:
    """Each card has its own report; one that is wrong makes the whole answer 1."""
    with open(released.path / "dvc.yaml", "a") as file:
        file.write("  ranker: {path: models/churn.bin, type: model}\n")
    modelver("card", "update", cwd=released.git)
    edit(released.path / CARD, "| auc | 0.85 |", "| auc | 0.99 |")
    answer = modelver("card", "check", "--json", cwd=released.git, code=1).json
    assert {card["name"]: card["ok"] for card in answer["cards"]} == {"churn": False, "ranker": True}
    assert modelver("card", "check", "ranker", "--json", cwd=released.git).json["ok"] is True


@pytest.mark.parametrize("file", ["dvc.yaml", "dvc.lock", "params.yaml", "metrics.json"])
@pytest.mark.parametrize("names", [(), ("churn",)], ids=["all", "by name"])
def test_files_that_cannot_be_read(released: DvcRepo, modelver: Modelver, file: str, names: tuple[str, ...]) -> None:
    """Conflict markers in what a card is made from: the file is named, and no card is written from the rest."""
    text = (released.path / file).read_text()
    (released.path / file).write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n")
    failed = modelver("card", "check", *names, "--json", cwd=released.git, code=None)
    assert failed.code in (1, 2), failed
    assert file in failed.out + failed.err
    before = snapshot(released.git)
    assert file in modelver("card", "update", *names, cwd=released.git, code=2).err
    assert snapshot(released.git) == before


def test_an_entry_that_cannot_be_read(released: DvcRepo, modelver: Modelver) -> None:
    """A model whose entry is broken is not passed over in silence: its card cannot be called right."""
    edit(released.path / "dvc.yaml", "path: models/churn.bin\n    type", "path: 7\n    type")
    failed = modelver("card", "check", "--json", cwd=released.git, code=None)
    assert failed.code in (1, 2), failed
    assert "dvc.yaml" in failed.out + failed.err
    assert modelver("card", "check", "churn", cwd=released.git, code=2).err.startswith("error: dvc.yaml: churn: ")


def test_a_model_in_a_directory_that_cannot_be_tagged(released: DvcRepo, modelver: Modelver) -> None:
    """It can have no version, so it has no card: the others' are checked, and the list tells the remedy."""
    released.git.write("team a/dvc.yaml", "artifacts:\n  other:\n    path: other.bin\n    type: model\n")
    cards = modelver("card", "check", "--json", cwd=released.git).json["cards"]
    assert [card["name"] for card in cards] == ["churn"]
    assert [model["name"] for model in modelver("card", "update", "--json", cwd=released.git).json["models"]] == [
        "churn"
    ]
    remedy = "declare it in a dvc.yaml above team a, or rename that directory"
    released.git.commit("Elsewhere")
    listed = modelver("list", "--json", cwd=released.git).json["problems"]
    assert [problem["remedy"] for problem in listed] == [remedy]
    assert modelver("release", "churn", "--dry-run", cwd=released.git).code == 0


def test_outside_a_repository(modelver: Modelver, tmp_path: Path) -> None:
    """6, as for every command."""
    for words in (("check",), ("update",), ("show",)):
        modelver("card", *words, cwd=tmp_path, code=6)
