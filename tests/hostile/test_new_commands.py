"""The gate, experiments and Git hooks on hostile files, refs, settings and arguments."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.support import edit
from tests.dvcio.test_merging import lock
from tests.hostile.support import SECRET, Box, attack, few, write_object, write_ref
from tests.hostile.test_files import DOCUMENTS, JUNK, bomb
from tests.support import Result, snapshot

GATE = ["gate", "churn"]


# The gate: what it reads --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", few(DOCUMENTS, "an alias bomb", "an endless exponent"))
def test_a_policy_that_explodes_does_not(box: Box, what: str) -> None:
    """The same evil document as policy and as reference, by every name that gives it a format: refused in time."""
    data = DOCUMENTS[what].encode("utf-8", "surrogateescape")
    wanted = {}
    for name in ("p.yaml", "p.json", "p.toml"):
        box.git.write(name, data)
        wanted[f"policy {name}"] = [*GATE, "--policy", name, "--json"]
        wanted[f"reference {name}"] = [*GATE, "--reference", name]
    report = attack(box, wanted, alone=True, seconds=20 if what == "a million short lines" else 5)
    assert {result.code for result in report.results.values()} == {2}, report.results


POLICIES: dict[str, object] = {
    "names of metrics": {"metrics": {text: {"min": 0.1} for text in JUNK.values()}},
    "names of slices": {"slices": list(JUNK.values()), "metrics": {"auc": {"max_drop": 0}}},
    "an unknown key": {JUNK["escape"] + JUNK["bidi"] + JUNK["url"]: 1},
    "an unknown rule": {"metrics": {"auc": {JUNK["escape"] + JUNK["token"]: 1}}},
    "against an option": {"against": "--output=CANARY"},
    "against a path": {"against": "../../etc/passwd"},
    "against a secret": {"against": JUNK["url"]},
    "against an experiment": {"against": "exp:--output=CANARY"},
    "against a revision": {"against": "HEAD~1"},
    "against a search": {"against": ":/" + "(a*)*" * 20 + "b"},
    "an endless reference": {"against": "x" * 100_000},
    "an endless name": {"metrics": {"x" * 500_000: {"min": 1}}},
    "a pattern": {"metrics": {"(a+)+$": {"min": 1}, "*" * 1000: {"min": 1}, "[" * 500: "up"}},
    "many rules": {"metrics": {f"m{n}": {"min": 0, "max_drop": "5%"} for n in range(20_000)}},
    "many slices": {"slices": {f"s{n}": {"auc": {"min": 0}} for n in range(5_000)}},
    "an endless share": {"metrics": {"auc": {"max_drop": "9" * 100_000 + "%"}}},
    "a list": [],
    "text": "x",
    "nothing": None,
}


@pytest.mark.parametrize("what", few(POLICIES, "an unknown key", "against an option"))
def test_hostile_policies_are_only_data(box: Box, what: str) -> None:
    """Names, references and limits of a policy are shown as text; none becomes an option, a path or a program."""
    box.git.write("gate.json", json.dumps(POLICIES[what]))
    box.git.write(".modelver.yaml", json.dumps({"gate": POLICIES[what]}))
    named = {name: [*GATE, "--policy", "gate.json", *more] for name, more in FORMS.items()}
    report = attack(box, {**named, "exps": ["list", "--experiments"]}, may_write=["gate/reference.json"])
    assert not list(box.repo.path.rglob("*CANARY*"))
    for name in FORMS:
        assert report.results[name].code in (0, 1, 2, 7), report.results[name]


FORMS = {
    "for people": [],
    "as Markdown": ["--md"],
    "as a table": ["--csv"],
    "as JSON": ["--json"],
    "against a version": ["--against", "churn@v0.1.0"],
    "refresh": ["--update-reference"],
}


def test_hostile_metrics_are_only_text(box: Box) -> None:
    """Keys and values of metrics reach the table, Markdown, JSON and the gate's file without harm or secrets."""
    values = {**JUNK, **{value.replace(SECRET, "x"): 0.5 for value in JUNK.values()}}
    numbers = '"a": 1e999, "b": -1e999, "c": NaN, "d": %s, "e": 1e-400, "e2": 0' % ("9" * 4000)
    box.git.write("metrics.json", json.dumps(values)[:-1] + f", {numbers}}}")
    box.release_by_hand()
    box.git.write("metrics.json", json.dumps(dict.fromkeys(values, 0.25))[:-1] + f", {numbers}}}")
    every = {"metrics": {key: {"min": 0, "max_drop": 0} for key in [*values, *"abcde", "password"]}}
    box.git.write("gate.json", json.dumps(every))
    words = [*GATE, "--policy", "gate.json", "--against", "latest"]
    wanted = {name: [*words, *more] for name, more in FORMS.items() if "--against" not in more}
    wanted["written"] = [*words, "--out", "answer.json"]
    report = attack(box, wanted, may_write=["gate/reference.json", "answer.json"])
    assert {report.results[name].code for name in wanted if name != "refresh"} == {1}, report.results
    written = (box.repo.path / "answer.json").read_text("ascii")
    assert SECRET not in written
    assert len(json.loads(written)["rules"]) >= 2 * len(values)
    shown = report.results["as Markdown"].out
    assert "<script" not in shown


PLACES = ["leads out", "into .git", "through a folder", "a device", "a pipe", "a folder"]


@pytest.mark.parametrize("place", few(PLACES, "leads out", "a pipe"))
@pytest.mark.parametrize("option", few(["--policy", "--reference"], "--reference"))
def test_what_the_gate_reads_lies_in_the_repository(box: Box, option: str, place: str) -> None:
    """A link of the repository shows nothing of what lies elsewhere, and nothing endless is read."""
    secret = f"{SECRET}: {{metrics: {SECRET}}}\n"
    (box.outside / "p.json").write_text(secret)
    (box.repo.path / ".git" / "p.json").write_text(secret)
    name, path = "p.json", box.repo.path / "p.json"
    if place == "through a folder":
        (box.repo.path / "linked").symlink_to("../outside")
        name = "linked/p.json"
    elif place == "a pipe":
        os.mkfifo(path)
    elif place == "a folder":
        path.mkdir()
    else:
        path.symlink_to({"leads out": "../outside/p.json", "into .git": ".git/p.json", "a device": "/dev/zero"}[place])
    report = attack(box, {"gate": [*GATE, option, name], "json": [*GATE, option, name, "--json"]}, alone=True)
    assert {result.code for result in report.results.values()} <= {2, 3}, report.results


def test_a_policy_of_the_users_own_is_read_wherever_it_lies(box: Box) -> None:
    """A path that the user names outside the repository is the user's word, links and all."""
    (box.outside / "real.yaml").write_text("metrics: {auc: {min: 0}}\n")
    (box.outside / "p.yaml").symlink_to("real.yaml")
    report = attack(box, {"gate": [*GATE, "--policy", "../outside/p.yaml"]}, alone=True)
    assert report.results["gate"].code in (0, 1), report.results["gate"]
    assert "auc" in report.results["gate"].out


# The gate: where it writes ------------------------------------------------------------------------------------------


def _linked(box: Box, name: str, to: str) -> None:
    (box.repo.path / name).parent.mkdir(parents=True, exist_ok=True)
    (box.repo.path / name).symlink_to(to)


TARGETS: dict[str, tuple[str, Callable[[Box], object]]] = {
    "in .git": (".git/hooks/post-checkout", lambda box: None),
    "the configuration": (".git/config", lambda box: None),
    "in .GIT": (".GIT/hooks/post-checkout", lambda box: None),
    "a folder that leads out": ("gate/x.json", lambda box: _linked(box, "gate", "../outside")),
    "a folder that leads into .git": ("gate/x.json", lambda box: _linked(box, "gate", ".git/hooks")),
    "a folder far above": ("gate/deep/x.json", lambda box: _linked(box, "gate", "..")),
    "a folder": ("src", lambda box: None),
    "below a file": ("README.md/x.json", lambda box: box.git.write("README.md", "x")),
    "DVC's own": (".dvc/config", lambda box: None),
}


@pytest.mark.parametrize("where", few(TARGETS, "in .git", "a folder that leads out"))
def test_the_gate_does_not_write_there(box: Box, where: str) -> None:
    """Answer and reference go neither into `.git` or `.dvc` nor through a link: refused, and nothing is changed."""
    target, prepare = TARGETS[where]
    prepare(box)
    before = snapshot(box.git)
    report = attack(
        box,
        {
            "out": [*GATE, "--out", target],
            "reference": [*GATE, "--update-reference", "--reference", target],
            "from below": [*GATE, "--out", f"../{target}", "-C", "src"],
            "absolute": [*GATE, "--out", str(box.repo.path / target)],
        },
        alone=True,
    )
    for result in report.results.values():
        assert result.code in (2, 3, 6), result
    assert snapshot(box.git) == before


@pytest.mark.parametrize("to", few(["../outside", ".git/hooks", "../outside/precious", ".git"], ".git/hooks"))
def test_the_default_reference_is_not_led_away(box: Box, to: str) -> None:
    """The place that nobody named on the command line, and a link of the repository on the way to it."""
    _linked(box, "gate", to)
    box.git.commit("A link")
    before = snapshot(box.git)
    words = ["gate", "churn", "--update-reference"]
    report = attack(box, {"refresh": words, "would": [*words, "--dry-run"]}, alone=True)
    assert report.results["refresh"].code in (2, 3, 6), report.results
    assert snapshot(box.git) == before


def test_a_link_at_the_place_itself_is_replaced_not_followed(box: Box) -> None:
    """The file takes the link's name; what the link led to is as before."""
    _linked(box, "answer.json", "../outside/precious")
    report = attack(box, {"out": [*GATE, "--out", "answer.json"]}, alone=True, may_write=["answer.json"])
    assert report.results["out"].code in (0, 1, 3), report.results
    assert (box.outside / "precious").read_text() == "the user's own"


def test_a_read_only_folder_is_said(box: Box) -> None:
    """Where the file cannot be made the environment does not allow it, and no part of it is left."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (box.repo.path / "out").mkdir(mode=0o555)
    report = attack(
        box,
        {
            "out": [*GATE, "--out", "out/x.json"],
            "refresh": [*GATE, "--update-reference", "--reference", "out/x.json"],
        },
        alone=True,
        may_write=["out/x.json"],
    )
    assert {result.code for result in report.results.values()} == {6}, report.results
    assert list((box.repo.path / "out").iterdir()) == []


# Experiments --------------------------------------------------------------------------------------------------------


def experiment(box: Box, name: str, oid: str | None = None, parent: str | None = None) -> None:
    """A ref as DVC writes it."""
    base = parent or box.git.rev()
    write_ref(box.git, f"refs/exps/{base[:2]}/{base[2:]}/{name}", oid or box.git.rev())


def child(box: Box, parent: str, message: str = "exp") -> str:
    """A commit of HEAD's tree whose parent may not exist."""
    tree = box.git.rev("HEAD^{tree}")
    who = "Mallory <m@example.com> 1735800000 +0000"
    return write_object(
        box.git, "commit", f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{message}\n".encode()
    )


LIST_EXPERIMENTS = {
    "table": ["list", "--experiments"],
    "one": ["list", "--experiments", "churn", "--md"],
    "json": ["list", "--experiments", "--json"],
    "gate": ["gate", "churn", "--exp", "evil"],
    "against": ["gate", "churn", "--against", "exp:evil"],
}
EXPERIMENTS: dict[str, Callable[[Box], object]] = {
    "names": lambda box: [
        experiment(box, name, child(box, box.git.rev(), str(n)))
        for n, name in enumerate(["evil", "-d", "--output=CANARY", "a\u202eb", "x" * 200, "|x|", "$(x)"])
    ],
    "a missing commit": lambda box: experiment(box, "evil", "1" * 40),
    "a missing parent": lambda box: experiment(box, "evil", child(box, "2" * 40), "2" * 40),
    "a tree": lambda box: experiment(box, "evil", box.git.rev("HEAD^{tree}")),
    "a blob": lambda box: experiment(box, "evil", box.git.rev("HEAD:dvc.yaml")),
    "a tag": lambda box: experiment(box, "evil", box.git.rev("refs/tags/churn@v0.1.0")),
    "a parent that is no commit": lambda box: experiment(box, "evil", None, "z" * 40),
    "other depths": lambda box: [
        write_ref(box.git, f"refs/exps/{name}", box.git.rev())
        for name in ("evil", "exec/EXEC_HEAD", "stash", "a/b/c/d/e", f"celery/{'0' * 38}/evil")
    ],
    "no lock": lambda box: _experiment_with(box, "dvc.lock", "<<<<<<< x\n"),
    "a bomb": lambda box: _experiment_with(box, "dvc.yaml", bomb()),
    "junk": lambda box: _experiment_with(box, "params.yaml", json.dumps({"train": JUNK, **JUNK})),
}


def _experiment_with(box: Box, path: str, text: str) -> None:
    main = box.git.rev()
    box.git("checkout", "-q", "--detach")
    box.git.write(path, text)
    commit = box.git.commit("exp")
    box.git("checkout", "-q", "main")
    experiment(box, "evil", commit, main)


@pytest.mark.parametrize("what", few(EXPERIMENTS, "names", "a missing parent", "a tree"))
def test_a_hostile_experiment_costs_only_itself(box: Box, what: str) -> None:
    """Whatever stands below `refs/exps`: the others are listed, and none becomes an option."""
    good = child(box, box.git.rev(), "good")
    experiment(box, "good", good)
    EXPERIMENTS[what](box)
    report = attack(box, LIST_EXPERIMENTS)
    assert report.results["json"].code == 0, report.results["json"]
    (one,) = report.results["json"].json["experiments"]
    assert "good" in [row["experiment"] for row in one["experiments"]], report.results["json"]
    for name in ("gate", "against"):
        assert report.results[name].code in (0, 1, 2, 5, 6, 7), report.results[name]


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.long)])
def test_many_experiments_are_listed_in_time(box: Box, count: int) -> None:
    """Time grows with their number, and the screen is not buried in notes."""
    parent = box.git.rev()
    rows = [(child(box, parent, str(n)), n) for n in range(count)]
    packed = [f"{oid} refs/exps/{parent[:2]}/{parent[2:]}/exp-{n:05}\n" for oid, n in rows]
    packed += [f"{box.git.rev('HEAD^{tree}')} refs/exps/{parent[:2]}/{parent[2:]}/tree-{n:05}\n" for n in range(50)]
    tags = [f"{oid} {name}\n" for name, oid in box.git.refs("refs/tags").items()]
    text = "".join(sorted([*packed, *tags], key=lambda row: row.split(" ")[1]))
    (box.git.path / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{text}")
    report = attack(box, {"json": ["list", "--experiments", "--json"]}, alone=True, seconds=5 + count / 80)
    (one,) = report.results["json"].json["experiments"]
    assert len(one["experiments"]) == count
    assert len(report.results["json"].err.splitlines()) < 20


# Hooks --------------------------------------------------------------------------------------------------------------

HOOKS = {
    "status": ["hooks", "status"],
    "status json": ["hooks", "status", "--json"],
    "would": ["hooks", "install", "--merge-driver", "--dry-run"],
    "install": ["hooks", "install", "--merge-driver"],
    "status then": ["hooks", "status", "--json"],
    "uninstall": ["hooks", "uninstall"],
}


MEANT = [".git/hooks/", ".git/config", ".git/info/attributes"]


def hook(box: Box, name: str = "pre-push") -> Path:
    """Where git looks for a hook."""
    return box.repo.path / ".git" / "hooks" / name


def _quoted(box: Box) -> None:
    """A file that begins as ours does, and whose interpreter is no word of a shell."""
    hook(box).write_bytes(b"#!/bin/sh\n# modelver hook pre-push sha256=0123456789abcdef\npython='\n")
    hook(box).chmod(0o755)


def _theirs(box: Box, data: bytes) -> None:
    hook(box).write_bytes(data)
    hook(box).chmod(0o755)


HOOK_FILES: dict[str, Callable[[Box], object]] = {
    "a program": lambda box: box.program(hook(box)),
    "a folder": lambda box: hook(box).mkdir(),
    "a pipe": lambda box: os.mkfifo(hook(box), 0o755),
    "a device": lambda box: hook(box).symlink_to("/dev/zero"),
    "a link to nothing": lambda box: hook(box).symlink_to("nowhere"),
    "a link in a circle": lambda box: hook(box).symlink_to("pre-push"),
    "a link out": lambda box: hook(box).symlink_to(box.program(box.outside / "theirs")),
    "an open quote": _quoted,
    "no text": lambda box: _theirs(box, bytes(range(256)) * 100),
    "endless": lambda box: _theirs(box, b"#!/bin/sh\n# modelver hook pre-push sha256=" + b"0" * 5_000_000),
    "a slow pattern": lambda box: _theirs(box, b"#!/bin/sh\n" + b"modelver " * 100_000),
    "pre-commit without end": lambda box: _theirs(box, b"pre-commit" * 100_000),
    "an interpreter in the repository": lambda box: _theirs(
        box, b"#!/bin/sh\n# modelver hook pre-push sha256=0123456789abcdef\npython=./evil.sh\n"
    ),
    "escapes": lambda box: _theirs(
        box, b"#!/bin/sh\n# modelver hook pre-push sha256=0123456789abcdef\npython=/\x1b[2J\xe2\x80\xae\xff\n"
    ),
}


@pytest.mark.parametrize("what", few(HOOK_FILES, "a program", "a pipe", "an open quote"))
def test_hostile_hook_files_are_looked_at_not_run(box: Box, what: str) -> None:
    """Whatever lies where a hook should: described or refused, kept, and there again after `uninstall`."""
    HOOK_FILES[what](box)
    before = snapshot(box.git) if what not in ("a pipe", "a device") else {}
    report = attack(box, HOOKS, alone=True, may_write=MEANT)
    for name in ("status", "status json", "would", "install", "uninstall"):
        assert report.results[name].code in (0, 1, 3, 6), report.results[name]
    assert os.path.lexists(hook(box)) or hook(box, "pre-push.edited-by-hand").exists()
    if before and what not in ("an open quote", "an interpreter in the repository", "escapes", "endless"):
        after = snapshot(box.git)
        assert {k: v for k, v in after.items() if k.startswith("hook")} == {
            k: v for k, v in before.items() if k.startswith("hook")
        }


HOOK_DIRECTORIES: dict[str, Callable[[Box], object]] = {
    "a link out": lambda box: _hooks_link(box, box.outside),
    "a link among the files": lambda box: _hooks_link(box, box.repo.path / "src"),
    "a link to .git": lambda box: _hooks_link(box, box.repo.path / ".git"),
    "out": lambda box: box.git("config", "core.hooksPath", "../outside"),
    "absolute": lambda box: box.git("config", "core.hooksPath", str(box.outside)),
    "through a link": lambda box: (
        _linked(box, "hooks-link", "../outside"),
        box.git("config", "core.hooksPath", "hooks-link"),
    ),
    "tracked": lambda box: box.git("config", "core.hooksPath", "src"),
    "the root": lambda box: box.git("config", "core.hooksPath", "."),
    "nothing": lambda box: box.git("config", "core.hooksPath", ""),
    "no folder": lambda box: box.git("config", "core.hooksPath", "/dev/null"),
    "escapes": lambda box: box.git("config", "core.hooksPath", "../\x1b[2J\u202e/\n/error: fake"),
    "home": lambda box: box.git("config", "core.hooksPath", "~/hooks"),
}


def _hooks_link(box: Box, to: Path) -> None:
    hooks = box.repo.path / ".git" / "hooks"
    shutil.rmtree(hooks)
    hooks.symlink_to(to)


@pytest.mark.parametrize("where", few(HOOK_DIRECTORIES, "a link out", "escapes"))
def test_hooks_are_written_into_this_clone_alone(box: Box, where: str) -> None:
    """Where setting or link lead to a place of the team's or the machine's, nothing is put there: it is said."""
    HOOK_DIRECTORIES[where](box)
    before = snapshot(box.git)
    report = attack(box, HOOKS, alone=True, may_write=MEANT)
    for name in HOOKS:
        assert report.results[name].code in (0, 1, 3, 6), report.results[name]
    after = snapshot(box.git)
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert changed <= {".git/config"}, changed


DRIVERS = {
    "an open quote": "python='; status=97;",
    "escapes": "\x1b[2J\u202e",
    "a program": "{touch}",
    "an interpreter of the repository": "python=./evil.sh; status=97;",
    "percents": "python=%O%A%%%; status=97;",
    "nothing": "",
    "endless": "python=" + "x" * 100_000,
}


@pytest.mark.parametrize("what", few(DRIVERS, "an open quote"))
def test_a_hostile_merge_driver_is_looked_at_not_run(box: Box, what: str) -> None:
    """What stands in the setting is compared as text; ours takes its place, and goes again."""
    box.program(box.repo.path / "evil.sh")
    box.git("config", "merge.modelver.driver", DRIVERS[what].replace("{touch}", box.touch))
    report = attack(box, HOOKS, alone=True, may_write=MEANT)
    for name in HOOKS:
        assert report.results[name].code in (0, 1), report.results[name]


# What git starts ----------------------------------------------------------------------------------------------------


def merged(box: Box, base: str, ours: str, theirs: str, path: str = "dvc.lock", marker: str = "7") -> Result:
    """The driver on three files, as git calls it; nothing but %A may be written."""
    for name, text in zip((".merge_a", ".merge_b", ".merge_c"), (base, ours, theirs), strict=True):
        (box.repo.path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    before = snapshot(box.git)
    words = ["merge-driver", ".merge_a", ".merge_b", ".merge_c", marker, path]
    report = attack(box, {"merge": words}, alone=True, may_write=[".merge_b"])
    after = snapshot(box.git)
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} <= {"file .merge_b"}
    return report.results["merge"]


NAMES = "\x1b[2J\x1b]0;x\x07", "\u202eevil", "a\nerror: fake", f"https://user:{SECRET}@h/x", "x" * 100_000, "-rf"


def test_names_of_stages_reach_the_terminal_as_text(box: Box) -> None:
    """What a colleague called a stage, a path or a digest moves no cursor and shows no secret."""
    rows = {name: f"  {json.dumps(name)}:\n    cmd: x\n" for name in NAMES}
    head = "schema: '2.0'\nstages:\n"
    both = "  last:\n    cmd: {0}\n    deps:\n    - path: {1}\n      md5: {1}\n"
    base = head + both.format("one", "x")
    ours = head + both.format("two", json.dumps(NAMES[0])) + rows[NAMES[0]] + rows[NAMES[1]]
    theirs = head + both.format("three", json.dumps(NAMES[1])) + "".join(rows[name] for name in NAMES[2:])
    assert merged(box, base, ours, theirs, path="a\x1b[2J\u202e/dvc.lock").code in (0, 1)


@pytest.mark.parametrize("what", few(DOCUMENTS, "an alias bomb", "not UTF-8"))
@pytest.mark.parametrize("path", few(["dvc.lock", "models/x.dvc"], "dvc.lock"))
def test_a_merge_of_documents_that_explode_does_not(box: Box, what: str, path: str) -> None:
    """An evil document on one side: merged as plain lines, as git would, and nobody's lines are lost."""
    text = DOCUMENTS[what]
    sound = lock({"prepare": 1, "train": 1}).decode()
    result = merged(box, sound, text, sound + "# theirs\n", path=path)
    assert result.code in (0, 1), result
    data = (box.repo.path / ".merge_b").read_bytes()
    assert result.code == 1 or b"theirs" in data


@pytest.mark.parametrize("shape", few(["stages", "keys", "both sides"], "keys"))
def test_a_merge_of_many_entries_ends(box: Box, shape: str) -> None:
    """Time grows with the file, also when its entries are the smallest that there can be."""
    count = 5_000
    head = "schema: '2.0'\nstages:\n"

    def text(letter: str, number: int) -> str:
        if shape == "keys":
            return "".join(f"{letter}{n}: {n}\n" for n in range(number))
        return head + "".join(f"  {letter}{n}:\n    cmd: x\n" for n in range(number))

    base = text("a", 1)
    ours, theirs = text("b", count), text("c", count if shape == "both sides" else 2)
    assert merged(box, base, ours, theirs).code in (0, 1)


BAD_CALLS = {
    "nothing": [],
    "too few": [".merge_a", ".merge_b"],
    "no files": ["nowhere", "nowhere", "nowhere", "7", "dvc.lock"],
    "folders": ["src", "src", "src", "7", "dvc.lock"],
    "options": ["--output=CANARY", "-p", "--help", "7", "dvc.lock"],
    "a marker": [".merge_a", ".merge_b", ".merge_c", "9" * 5000, "dvc.lock"],
    "no marker": [".merge_a", ".merge_b", ".merge_c", "--object-id", "dvc.lock"],
    "devices": ["/dev/zero", "nowhere", "/dev/zero", "7", "dvc.lock"],
    "pipes": ["pipe", "pipe", "pipe", "7", "dvc.lock"],
    "outside": ["../outside/precious", "../outside/precious", "README.md", "7", "dvc.lock"],
    "absolute": ["{root}/.git/config", "{root}/.git/config", "README.md", "7", "dvc.lock"],
    "into .git": [".git/config", ".git/config", "README.md", "7", "dvc.lock"],
    "through a link": ["linked/precious", "linked/precious", "README.md", "7", "dvc.lock"],
    "NUL": ["a\0b", "a\0b", "a\0b", "7", "dvc.lock"],
}


@pytest.mark.parametrize("what", few(BAD_CALLS, "options", "pipes", "outside"))
def test_hostile_calls_of_the_merge_driver(box: Box, what: str) -> None:
    """Places that git never names: an error, and nothing is written."""
    os.mkfifo(box.repo.path / "pipe")
    _linked(box, "linked", "../outside")
    box.git.write("README.md", "theirs\n")
    words = [word.replace("{root}", str(box.repo.path)) for word in BAD_CALLS[what]]
    config = (box.repo.path / ".git/config").read_bytes()
    report = attack(box, {"merge": ["merge-driver", *words]}, alone=True)
    assert report.results["merge"].code in (1, 2, 3, 6), report.results["merge"]
    assert (box.repo.path / ".git/config").read_bytes() == config
    assert not (box.repo.path / "CANARY").exists()


FOR_GIT = ("card", "card-update", "dvc-sync", "model-format", "commit-msg", "pre-commit-push", "pre-push")
TOLD = ("post-checkout", "post-merge", "prepare-commit-msg")
ARGUMENTS = {
    "nothing": [],
    "options": ["--output=CANARY", "-x", "--"],
    "paths that lead out": ["../outside/precious", "/etc/passwd", ".git/config"],
    "escapes": ["\x1b[2J\u202e", "a\nb", f"https://user:{SECRET}@h/x"],
    "revisions": ["0" * 40, "HEAD:", "1"],
    "endless": ["x" * 100_000] * 3,
}
ROWS = {
    "nothing": "",
    "junk": "a\0b \x1b[2J\n" * 3,
    "not UTF-8": "\udcff\udcfe x y z\n",
    "options": "--output=CANARY 1 refs/tags/churn@v0.1.0 2\n",
    "no ids": f"refs/tags/churn@v0.1.0 {'z' * 40} refs/tags/churn@v0.1.0 {'0' * 40}\n",
    "a missing object": f"refs/tags/churn@v9.0.0 {'1' * 40} refs/tags/churn@v9.0.0 {'0' * 40}\n",
    "names": f"refs/tags/\x1b[2J {'1' * 40} refs/tags/churn@v\u202e1.0.0 {'0' * 40}\n",
    "many": f"refs/heads/x {'1' * 40} refs/heads/x {'0' * 40}\n" * 50_000,
}


@pytest.mark.parametrize("what", few(ARGUMENTS, "escapes"))
def test_hooks_with_hostile_arguments(box: Box, what: str) -> None:
    """Every hook with words that git would not pass, and every row on its input: an answer, and nothing is written."""
    wanted, stdin = {}, {}
    for name in (*FOR_GIT, *TOLD, "no-such-hook", "\x1b[2J"):
        wanted[name] = ["git-hook", name, *ARGUMENTS[what]]
    for row, text in ROWS.items():
        wanted[row] = ["git-hook", "pre-push", *ARGUMENTS[what]]
        stdin[row] = text
    before = snapshot(box.git)
    report = attack(box, wanted, alone=True, stdin=stdin)
    assert snapshot(box.git) == before
    assert not list(box.repo.path.rglob("*CANARY*"))
    for name in ("no-such-hook", "\x1b[2J"):
        assert report.results[name].code == 2


# Notes, proofs, rebuilding ------------------------------------------------------------------------------------------

NOTES = {
    "escapes": b"\x1b[2J\xe2\x80\xae\r\n",
    "not UTF-8": b"\xff\xfe\n",
    "a bomb": b"[" * 500_000 + b"\n",
    "endless": b'{"schema":1,"kind":"' + b"x" * 1_000_000 + b'"}\n',
    "many lines": b'{"kind":"x"}\n' * 200_000,
    "a secret": f'{{"schema":1,"kind":"approval","message":"https://user:{SECRET}@h/x?sig={SECRET}"}}\n'.encode(),
    "numbers": b'{"schema":1,"kind":"proof","at":1e999,"value":NaN}\n' + b'{"a":' + b"9" * 10_000 + b"}\n",
}


@pytest.mark.parametrize("what", few(NOTES, "a secret"))
def test_hostile_notes_are_only_text(box: Box, what: str) -> None:
    """What others wrote about a version, here and at the remote: read, merged and shown without harm, or left alone."""
    blob = write_object(box.git, "blob", NOTES[what])
    target = box.git.rev("refs/tags/churn@v0.1.0")
    tree = write_object(box.git, "tree", f"100644 {target}".encode() + b"\0" + bytes.fromhex(blob))
    who = "Mallory <m@example.com> 1735800000 +0000"
    body = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode()
    commit = write_object(box.git, "commit", body)
    write_ref(box.git, "refs/notes/modelver", commit)
    remote = box.top / "remote.git"
    box.git("init", "-q", "--bare", remote)
    box.git("remote", "add", "origin", remote)
    box.git("push", "-q", "origin", f"{commit}:refs/notes/modelver")
    wanted = {
        "show old": ["show", "churn@v0.1.0"],
        "show old json": ["show", "churn@v0.1.0", "--json"],
        "push": ["push", "--dry-run"],
        "verify old": ["verify", "churn@v0.1.0", "--json"],
    }
    report = attack(box, wanted, without=["get by URL"])
    for name in ("show old", "show old json", "list", "history"):
        assert report.results[name].code == 0, report.results[name]


def test_rebuilding_asks_and_runs_nothing_without_a_yes(box: Box) -> None:
    """A version whose commands are hostile: shown as text, refused without `--yes`, nothing written for it."""
    edit(box.repo.path / "dvc.yaml", "cmd: python src/train.py", f"cmd: {box.touch}; echo '\\x1b[2J'")
    box.git.commit("Commands")
    box.repo.fake_train(9)
    box.git.tag("churn@v0.3.0")
    before = snapshot(box.git)
    words = ["reproduce", "churn@v0.3.0"]
    report = attack(
        box,
        {
            "ask": words,
            "keep": [*words, "--keep", "../outside/kept"],
            "plan": [*words, "--dry-run", "--json"],
            "tolerance": [*words, "--tolerance", "1e999", "--dry-run"],
            "option": ["reproduce", "--", "--output=CANARY"],
        },
        alone=True,
    )
    assert report.results["ask"].code == 3, report.results["ask"]
    assert report.results["keep"].code == 3, report.results["keep"]
    assert report.results["option"].code in (2, 7), report.results["option"]
    assert snapshot(box.git) == before
