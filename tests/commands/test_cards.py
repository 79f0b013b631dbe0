"""`card update` and `card show`, and cards on their way through `release`, `promote` and `show`: the command itself."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dvc_modelver.cards.document import parse_card
from dvc_modelver.cards.generate import BLOCKS
from dvc_modelver.resources import template_path
from tests.bad_input.support import build_released, copy_repo, edit, refused
from tests.cards.values import parse
from tests.reliability.tools import KILLED, Server, check_card, litter
from tests.support import Clones, DvcRepo, Modelver, Result, Templates, isolated_env, snapshot
from tests.support.repos import put_object

CARD = "model_cards/churn.md"
TEMPLATES = ("default", "minimal", "huggingface", "annex-iv", "medical")
PLACEHOLDER = "[More Information Needed]"
ENVIRONMENT = {
    "schema": 1,
    "python": {"version": "3.11.4", "implementation": "CPython"},
    "packages": [{"name": "scikit-learn", "version": "1.3.2"}, {"name": "zope", "version": "5.0"}],
    "os": {"system": "Linux", "machine": "x86_64"},
    "cpu": {"model": "A processor", "count": 8},
    "gpus": [],
    "lock": None,
    "variables": {"OMP_NUM_THREADS": "4"},
}

Run = Callable[..., Result]


@pytest.fixture
def run(dvc_repo: DvcRepo, modelver: Modelver) -> Run:
    """`modelver` in `dvc_repo`, whose clock ticks before each command."""

    def call(*args: str | Path, **options: Any) -> Result:
        dvc_repo.git.clock.tick()
        return modelver(*args, cwd=options.pop("cwd", dvc_repo.git), **options)

    return call


@pytest.fixture(scope="module")
def released_template(templates: Templates, modelver: Modelver, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """Built once; only to be copied."""
    return build_released(templates, modelver, tmp_path_factory.mktemp("cards"))


@pytest.fixture
def released(released_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """churn@v0.1.0 in `prod` (auc 0.8), churn@v0.2.0 at HEAD (auc 0.85), each with its card."""
    return copy_repo(released_template, tmp_path)


def card(repo: DvcRepo) -> str:
    """The card in the work tree."""
    return (repo.path / CARD).read_bytes().decode()


def block(text: str, name: str) -> str:
    """What stands in a generated block."""
    found = parse_card(text).block(name)
    assert found is not None
    return found.text


def by_people(text: bytes) -> bytes:
    """The file without what stands between our marks, and without what the marks say."""
    body = re.sub(rb"<!-- modelver:begin (\S+)[^>]*-->.*?<!-- modelver:end \1 -->", rb"<\1>", text, flags=re.DOTALL)
    return re.sub(rb"# modelver:begin.*?# modelver:end", b"<front>", body, count=1, flags=re.DOTALL)


def configure(repo: DvcRepo, **cards: object) -> None:
    """Write and commit `.modelver.yaml`."""
    repo.git.commit("Configure", {".modelver.yaml": json.dumps({"cards": cards})})


def without_data(repo: DvcRepo, folder: Path) -> DvcRepo:
    """A fresh clone: no tag is missing, and nothing of DVC's cache is there."""
    return DvcRepo(repo.git.clone(folder), repo.store)


# What is written ---------------------------------------------------------------------------------------------------


def test_a_new_card_begins_as_the_template(dvc_repo: DvcRepo, run: Run) -> None:
    """Outside the blocks it is the template to the byte, and each block that has something to say is filled."""
    run("card", "update", "churn")
    template = template_path("cards", "default.md").read_bytes()
    assert by_people((dvc_repo.path / CARD).read_bytes()) == by_people(template)
    text = card(dvc_repo)
    filled = {b.id for b in parse_card(text).blocks if b.text}
    assert filled == set(BLOCKS) - {"changes", "plots", "signature"}
    assert "**churn** (not released yet)" in text
    assert "`md5:ece1a41c78a0" in block(text, "summary")


def test_again_changes_nothing(dvc_repo: DvcRepo, run: Run) -> None:
    """A second update writes no file, not even the same bytes again."""
    run("card", "update")
    place = dvc_repo.path / CARD
    before, stamp = snapshot(dvc_repo.git), place.stat().st_mtime_ns
    answer = run("card", "update", "--json").json
    assert (answer["changed"], answer["steps"]) == (False, [])
    assert run("card", "update").out == "Every card is up to date.\n"
    assert snapshot(dvc_repo.git) == before
    assert place.stat().st_mtime_ns == stamp


def test_a_dry_run_says_the_same_steps_and_writes_nothing(dvc_repo: DvcRepo, run: Run) -> None:
    """The plan is what is done, and the work tree stays as it was."""
    configure(dvc_repo, plots=["data/prepared.csv"])
    before = snapshot(dvc_repo.git)
    planned = run("card", "update", "--dry-run", "--json").json
    assert "write  model_cards/churn.md" in run("card", "update", "--dry-run").out
    assert snapshot(dvc_repo.git) == before
    done = run("card", "update", "--json").json
    assert planned | {"dry_run": False} == done
    assert done["changed"]
    assert {step["target"] for step in done["steps"]} == {
        str(p.relative_to(dvc_repo.path)) for p in (dvc_repo.path / "model_cards").iterdir()
    }
    assert run("card", "update", "--dry-run", "--json").json["steps"] == []


def test_models_all_and_by_name(dvc_repo: DvcRepo, run: Run) -> None:
    """Without a name every model gets its card and a dataset none; a named artifact gets one; one without any: 0."""
    entries = "  ranker: {path: models/churn.bin, type: model}\n  rows: {path: data/raw.csv, type: dataset}\n"
    text = (dvc_repo.path / "dvc.yaml").read_text()
    (dvc_repo.path / "dvc.yaml").write_text(text + entries)
    assert [m["name"] for m in run("card", "update", "ranker", "--json").json["models"]] == ["ranker"]
    assert sorted(p.name for p in (dvc_repo.path / "model_cards").iterdir()) == ["ranker.md"]
    assert [m["name"] for m in run("card", "update", "--json").json["models"]] == ["churn", "ranker"]
    assert sorted(p.name for p in (dvc_repo.path / "model_cards").iterdir()) == ["churn.md", "ranker.md"]
    (dvc_repo.path / "dvc.yaml").write_text(text.partition("artifacts:")[0])
    assert run("card", "update").out == run("card", "check").out == "No model is declared here.\n"


def test_in_a_monorepo_each_card_has_its_place(dvc_repo: DvcRepo, run: Run) -> None:
    """`team/a:churn` lies at `model_cards/team/a/churn.md`, and inside that directory the short name is enough."""
    dvc_repo.git.write("team/a/dvc.yaml", "artifacts:\n  churn: {path: m.txt, type: model}\n")
    dvc_repo.git.write("team/a/m.txt", "model")
    answer = run("card", "update", "churn", "--json", cwd=dvc_repo.git.at("team/a")).json
    assert answer["steps"] == [{"do": "write", "target": "model_cards/team/a/churn.md"}]
    assert run("card", "show", "team/a:churn", "--json").json["path"] == "model_cards/team/a/churn.md"
    assert run("card", "check", "team/a:churn", "--json").json["ok"] is True


def _rich(repo: DvcRepo) -> None:
    """Everything that a card can hold: an environment, plots, several metrics files, labels, an own template."""
    repo.git.write("environment.json", json.dumps(ENVIRONMENT))
    repo.git.write("roc.csv", "fpr,tpr\n0,0\n0.1,0.7\n1,1\n")
    repo.git.write("other.json", '{"zeta": 0.3, "alpha": {"b": 1, "a": 1e-7}, "\u00fc": 2}')
    repo.git.write("params2.json", '{"z": 1, "a": [1, 2], "\u00e9": "\u4e2d"}')
    edit(
        repo.path / "dvc.yaml",
        "    labels:\n",
        "    labels:\n    - zulu\n    - alpha\n    - \u00fcber\n",
    )
    with open(repo.path / "dvc.yaml", "a", encoding="utf-8") as file:
        file.write("metrics: [other.json]\nparams: [params2.json]\nplots: [roc.csv: {x: fpr, y: tpr}]\n")
    configure(repo, plots=["roc.csv"])


def test_the_same_bytes_everywhere(two_clones: Clones, modelver: Modelver, tmp_path: Path) -> None:
    """Another path, time zone, locale, home, user, umask and hash seed change no byte of a card or its pictures."""
    ada, bao = two_clones.ada, two_clones.bao
    _rich(ada)
    ada.git("push", "-q", "origin", "main")
    bao.git("pull", "-q")
    other = tmp_path / "far away" / "\u00fcml\u00e4ut"
    shutil.copytree(bao.path, other, symlinks=True)
    home = tmp_path / "other home"
    home.mkdir()
    env = bao.git.env | {
        **{"TZ": "Pacific/Auckland", "LC_ALL": "C", "LANG": "tr_TR.UTF-8", "HOME": str(home), "USER": "bao"},
        **{"HOSTNAME": "elsewhere", "PYTHONHASHSEED": "7", "COLUMNS": "40"},
    }
    subprocess.run(
        [sys.executable, "-m", "dvc_modelver", "card", "update"], cwd=other, env=env, umask=0o077, check=True
    )
    modelver("card", "update", cwd=ada.git, env={"PYTHONHASHSEED": "0"})
    ours, theirs = ({p.name: p.read_bytes() for p in (top / "model_cards").iterdir()} for top in (ada.path, other))
    assert len(ours) == 2
    assert ours == theirs
    assert str(tmp_path).encode() not in b"".join(ours.values())
    # And a release, which names the version in it, gives the same card too.
    for git in (ada.git, bao.git.at(other)):
        shutil.rmtree(git.path / "model_cards")
        modelver("release", "churn", "--no-push", "--offline", cwd=git)
    assert (ada.path / CARD).read_bytes() == (other / CARD).read_bytes()
    assert (ada.path / CARD).read_bytes() != ours["churn.md"]


def test_hugging_face_reads_what_release_wrote(released: DvcRepo) -> None:
    """Its own loader finds model, task, numbers, and the data's digest as the dataset's revision."""
    from huggingface_hub import ModelCard

    found = ModelCard.load(released.path / CARD)
    assert found.data.model_name == "churn"
    assert found.data.tags == ["tabular"]
    results = {result.metric_name: result for result in found.data.eval_results or []}
    assert {name: result.metric_value for name, result in results.items()} == {"auc": 0.85, "loss.val": 1e-05, "n": 85}
    lock = (released.path / "dvc.lock").read_text()
    digest = re.search(r"- path: data/prepared.csv\n      hash: md5\n      md5: (\S+)", lock)
    assert digest is not None
    assert {result.dataset_revision for result in results.values()} == {f"md5:{digest[1]}"}
    assert {result.dataset_name for result in results.values()} == {"data/prepared.csv"}
    assert "**churn** v0.2.0" in found.text


PEOPLES = {
    "as they are": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a BOM": lambda text: "\ufeff" + text,
    "a BOM and CRLF": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "no end of the last line": lambda text: text.rstrip("\n"),
    "old Macs": lambda text: text.replace("\n", "\r"),
}


@pytest.mark.parametrize("form", PEOPLES)
def test_what_people_wrote_stays_to_the_byte(dvc_repo: DvcRepo, run: Run, form: str) -> None:
    """Text, keys and comments of the front matter, line ends, a BOM and odd spaces outlive a new training."""
    run("card", "update")
    text = card(dvc_repo).replace(
        PLACEHOLDER, "For *retention*\u00a0\u2014 & nobody.  \n\n\t- a|b `x` <b>\n\n\n```\ncode", 1
    )
    text = text.replace("## Limitations", "```\n\n## Limitations", 1)
    text = text.replace("---\n", "---\nlicense:   mit   # ours\nlanguage: [en,\n  de]\nx-own: {a: 1e-05}\n", 1)
    text = text.replace("# modelver:end\n", "# modelver:end\n# the last word\nzeta: 'yes'\n", 1)
    data = PEOPLES[form](text + "\nThe end, with a tab\t\n\n\n").encode()
    (dvc_repo.path / CARD).write_bytes(data)
    dvc_repo.fake_train(9)
    assert run("card", "update", "--json").json["changed"] is True
    now = (dvc_repo.path / CARD).read_bytes()
    assert by_people(now) == by_people(data)
    assert now != data
    assert "| auc | 0.95 |" in now.decode()
    if "CRLF" in form:
        assert now.count(b"\n") == now.count(b"\r\n") == now.count(b"\r")
    elif "Mac" in form:
        assert b"\n" not in now
    else:
        assert b"\r" not in now
    assert now.startswith(b"\xef\xbb\xbf") == ("BOM" in form)
    assert run("card", "check", "--json").json["ok"] is True


def test_a_key_of_peoples_own_wins(dvc_repo: DvcRepo, run: Run) -> None:
    """A key that people wrote outside our part is theirs, and is written once."""
    import yaml

    run("card", "update")
    text = card(dvc_repo)
    assert "tags:\n  - tabular" in text
    (dvc_repo.path / CARD).write_text(text.replace("---\n", "---\ntags: [mine]\n", 1))
    run("card", "update")
    front = card(dvc_repo).split("---\n")[1]
    assert front.count("tags:") == 1
    assert yaml.safe_load(front)["tags"] == ["mine"]
    assert "datasets:" in front


def test_only_the_blocks_that_people_keep_are_written(dvc_repo: DvcRepo, run: Run) -> None:
    """A block that was taken out stays out, one that was moved stays where it is, and an unknown one is left alone."""
    own = "# Churn\n\n<!-- modelver:begin metrics -->\n<!-- modelver:end metrics -->\n\n## Mine\n\nText.\n"
    own += "<!-- modelver:begin horoscope -->\nLeo\n<!-- modelver:end horoscope -->\n"
    dvc_repo.git.write(CARD, own)
    run("card", "update")
    assert {b.id for b in parse_card(card(dvc_repo)).blocks} == {"metrics", "horoscope"}
    assert block(card(dvc_repo), "horoscope") == "Leo"
    assert "| auc | 0.8 |" in block(card(dvc_repo), "metrics")
    assert run("card", "check", "--json").json["ok"] is True


# What is refused ---------------------------------------------------------------------------------------------------


def test_an_edit_is_refused_or_kept_aside(released: DvcRepo, modelver: Modelver) -> None:
    """What a person wrote into a block is never lost: 3 and nothing changed, or a copy below the Git directory."""
    (released.path / CARD).write_text(card(released).replace("| auc | 0.85 |", "| auc | 0.99 my own |"))
    assert "metrics (line" in refused(modelver, released.git, "card", "update", code=3).err
    refused(modelver, released.git, "card", "update", "churn", "--json", code=3)
    before = snapshot(released.git)
    modelver("card", "update", "--discard-edits", "--dry-run", cwd=released.git)
    assert snapshot(released.git) == before
    said = modelver("card", "update", "--discard-edits", cwd=released.git).err
    place = Path(re.search(r"kept in (\S+)", said)[1])  # type: ignore[index]
    assert place.is_relative_to(released.path / ".git" / "modelver")
    assert "| auc | 0.99 my own |" in place.read_text()
    assert "| auc | 0.85 |" in card(released)
    assert "my own" not in card(released)
    assert modelver("card", "check", "--json", cwd=released.git).json["ok"] is True
    assert released.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("args", "code", "near"),
    [
        (("chrun",), 7, "churn"),
        (("churn", "chrun"), 7, "churn"),
        (("nothing-like-it",), 7, ""),
        (("a b",), 2, ""),
        (("churn@v1.0.0",), 2, ""),
        (("",), 2, ""),
    ],
)
@pytest.mark.parametrize("command", ["update", "check"])
def test_unknown_models(
    dvc_repo: DvcRepo, modelver: Modelver, command: str, args: tuple[str, ...], code: int, near: str
) -> None:
    """A model that nothing declares is 7 with a near name, what is no name at all 2, and no card is written."""
    said = refused(modelver, dvc_repo.git, "card", command, *args, code=code).err
    assert near in said.splitlines()[1]


CONFIGS: dict[str, tuple[str, str]] = {
    "no text as path": ("path: 7", "cards.path"),
    "a path that leads out": ("path: ../{name}.md", "cards.path"),
    "an absolute path": ("path: /tmp/{name}.md", "cards.path"),
    "a path in .git": ("path: .GIT/{name}.md", "cards.path"),
    "no Markdown": ("path: 'cards/{name}.txt'", "cards.path"),
    "other braces": ("path: 'cards/{nmae}.md'", "{name}"),
    "no list of plots": ("plots: roc.csv", "cards.plots"),
    "no list of sections": ("required: {prod: Limitations}", "cards.required"),
    "no stage": ("required: {'a/b': [X]}", "a/b"),
    "an unknown key": ("tempalte: minimal", "cards.template"),
    "no template": ("template: 3", "cards.template"),
    "an empty template": ("template: ''", "cards.template"),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_bad_configuration(dvc_repo: DvcRepo, modelver: Modelver, what: str) -> None:
    """What cannot be meant is 2 for every card command, with the key's name."""
    text, words = CONFIGS[what]
    dvc_repo.git.write(".modelver.yaml", f"cards:\n  {text}\n")
    for command in ("update", "check", "show"):
        assert words in refused(modelver, dvc_repo.git, "card", command, "churn", code=2).err


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("defualt", "default"),
        ("no/such.md", "annex-iv"),
        ("../outside.md", "annex-iv"),
        ("/etc/passwd", "annex-iv"),
        ("~/x.md", "annex-iv"),
        ("src", "annex-iv"),
        (".git/config", "annex-iv"),
    ],
)
def test_a_template_that_is_not_there(dvc_repo: DvcRepo, modelver: Modelver, name: str, hint: str) -> None:
    """An unknown template is 2 with a near name or the names of ours; nothing outside the repository is read."""
    (dvc_repo.path.parent / "outside.md").write_text("# Outside\n")
    dvc_repo.git.write(".modelver.yaml", json.dumps({"cards": {"template": name}}))
    assert hint in refused(modelver, dvc_repo.git, "card", "update", code=2).err.splitlines()[1]
    assert "Outside" not in modelver("card", "update", cwd=dvc_repo.git, code=2).err


def test_a_template_by_path(dvc_repo: DvcRepo, run: Run) -> None:
    """A Markdown file of the repository is what a new card begins as; one with broken markers is refused, by line."""
    template = "# Ours\n\n<!-- modelver:begin params -->\n<!-- modelver:end params -->\n\nThe house style.\n"
    dvc_repo.git.write("docs/card.md", template)
    configure(dvc_repo, template="docs/card.md")
    run("card", "update")
    front = b"---\n<front>\n---\n"
    assert by_people((dvc_repo.path / CARD).read_bytes()).removeprefix(front).lstrip() == by_people(template.encode())
    assert "| train.depth | 6 |" in card(dvc_repo)
    (dvc_repo.path / CARD).unlink()
    dvc_repo.git.write("docs/card.md", template.replace("<!-- modelver:end params -->", ""))
    assert "docs/card.md: line 3" in run("card", "update", code=2).err
    assert not (dvc_repo.path / CARD).exists()


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_gives_a_card_that_checks_clean(dvc_repo: DvcRepo, run: Run, name: str) -> None:
    """Updated it has nothing wrong, a second time nothing to do, and released it is still right."""
    configure(dvc_repo, template=name)
    run("card", "update")
    assert run("card", "check", "--json").json["cards"][0]["problems"] == []
    assert run("card", "update", "--json").json["changed"] is False
    dvc_repo.git.commit("The card")
    run("release", "churn")
    found = run("card", "check", "--json").json["cards"][0]
    assert (found["problems"], found["version"]) == ([], "v0.1.0")
    assert run("card", "update", "--json").json["changed"] is False
    tokens = parse(re.sub(r"\A---\n.*?\n---\n", "", card(dvc_repo), flags=re.DOTALL))
    assert next(t.tag for t in tokens if t.type == "heading_open") == "h1"


@pytest.mark.parametrize("command", ["update", "check"])
def test_two_models_cannot_share_a_card(dvc_repo: DvcRepo, modelver: Modelver, command: str) -> None:
    """A path without {name} is fine for one model, and 2 with the remedy for two."""
    dvc_repo.git.write(".modelver.yaml", "cards: {path: MODEL_CARD.md}\n")
    modelver("card", "update", cwd=dvc_repo.git)
    with open(dvc_repo.path / "dvc.yaml", "a") as file:
        file.write("  ranker: {path: models/churn.bin, type: model}\n")
    said = refused(modelver, dvc_repo.git, "card", command, code=2).err
    assert "churn" in said
    assert "ranker" in said
    assert "{name}" in said.splitlines()[1]


def test_a_card_that_git_ignores_is_not_overwritten(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """An ignored file in the card's place is somebody's: 3, and it stays."""
    dvc_repo.git.write(".gitignore", "model_cards/\n")
    dvc_repo.git.write(CARD, "mine\n")
    assert "git add -f" in refused(modelver, dvc_repo.git, "card", "update", code=3).err


@pytest.mark.parametrize("what", ["a folder", "the card", "a dangling card", "a directory"])
def test_nothing_is_written_through_a_link(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path, what: str) -> None:
    """A link in the card's place or above it, or a directory there: 3, and what it points to is as before."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "churn.md").write_text("theirs\n")
    place = dvc_repo.path / CARD
    if what == "a folder":
        place.parent.symlink_to(outside)
    elif what == "a directory":
        place.mkdir(parents=True)
        (place / "x").write_text("x")
    else:
        place.parent.mkdir()
        place.symlink_to(outside / ("nowhere" if what.startswith("a dangling") else "churn.md"))
    for form in ((), ("--discard-edits",)):
        refused(modelver, dvc_repo.git, "card", "update", *form, code=3)
    assert sorted(p.name for p in outside.iterdir()) == ["churn.md"]
    assert (outside / "churn.md").read_text() == "theirs\n"


@pytest.mark.parametrize("place", ["description", "people's text", "template"])
def test_a_secret_is_never_written(dvc_repo: DvcRepo, run: Run, place: str) -> None:
    """What modelver writes hides it; where people wrote it the card is not written, and the line is named."""
    token = "ghp_" + "abcdefghij" * 4
    if place == "description":
        edit(dvc_repo.path / "dvc.yaml", "desc: Who is about to leave", f"desc: Ask {token} https://ada:hunter2@host/x")
        run("card", "update")
        assert token not in card(dvc_repo)
        assert "hunter2" not in card(dvc_repo)
        assert "about" not in block(card(dvc_repo), "summary")
        return
    text = template_path("cards", "default.md").read_text().replace("# Model card", f"# Model card\n\nUse {token}.")
    dvc_repo.git.write(CARD if place == "people's text" else "t.md", text)
    if place == "template":
        configure(dvc_repo, template="t.md")
    failed = run("card", "update", code=3)
    assert "line" in failed.err
    assert "GitHub token" in failed.err
    assert token not in failed.err + failed.out
    assert (dvc_repo.path / CARD).exists() == (place != "template")


# Where bytes are kept -----------------------------------------------------------------------------------------------


def add_output(
    repo: DvcRepo, path: str, data: bytes, *, cached: bool, stage: str = "train", pushed: bool = True
) -> None:
    """Let a pipeline stage have one more output, as `dvc repro` would leave it; not committed."""
    option = "" if cached else ":\n        cache: false"
    text = (repo.path / "dvc.yaml").read_text()
    head, _, rest = text.partition(f"  {stage}:\n")
    key = "    outs:\n" if "    outs:\n" in rest.partition("\n  ev")[0] else "    metrics:\n"
    (repo.path / "dvc.yaml").write_text(f"{head}  {stage}:\n" + rest.replace(key, f"{key}    - {path}{option}\n", 1))
    lock = (repo.path / "dvc.lock").read_text()
    head, _, rest = lock.partition(f"  {stage}:\n")
    digest = hashlib.md5(data).hexdigest()
    entry = f"    - path: {path}\n      hash: md5\n      md5: '{digest}'\n      size: {len(data)}\n"
    (repo.path / "dvc.lock").write_text(f"{head}  {stage}:\n" + rest.replace("    outs:\n", f"    outs:\n{entry}", 1))
    repo.git.write(path, data)
    if cached:
        with open(repo.path / ".gitignore", "a") as file:
            file.write(f"/{path}\n")
        for folder in [repo.cache, *([repo.store / "files" / "md5"] if pushed else [])]:
            put_object(folder, data)


def keep_metrics(repo: DvcRepo, *, pushed: bool = True) -> None:
    """Let DVC's cache keep the metrics instead of Git."""
    edit(repo.path / "dvc.yaml", "    - metrics.json:\n        cache: false\n", "    - metrics.json\n")
    data = (repo.path / "metrics.json").read_bytes()
    with open(repo.path / ".gitignore", "a") as file:
        file.write("/metrics.json\n")
    for folder in [repo.cache, *([repo.store / "files" / "md5"] if pushed else [])]:
        put_object(folder, data)
    repo.git("rm", "-q", "--cached", "metrics.json")
    repo.git.commit("DVC keeps the metrics")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, home: Path, modelver: Modelver) -> bytes:
    """An environment document as `modelver run` writes it."""
    folder = tmp_path_factory.mktemp("run")
    modelver.process("run", "--", sys.executable, "-c", "pass", cwd=folder)
    return (folder / "environment.json").read_bytes()


@pytest.mark.parametrize("cached", [False, True], ids=["in Git", "in DVC's cache"])
def test_the_recorded_environment_is_shown(
    dvc_repo: DvcRepo, run: Run, modelver: Modelver, recorded: bytes, tmp_path: Path, cached: bool
) -> None:
    """What `modelver run` wrote as an output of the training is in the card and in `show`, also in another clone."""
    add_output(dvc_repo, "environment.json", recorded, cached=cached)
    dvc_repo.git.commit("Record the environment")
    document = json.loads(recorded)
    run("release", "churn")
    text = block(card(dvc_repo), "environment")
    assert f"`environment.json` (sha256 `{hashlib.sha256(recorded).hexdigest()}`)" in text
    assert f"| Python | {document['python']['version']}, {document['python']['implementation']} |" in text
    packages = {package["name"]: package["version"] for package in document["packages"]}
    assert f"| `dvc` | `{packages['dvc']}` |" in text
    shown = run("show", "churn@v0.1.0", "--json").json
    assert shown["environment"]["python"]["version"] == document["python"]["version"]
    assert shown["card"] == CARD
    # A clone without DVC's cache cannot read it when DVC keeps it, and can tell all the same that the card is right.
    clone = without_data(dvc_repo, tmp_path / "clone")
    answer = modelver("card", "check", "--json", cwd=clone.git).json
    assert answer["cards"][0]["problems"] == []
    edit(clone.path / "dvc.lock", f"md5: '{hashlib.md5(recorded).hexdigest()}'", f"md5: '{'ab' * 16}'")
    clone.git.write("environment.json", recorded.replace(b'"schema": 1', b'"schema":  1'))
    stale = modelver("card", "check", "--json", cwd=clone.git, code=1).json["cards"][0]["problems"]
    assert "environment" in {found["block"] for found in stale}


def test_a_lock_file_is_no_recorded_environment(dvc_repo: DvcRepo, run: Run) -> None:
    """With requirements.txt alone the card says that nothing was recorded, and names what pins the packages."""
    assert "was not recorded" in (run("card", "update"), block(card(dvc_repo), "environment"))[1]
    dvc_repo.git.write("requirements.txt", "scikit-learn==1.3.2\n")
    problems = run("card", "check", "--json", code=1).json["cards"][0]["problems"]
    assert "environment" in {found["block"] for found in problems}
    run("card", "update")
    text = block(card(dvc_repo), "environment")
    assert "did not record" in text
    assert "`requirements.txt`" in text
    assert "1.3.2" not in text
    dvc_repo.git.commit("The card")
    run("release", "churn")
    assert run("show", "churn@v0.1.0", "--json").json["card"] == CARD


def test_metrics_that_dvc_keeps_are_fetched(dvc_repo: DvcRepo, run: Run, modelver: Modelver, tmp_path: Path) -> None:
    """In a clone without a cache `card update` brings them from the DVC remote, and writes the same card."""
    keep_metrics(dvc_repo)
    run("card", "update")
    assert "| auc | 0.8 |" in card(dvc_repo)
    clone = without_data(dvc_repo, tmp_path / "clone")
    assert not clone.cache.exists()
    modelver("card", "update", cwd=clone.git)
    assert block(card(clone), "metrics") == block(card(dvc_repo), "metrics")
    assert card(clone).split("# modelver:end")[0] == card(dvc_repo).split("# modelver:end")[0]
    assert modelver("card", "check", "--json", cwd=clone.git).json["cards"][0]["problems"] == []


def test_metrics_that_are_nowhere_are_said(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Neither in the cache nor in the DVC remote: 5, and no card is written."""
    keep_metrics(dvc_repo, pushed=False)
    clone = without_data(dvc_repo, tmp_path / "clone")
    failed = modelver("card", "update", cwd=clone.git, code=5)
    assert "metrics.json" in failed.err
    assert not (clone.path / CARD).exists()


def test_a_card_is_right_after_a_release_without_a_cache(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Released in a clone that had no data: `card check` ends with 0 there, and in yet another clone as well."""
    keep_metrics(dvc_repo)
    clone = without_data(dvc_repo, tmp_path / "clone")
    modelver("release", "churn", "--offline", cwd=clone.git)
    assert "| auc | 0.8 |" in block(card(clone), "metrics")
    found = modelver("card", "check", "--json", cwd=clone.git).json["cards"][0]
    assert (found["problems"], found["version"]) == ([], "v0.1.0")
    again = without_data(clone, tmp_path / "again")
    assert modelver("card", "check", "--json", cwd=again.git).json["cards"][0]["problems"] == []
    assert modelver("card", "check", "--json", cwd=again.git).json["ok"] is True
    # The last clone has neither metrics nor model: it says so, and leaves what was written with them.
    text = card(again)
    modelver("card", "update", cwd=again.git)
    assert card(again) == text


def test_a_model_that_is_not_at_hand(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """The card is written all the same and says so; once the bytes are there it is completed."""
    clone = without_data(dvc_repo, tmp_path / "clone")
    modelver("card", "update", cwd=clone.git)
    text = card(clone)
    assert "bytes of the model were not looked at" in block(text, "artifact")
    assert "| Digest | `md5:ece1a41c78a0" in block(text, "artifact")
    assert "Format" not in block(text, "artifact")
    assert modelver("card", "check", "--json", cwd=clone.git).json["ok"] is True
    assert modelver("card", "update", "--json", cwd=clone.git).json["changed"] is False
    shutil.copytree(dvc_repo.cache, clone.cache)
    assert modelver("card", "check", "--json", cwd=clone.git).json["ok"] is True
    assert modelver("card", "update", "--json", cwd=clone.git).json["changed"] is True
    modelver("card", "update", cwd=dvc_repo.git)
    for name in ("artifact", "signature", "usage", "summary"):
        assert block(card(clone), name) == block(card(dvc_repo), name)
    assert "| Format |" in card(clone)
    assert modelver("card", "update", "--json", cwd=clone.git).json["changed"] is False


def test_data_that_is_not_at_hand(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Rows and columns that could not be counted are filled in once the data is there: both clones agree at last."""
    clone = without_data(dvc_repo, tmp_path / "clone")
    for repo in (dvc_repo, clone):
        modelver("card", "update", cwd=repo.git)
    assert "29 \u00d7 3" in block(card(dvc_repo), "data")
    assert "29 \u00d7 3" not in block(card(clone), "data")
    shutil.copytree(dvc_repo.cache, clone.cache)
    modelver("card", "update", cwd=clone.git)
    assert card(clone) == card(dvc_repo)


def test_a_corrupt_model_is_not_described(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Bytes of the cache that are not what the commit names are 5, and no card is written."""
    for place in dvc_repo.cache.rglob("*"):
        if place.is_file() and place.read_bytes() == dvc_repo.model.read_bytes():
            place.chmod(0o644)
            place.write_bytes(b"something else")
    modelver("card", "update", cwd=dvc_repo.git, code=5)
    assert not (dvc_repo.path / CARD).exists()


def test_inside_a_pipeline_stage(dvc_repo: DvcRepo, run: Run) -> None:
    """While `dvc repro` runs, cards are updated and checked from the files; a release is not for then."""
    env = {"DVC_STAGE": "card", "DVC_ROOT": str(dvc_repo.path)}
    assert run("card", "update", "--json", env=env).json["changed"] is True
    assert run("card", "check", "--json", env=env).json["ok"] is True
    dvc_repo.fake_train(9)
    assert run("card", "check", "--json", env=env, code=1).json["ok"] is False
    run("release", "churn", env=env, code=3)


@pytest.mark.parametrize("words", ["card check", "card show churn", "card show churn@v0.1.0", "card update"])
def test_cards_need_no_heavy_library(released: DvcRepo, words: str) -> None:
    """Neither check, show nor update imports DVC, GitPython, pandas, scikit-learn or rich while all is at hand."""
    (released.path / CARD).write_text(card(released) + "\nAn AUC of 0.80.\n")
    script = (
        "import json, sys\n"
        "from dvc_modelver.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words.split()],
        cwd=released.path,
        env=released.git.env,
        capture_output=True,
        text=True,
    )
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == int(words == "card check"), done.stderr
    assert {"dvc", "git", "pandas", "sklearn", "rich", "numpy", "dulwich"} & set(loaded) == set()


# Released cards -----------------------------------------------------------------------------------------------------


def test_show_gives_the_card_as_it_was_released(released: DvcRepo, modelver: Modelver) -> None:
    """By version and by stage it is the tagged commit's, whatever became of the file; by name the work tree's."""
    then = {v: released.git.run("show", f"churn@{v}:{CARD}").stdout.decode() for v in ("v0.1.0", "v0.2.0")}
    (released.path / CARD).write_text(card(released).replace(PLACEHOLDER, "Now written.", 1))
    assert "Now written." in modelver("card", "show", "churn", cwd=released.git).out
    assert modelver("card", "show", "churn", cwd=released.git).out == modelver("card", "show", cwd=released.git).out
    released.git("rm", "-q", "-f", CARD)
    released.git.commit("No cards any more", {".modelver.yaml": "cards: {path: 'other/{name}.md'}\n"})
    for reference, version in {
        **{"churn@v0.1.0": "v0.1.0", "churn@0.1.0": "v0.1.0", "churn#prod": "v0.1.0"},
        **{"churn@latest": "v0.2.0", "churn@v0.2.0": "v0.2.0"},
    }.items():
        answer = modelver("card", "show", reference, "--json", cwd=released.git).json
        assert (answer["name"], answer["version"], answer["path"]) == ("churn", version, CARD)
        assert answer["text"] == then[version]
        assert modelver("card", "show", reference, cwd=released.git).out == then[version]
    assert "other/churn.md" in modelver("card", "show", "churn", cwd=released.git, code=7).err
    assert modelver("show", "churn@v0.1.0", "--json", cwd=released.git).json["card"] == CARD


def test_show_elsewhere(released: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """From a bare repository, and from another one by path and URL, as if one were there."""
    bare = tmp_path / "bare.git"
    released.git("clone", "-q", "--bare", released.path, bare)
    (tmp_path / "empty").mkdir()
    for cwd, more in (
        (bare, ()),
        (tmp_path / "empty", ("--repo", str(released.path))),
        (tmp_path / "empty", ("--repo", str(bare))),
        (tmp_path / "empty", ("--repo", f"file://{bare}")),
    ):
        answer = modelver("card", "show", "churn#prod", *more, "--json", cwd=cwd).json
        assert (answer["version"], answer["text"]) == (
            "v0.1.0",
            released.git.run("show", f"churn@v0.1.0:{CARD}").stdout.decode(),
        )
        assert "**churn** v0.2.0" in modelver("card", "show", "churn@latest", *more, cwd=cwd).out
    for more in ((), ("--repo", str(bare)), ("--repo", f"file://{bare}")):
        cwd = tmp_path / "empty" if more else bare
        assert "**churn** v0.2.0" in modelver("card", "show", "churn", *more, cwd=cwd).out
    assert modelver("card", "check", "--json", cwd=bare).json["ok"] is True
    assert modelver("card", "update", "--json", cwd=bare).json["changed"] is False
    released.fake_train(9)
    released.git("push", "-q", bare, "main")
    assert modelver("card", "check", "--json", cwd=bare, code=1).json["ok"] is False
    modelver("card", "update", cwd=bare, code=6)


@pytest.mark.parametrize("where", ["here", "bare"])
def test_no_card_to_show(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path, where: str) -> None:
    """No card, model, version or holder: 7 with the next step; several models and no name: 2 with their names."""
    modelver("release", "churn", "--no-card", cwd=dvc_repo.git)
    cwd = dvc_repo.path
    if where == "bare":
        cwd = tmp_path / "bare.git"
        dvc_repo.git("clone", "-q", "--bare", dvc_repo.path, cwd)
    for words in (("churn",), (), ("churn@v0.1.0",), ("churn@latest",)):
        assert CARD in modelver("card", "show", *words, cwd=cwd, code=7).err
    assert "card update churn" in modelver("card", "show", "churn", cwd=cwd, code=7).err.splitlines()[1]
    for words in ("chrun", "churn@v9.0.0", "churn#prod", "chrun@v0.1.0"):
        modelver("card", "show", words, cwd=cwd, code=7)
    for words in ("a b", "churn@v1", "churn#a b"):
        modelver("card", "show", words, cwd=cwd, code=2)
    assert modelver("show", "churn@v0.1.0", "--json", cwd=cwd).json["card"] is None


def test_show_asks_which_model(dvc_repo: DvcRepo, run: Run) -> None:
    """Without a name there must be one model: several are named in the error, none is 7."""
    text = (dvc_repo.path / "dvc.yaml").read_text()
    (dvc_repo.path / "dvc.yaml").write_text(text + "  ranker: {path: models/churn.bin, type: model}\n")
    assert "churn, ranker" in run("card", "show", code=2).err
    (dvc_repo.path / "dvc.yaml").write_text(text.partition("artifacts:")[0])
    run("card", "show", code=7)


def test_a_version_of_a_model_that_is_gone_keeps_its_card(released: DvcRepo, modelver: Modelver) -> None:
    """After the declaration is taken out the released card is still shown."""
    text = (released.path / "dvc.yaml").read_text()
    released.git.commit("No model", {"dvc.yaml": text.partition("artifacts:")[0]})
    assert "**churn** v0.1.0" in modelver("card", "show", "churn#prod", cwd=released.git).out
    assert "**churn** v0.2.0" in modelver("card", "show", "churn", cwd=released.git).out


def test_a_release_says_what_changed(released: DvcRepo) -> None:
    """The second version's card tells it from the first, and each commit has the card that its tag's record names."""
    text = check_card(released.git, "churn@v0.2.0")
    assert "base=v0.1.0" in text
    changes = block(text, "changes")
    assert "train.depth" in changes
    assert "0.85" in changes
    assert block(check_card(released.git, "churn@v0.1.0"), "changes") != changes


WRITTEN = "For the retention team.\n"


def test_promote_waits_for_what_must_be_written(dvc_repo: DvcRepo, run: Run) -> None:
    """A configured section holds the stage back (3) until it is written and committed; no new version is needed."""
    configure(dvc_repo, required={"prod": ["Limitations", "Intended use"]})
    run("release", "churn")
    before = snapshot(dvc_repo.git)
    failed = run("promote", "churn", "prod", code=3)
    assert "'Limitations', 'Intended use'" in failed.err
    assert CARD in failed.err.splitlines()[1]
    assert run("promote", "churn", "prod", "--dry-run", code=3).err == failed.err
    assert snapshot(dvc_repo.git) == before
    run("promote", "churn", "dev")
    (dvc_repo.path / CARD).write_text(card(dvc_repo).replace(PLACEHOLDER, WRITTEN))
    run("promote", "churn", "prod", code=3)
    dvc_repo.git.commit("Written")
    assert run("promote", "churn", "prod", "--json").json["models"][0]["version"] == "v0.1.0"
    assert dvc_repo.git.tags() == ["churn#dev#1", "churn#prod#2", "churn@v0.1.0"]
    assert run("release", "churn", "--json").json["changed"] is False


@pytest.mark.parametrize(
    "content", ["", "<!-- a comment -->\n", "TODO [more information  needed]\n", "### Sub\n", None], ids=ascii
)
def test_promote_asks_for_more_than_a_heading(dvc_repo: DvcRepo, run: Run, content: str | None) -> None:
    """A section that is empty, a comment, a placeholder, a subheading alone, or absent is not written."""
    configure(dvc_repo, required={"prod": ["Risks"]})
    section = f"## Risks\n\n{content}\n" if content is not None else ""
    run("card", "update")
    (dvc_repo.path / CARD).write_text(card(dvc_repo) + section)
    dvc_repo.git.commit("The card")
    run("release", "churn")
    assert "'Risks'" in run("promote", "churn", "prod", code=3).err
    (dvc_repo.path / CARD).write_text(card(dvc_repo) + "\n## 7. *Risks*:\n\nNone that we know.\n")
    dvc_repo.git.commit("Written")
    run("promote", "churn", "prod")


def test_promote_looks_at_the_versions_own_card(released: DvcRepo, modelver: Modelver) -> None:
    """What HEAD's card of a later version says does not help an earlier one; the earlier one's own card does."""
    (released.path / CARD).write_text(card(released).replace(PLACEHOLDER, WRITTEN))
    released.git.commit("Written", {".modelver.yaml": "cards: {required: {live: [Limitations]}}\n"})
    assert "churn@v0.1.0" in modelver("promote", "churn@v0.1.0", "live", cwd=released.git, code=3).err
    modelver("promote", "churn@v0.2.0", "live", cwd=released.git)
    released.fake_train(8)
    modelver("release", "churn", cwd=released.git)
    # Its card has what people wrote, and the one before is asked from its own commit, where it was not written yet.
    modelver("promote", "churn@v0.3.0", "live", cwd=released.git)
    modelver("promote", "churn@v0.2.0", "live", cwd=released.git, code=3)


def test_promote_of_a_version_without_a_card(dvc_repo: DvcRepo, run: Run) -> None:
    """Where sections are asked for a card is needed; for other stages it is not."""
    configure(dvc_repo, required={"prod": ["Limitations"]})
    run("release", "churn", "--no-card")
    assert "has none" in run("promote", "churn", "prod", code=3).err
    run("promote", "churn", "dev")


def test_a_card_may_ask_for_itself(dvc_repo: DvcRepo, run: Run) -> None:
    """A line `modelver:required stage=prod ...` in the card counts like the configuration's."""
    line = "<!-- modelver:required stage=prod Contact -->\n"
    run("card", "update")
    (dvc_repo.path / CARD).write_text(card(dvc_repo) + "\n" + line)
    dvc_repo.git.commit("The card")
    run("release", "churn")
    assert "'Contact'" in run("promote", "churn", "prod", code=3).err
    run("promote", "churn", "staging")


def test_release_into_a_stage_waits_as_well(dvc_repo: DvcRepo, run: Run) -> None:
    """`release --stage` makes neither version nor commit while a section is missing, and both once it is written."""
    configure(dvc_repo, required={"prod": ["Limitations"]})
    before = snapshot(dvc_repo.git)
    assert "'Limitations'" in run("release", "churn", "--stage", "prod", code=3).err
    run("release", "churn", "--stage", "prod", "--dry-run", code=3)
    assert snapshot(dvc_repo.git) == before
    run("card", "update")
    (dvc_repo.path / CARD).write_text(card(dvc_repo).replace(PLACEHOLDER, WRITTEN))
    dvc_repo.git.commit("The card")
    run("release", "churn", "--stage", "prod")
    assert dvc_repo.git.tags() == ["churn#prod#1", "churn@v0.1.0"]
    assert WRITTEN in check_card(dvc_repo.git, "churn@v0.1.0")


def test_release_of_a_version_that_is_there_into_a_stage(dvc_repo: DvcRepo, run: Run) -> None:
    """The same holds where the version exists and only the stage is new."""
    run("release", "churn")
    configure(dvc_repo, required={"prod": ["Limitations"]})
    run("release", "churn", "--stage", "prod", code=3)
    (dvc_repo.path / CARD).write_text(card(dvc_repo).replace(PLACEHOLDER, WRITTEN))
    dvc_repo.git.commit("Written")
    run("release", "churn", "--stage", "prod")
    assert dvc_repo.git.tags() == ["churn#prod#1", "churn@v0.1.0"]


# Pictures -----------------------------------------------------------------------------------------------------------


def pictures(repo: DvcRepo) -> dict[str, bytes]:
    """The pictures in the work tree."""
    return {p.name: p.read_bytes() for p in sorted((repo.path / "model_cards").glob("*.svg"))}


@pytest.fixture
def plotted(dvc_repo: DvcRepo, run: Run) -> DvcRepo:
    """churn@v0.1.0 with a plot beside its card."""
    dvc_repo.git.write("roc.csv", "fpr,tpr\n0,0\n0.1,0.7\n1,1\n")
    configure(dvc_repo, plots=["roc.csv"])
    run("release", "churn")
    return dvc_repo


def test_a_plot_is_committed_with_its_card_and_nothing_else(plotted: DvcRepo, run: Run) -> None:
    """One picture, named by card, plot and content, shown by the card and in its commit; other work stays."""
    (name,) = pictures(plotted)
    assert re.fullmatch(r"churn-roc_csv-[0-9a-f]{12}\.svg", name)
    assert hashlib.sha256(pictures(plotted)[name]).hexdigest().startswith(name[-16:-4])
    assert f"]({name})" in block(card(plotted), "plots")
    diff = plotted.git("diff", "--name-status", "HEAD^", "HEAD").splitlines()
    assert diff == [f"A\tmodel_cards/{name}", f"A\t{CARD}"]
    assert plotted.git("status", "--porcelain") == ""
    assert run("card", "check", "--json").json["ok"] is True
    assert run("card", "update", "--json").json["changed"] is False


def test_a_replaced_plot_goes_in_the_same_commit(plotted: DvcRepo, run: Run) -> None:
    """New data: the new picture comes and the old one goes, on update as in a release; the tag keeps the old one."""
    (old,) = pictures(plotted)
    plotted.git.write("roc.csv", "fpr,tpr\n0,0\n0.1,0.9\n1,1\n")
    found = run("card", "check", "--json", code=1).json["cards"][0]["problems"]
    assert [problem["block"] for problem in found] == ["plots"]
    steps = run("card", "update", "--json").json["steps"]
    (new,) = pictures(plotted)
    assert new != old
    assert {(s["do"], s["target"]) for s in steps} == {
        ("write", CARD),
        ("write", f"model_cards/{new}"),
        ("remove", f"model_cards/{old}"),
    }
    plotted.git("checkout", "-q", "--", "model_cards")
    plotted.git("clean", "-fdq", "model_cards")
    plotted.fake_train(9)
    plotted.git.write("untracked.txt", "mine")
    run("release", "churn")
    assert list(pictures(plotted)) == [new]
    diff = plotted.git("diff", "--no-renames", "--name-status", "HEAD^", "HEAD").splitlines()
    assert sorted(diff) == sorted([f"M\t{CARD}", f"A\tmodel_cards/{new}", f"D\tmodel_cards/{old}"])
    assert plotted.git("ls-tree", "--name-only", "churn@v0.1.0:model_cards").splitlines() == [old, "churn.md"]
    assert plotted.git("status", "--porcelain") == "?? untracked.txt"


def test_an_old_plot_that_was_altered_is_kept(plotted: DvcRepo, run: Run) -> None:
    """A picture that somebody drew into is theirs; so are pictures that the card never showed."""
    (old,) = pictures(plotted)
    mine = "churn-mine-0123456789ab.svg"
    plotted.git.write(f"model_cards/{old}", pictures(plotted)[old] + b"<!-- mine -->")
    plotted.git.write(f"model_cards/{mine}", "<svg/>")
    plotted.git.commit("Mine", {"roc.csv": "fpr,tpr\n0,0\n0.1,0.9\n1,1\n"})
    plotted.fake_train(9)
    run("release", "churn")
    assert {old, mine} < set(pictures(plotted))
    assert len(pictures(plotted)) == 3


def test_a_plot_that_is_gone_is_told_and_drawn_again(plotted: DvcRepo, run: Run) -> None:
    """The card shows a picture that is not there: the check names the block, an update brings back the same bytes."""
    before = pictures(plotted)
    (name,) = before
    (plotted.path / "model_cards" / name).unlink()
    found = run("card", "check", "--json", code=1).json["cards"][0]["problems"]
    assert [problem["block"] for problem in found] == ["plots"]
    run("card", "update")
    assert pictures(plotted) == before
    assert run("card", "check", "--json").json["ok"] is True


def test_plots_that_are_taken_out_of_the_configuration(plotted: DvcRepo, run: Run) -> None:
    """Without `cards.plots` the pictures go, and the block is empty."""
    configure(plotted, plots=[])
    run("card", "update")
    assert pictures(plotted) == {}
    assert block(card(plotted), "plots") == ""
    assert run("card", "check", "--json").json["ok"] is True
    assert run("card", "update", "--json").json["changed"] is False


def test_at_most_six_plots(dvc_repo: DvcRepo, run: Run) -> None:
    """The first six that are there are drawn; what nothing can be drawn of is a note; unknown names are none."""
    names = [f"p{n}.csv" for n in range(8)]
    for name in names:
        dvc_repo.git.write(name, f"x,y\n0,{name[1]}\n1,2\n")
    dvc_repo.git.write("p1.csv", "x,y\na,b\n")
    configure(dvc_repo, plots=["missing.csv", *names])
    said = run("card", "update").err
    assert "nothing can be drawn of the plot p1.csv" in said
    assert [name.split("-")[1] for name in pictures(dvc_repo)] == ["p0_csv", "p2_csv", "p3_csv", "p4_csv", "p5_csv"]
    assert run("card", "check", "--json").json["ok"] is True
    assert run("card", "update", "--json").json["changed"] is False


@pytest.mark.parametrize("how", ["a plot of dvc.yaml by name", "a plot by its path", "a cached output", "{name}"])
def test_where_plots_are_found(dvc_repo: DvcRepo, run: Run, modelver: Modelver, tmp_path: Path, how: str) -> None:
    """By the name that `dvc.yaml` gives, with its options; by path; kept by DVC; with the model's name in it."""
    data = b"epoch,acc,loss\n0,0.1,9\n1,0.2,8\n"
    wanted = "plots/loss.csv"
    if how == "a cached output":
        add_output(dvc_repo, "loss.csv", data, cached=True)
        wanted = "loss.csv"
    elif how == "{name}":
        dvc_repo.git.write("plots/churn.csv", data)
        wanted = "plots/{name}.csv"
    else:
        dvc_repo.git.write("plots/loss.csv", data)
        option = "{x: epoch, y: acc, title: Accuracy}"
        if "name" in how:
            option = "{x: epoch, y: {plots/loss.csv: acc}, title: Accuracy}"
            wanted = "accuracy"
        with open(dvc_repo.path / "dvc.yaml", "a") as file:
            file.write(f"plots: [{wanted}: {option}]\n")
    configure(dvc_repo, plots=[wanted])
    run("release", "churn")
    (picture,) = pictures(dvc_repo).values()
    if "dvc.yaml" in how or "path" in how:
        assert b"Accuracy" in picture
        assert "![Accuracy]" in card(dvc_repo)
    clone = without_data(dvc_repo, tmp_path / "clone")
    assert modelver("card", "check", "--json", cwd=clone.git).json["ok"] is True


# Interrupted --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(home: Path) -> Any:
    """A process that forks for each command and can be killed at any change that it makes."""
    found = Server(isolated_env(home))
    yield found
    found.close()


def _rewind(repo: DvcRepo) -> None:
    repo.git("reset", "-q", "--hard")
    repo.git("clean", "-fdq", "model_cards")


def _whole(repo: DvcRepo, cards: set[str]) -> None:
    """The card is the old one or the new one, and the pictures that it shows are there."""
    text = card(repo)
    assert text in cards
    assert set(re.findall(r"\]\((\S+\.svg)\)", text)) <= set(pictures(repo))


def test_killed_at_any_change(plotted: DvcRepo, server: Server) -> None:
    """Old card or new, never half; what a kill leaves the next update removes, and it ends as if nothing had been."""
    plotted.git.commit("Train", {"roc.csv": "fpr,tpr\n0,0\n0.1,0.9\n1,1\n"})
    plotted.fake_train(9)
    old = card(plotted)
    number = int(server(plotted.git, "card", "update", kill=0).count)
    new, drawn = card(plotted), pictures(plotted)
    assert old != new
    _rewind(plotted)
    for at in range(1, number + 1):
        assert server(plotted.git, "card", "update", code=None, kill=at).code == KILLED
        _whole(plotted, {old, new})
        server(plotted.git, "card", "update")
        assert (card(plotted), pictures(plotted)) == (new, drawn), at
        assert litter(plotted.git) == [], at
        _rewind(plotted)


@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_leaves_nothing_behind(plotted: DvcRepo, run: Run, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """130, the card is the old one, and no half-written file is there for Git to show."""
    import os

    plotted.git.commit("Train", {"roc.csv": "fpr,tpr\n0,0\n0.1,0.9\n1,1\n"})
    plotted.fake_train(9)
    old, calls, replace = card(plotted), [], os.replace

    def interrupted(source: Path, target: Path) -> None:
        if str(target).endswith((".md", ".svg")):
            calls.append(target)
            if len(calls) == at:
                raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        assert "interrupted" in run("card", "update", code=130).err
    assert len(calls) == at
    _whole(plotted, {old})
    assert litter(plotted.git) == []
    run("card", "update")
    assert run("card", "check", "--json").json["ok"] is True
    assert len(pictures(plotted)) == 1


def test_a_disk_that_is_full(plotted: DvcRepo, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """6 with the system's words, the old card, and nothing half-written."""
    import errno

    plotted.fake_train(9)
    before, write = snapshot(plotted.git), Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if ".modelver-tmp" in self.name:
            write(self, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert "No space left" in run("card", "update", code=6).err
    assert snapshot(plotted.git) == before
