"""`bisect`: the commit where a metric went wrong, and what changed there; `git bisect` and real builds are oracles."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import Clock, DvcRepo, Git, Modelver, Templates, snapshot

Ask = Callable[..., Any]


class Project:
    """A pipeline's repository in which whatever is wanted was measured, in milliseconds."""

    def __init__(self, repo: DvcRepo) -> None:
        self.repo, self.git = repo, repo.git

    def edit(self, message: str, **changes: str) -> str:
        """Commit changes to the recipe, without measuring: params, code, data."""
        return self.git.commit(message, self._recipe(**changes))

    def measured(self, auc: object, message: str = "Measure", **changes: str) -> str:
        """As `edit`, with what `dvc repro` would have recorded."""
        for name, content in self._recipe(**changes).items():
            self.git.write(name, content)
        self.git.write("metrics.json", json.dumps({"auc": auc}))
        self.git.write("dvc.lock", self._locked())
        return self.git.commit(message)

    def release(self, version: str) -> str:
        """Tag a version; the commit that it names."""
        self.git.tag(f"churn@{version}")
        return self.git.rev("HEAD")

    def _recipe(self, depth: str = "", code: str = "", data: str = "", extra: str = "") -> dict[str, str]:
        files = {"README.md": extra} if extra else {}
        if depth:
            files["params.yaml"] = re.sub(r"depth: .*", f"depth: {depth}", self._text("params.yaml"))
        if code:
            files["src/train.py"] = f"{self._text('src/train.py')}# {code}\n"
        if data:
            self.git.write("data/raw.csv", data)
            files["data/raw.csv.dvc"] = self._digested(self._text("data/raw.csv.dvc"), "raw.csv", "data/raw.csv")
        return files

    def _locked(self) -> str:
        text = self._text("dvc.lock")
        (depth,) = re.findall(r"depth: (.*)", self._text("params.yaml"))
        text = re.sub(r"( {8}depth: )\S+", rf"\g<1>{depth}", text)
        for path in re.findall(r"path: (\S+)", text):
            text = self._digested(text, path, path)
        return text

    def _digested(self, text: str, name: str, path: str) -> str:
        """A DVC file with the digest that the work tree's file has."""
        data = (self.git.path / path).read_bytes()
        digest = hashlib.md5(data).hexdigest()
        if re.fullmatch(r"\d+(e\d+)?", digest):
            digest = f"'{digest}'"
        if text.startswith("outs:"):
            text = re.sub(r"md5: \S+", f"md5: {digest}", text)
            return re.sub(r"size: \d+", f"size: {len(data)}", text)
        return re.sub(
            rf"(- path: {re.escape(name)}\n +hash: md5\n +md5: )\S+(\n +size: )\d+",
            rf"\g<1>{digest}\g<2>{len(data)}",
            text,
        )

    def _text(self, name: str) -> str:
        return (self.git.path / name).read_text()


@pytest.fixture
def project(dvc_repo: DvcRepo) -> Project:
    """churn@v0.1.0 with auc 0.9."""
    made = Project(dvc_repo)
    made.measured(0.9, "Begin")
    made.release("v0.1.0")
    return made


@pytest.fixture
def bisect(project: Project, modelver: Modelver) -> Ask:
    """`modelver bisect churn --metric auc --json ARGS` in `project`."""

    def ask(*args: str, **options: Any) -> Any:
        return modelver("bisect", "churn", "--metric", "auc", "--json", *args, cwd=project.git, **options).json

    return ask


def causes(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    """Kind -> names."""
    return {cause["kind"]: cause["names"] for cause in answer["attribution"]}


# One commit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"depth": "3"}, {"params": ["params.yaml:train.depth"]}),
        ({"code": "worse"}, {"code": ["src/train.py"]}),
        ({"data": "1,2,3\n"}, {"data": ["data/raw.csv"]}),
        ({"depth": "3", "code": "x"}, {"code": ["src/train.py"], "params": ["params.yaml:train.depth"]}),
        ({}, {}),
    ],
    ids=["param", "code", "data", "both", "nothing"],
)
def test_the_culprit_and_its_cause(
    project: Project, bisect: Ask, changes: dict[str, str], expected: dict[str, list[str]]
) -> None:
    """The commit that dropped the metric between others that did not, and which of its changes may have done it."""
    git = project.git
    before = project.measured(0.89, "Nearly as good", depth="7")
    project.edit("Say more", extra="# More\n")
    culprit = project.measured(0.6, "A change", **changes)
    project.measured(0.62, "Another change", depth="4")
    project.edit("Say even more", extra="# Even more\n")
    last = project.release("v0.2.0")
    answer = bisect()
    assert answer["culprit"] == {"commit": culprit, "range": None}
    assert causes(answer) == expected
    assert answer["step"] == {"from": "v0.1.0", "to": "v0.2.0"}
    assert answer["unmeasured"] == []
    assert [row["commit"] for row in answer["commits"]] == git(
        "rev-list", "--reverse", "--topo-order", "churn@v0.1.0..churn@v0.2.0"
    ).split("\n")
    states = {row["commit"]: (row["value"], row["state"]) for row in answer["commits"]}
    assert (states[before], states[culprit], states[last]) == ((0.89, "good"), (0.6, "bad"), (0.62, "bad"))
    (row,) = (row for row in answer["commits"] if row["commit"] == culprit)
    assert (row["subject"], row["author"]) == ("A change", {"name": "Ada Byron", "email": "ada@example.com"})
    assert row["at"] == git("show", "-s", "--format=%ad", "--date=format:%Y-%m-%dT%H:%M:%SZ", culprit)


def test_the_environment_is_a_cause_too(project: Project, bisect: Ask) -> None:
    """What pins the packages is named when it changed and the recipe did not."""
    project.git.commit("Pin", {"requirements.txt": "scikit-learn==1.5.0\n"})
    project.measured(0.9, "Same")
    project.release("v0.2.0")
    project.git.write("requirements.txt", "scikit-learn==1.6.0\n")
    culprit = project.measured(0.5, "Upgrade")
    project.release("v0.3.0")
    answer = bisect()
    assert answer["culprit"]["commit"] == culprit
    assert causes(answer) == {"environment": ["requirements.txt"]}


def test_a_change_that_was_recorded_later_is_still_the_culprit(project: Project, bisect: Ask) -> None:
    """The commit that changed the param, not the one that only recorded what came of it."""
    culprit = project.edit("Change", depth="2")
    recorded = project.measured(0.6, "Record it")
    project.release("v0.2.0")
    answer = bisect()
    assert answer["culprit"] == {"commit": culprit, "range": None}
    assert causes(answer) == {"params": ["params.yaml:train.depth"]}
    assert {row["commit"]: row["recorded_in"] for row in answer["commits"]} == {culprit: recorded, recorded: None}


def test_commits_without_metrics_make_it_a_range(project: Project, bisect: Ask, modelver: Modelver) -> None:
    """Several changes before the next record: which one it was is not known, and all are named."""
    first = project.edit("Change a param", depth="2")
    project.edit("Say more", extra="# More\n")
    second = project.edit("Change the code", code="x")
    project.measured(0.6, "Record both")
    project.release("v0.2.0")
    answer = bisect()
    assert answer["culprit"] == {"commit": None, "range": [first, second]}
    assert answer["unmeasured"] == [first]
    assert answer["suspects"] == [first, second]
    assert causes(answer) == {"code": ["src/train.py"], "params": ["params.yaml:train.depth"]}
    states = [(row["value"], row["state"]) for row in answer["commits"]]
    assert states == [(None, "unknown"), (None, "unknown"), (0.6, "bad"), (0.6, "bad")]
    shown = modelver("bisect", "churn", "--metric", "auc", cwd=project.git).out
    assert "(no recorded metrics)" in shown
    assert "--repro" in shown


def test_a_change_that_was_taken_back_is_no_suspect(project: Project, bisect: Ask) -> None:
    """The recipe of the good version is good again, also where nobody measured it a second time."""
    wild = project.edit("Try", depth="50")
    project.edit("Take it back", depth="6")
    culprit = project.measured(0.5, "Drop", code="x")
    project.release("v0.2.0")
    answer = bisect()
    assert answer["culprit"]["commit"] == culprit
    assert answer["unmeasured"] == [wild]


# Versions -------------------------------------------------------------------------------------------------------


def test_a_row_that_recovers(project: Project, bisect: Ask) -> None:
    """The answer is the step that lasted; the one that recovered is a note; a withdrawn version counts, marked."""
    values = {"v0.2.0": 0.5, "v0.3.0": 0.92, "v0.4.0": 0.88, "v0.5.0": 0.55, "v0.6.0": 0.6, "v0.7.0": 0.58}
    commits = {}
    for depth, (version, auc) in enumerate(values.items(), 10):
        commits[version] = project.measured(auc, depth=str(depth))
        project.release(version)
    project.git.tag("churn@v0.5.0!")
    answer = bisect()
    assert answer["step"] == {"from": "v0.4.0", "to": "v0.5.0"}
    assert (answer["good"], answer["bad"]) == (
        {"version": "v0.3.0", "value": 0.92},
        {"version": "v0.7.0", "value": 0.58},
    )
    assert answer["culprit"]["commit"] == commits["v0.5.0"]
    assert [(row["version"], row["state"]) for row in answer["versions"] if row["withdrawn"]] == [("v0.5.0", "bad")]
    assert any("v0.3.0" in note and "good" in note for note in answer["notes"])
    answer = bisect("--good", "v0.1.0", "--bad", "churn@v0.6.0")
    assert answer["step"] == {"from": "v0.4.0", "to": "v0.5.0"}
    assert any("v0.2.0" in note and "recovered" in note for note in answer["notes"])


def test_limits(project: Project, bisect: Ask) -> None:
    """A threshold, or how much worse than the good version is still good, instead of the middle."""
    steps = [project.measured(auc, depth=str(depth)) for depth, auc in enumerate((0.88, 0.8, 0.7, 0.6), 10)]
    project.release("v0.2.0")
    assert bisect()["culprit"]["commit"] == steps[2]
    assert bisect("--threshold", "0.85")["culprit"]["commit"] == steps[1]
    answer = bisect("--max-drop", "0.25")
    assert (answer["culprit"]["commit"], round(answer["limit"], 9)) == (steps[3], 0.65)


def test_less_may_be_better(project: Project, modelver: Modelver) -> None:
    """The configuration says so, or the two versions do."""
    git = project.git
    for value in (1.0, 1.1, 3.0):
        project.measured(0.9, depth=str(int(value * 10)))
        git.commit("Measure", {"metrics.json": json.dumps({"auc": 0.9, "strangeness": value})})
        project.release(f"v1.{int(value * 10)}.0")
    words = ("bisect", "churn", "--metric", "strangeness", "--json")
    error = modelver(*words, cwd=git, code=2).json["error"]
    assert "--good" in error["hint"]
    answer = modelver(*words, "--good", "v1.10.0", cwd=git).json
    assert (answer["better"], answer["step"]) == ("down", {"from": "v1.11.0", "to": "v1.30.0"})
    git.write(".modelver.yaml", "metrics: {strangeness: down}\n")
    assert modelver(*words, cwd=git).json["step"] == answer["step"]


def test_versions_without_the_metric_are_unknown(project: Project, bisect: Ask) -> None:
    """They stand in the step that nobody knows more about, and are named."""
    project.git.commit("Lose it", {"metrics.json": '{"loss": 1}'})
    project.release("v0.2.0")
    project.measured(0.5, depth="2")
    project.release("v0.3.0")
    answer = bisect()
    assert [(row["version"], row["state"]) for row in answer["versions"]] == [
        ("v0.1.0", "good"),
        ("v0.2.0", "unknown"),
        ("v0.3.0", "bad"),
    ]
    assert answer["step"] == {"from": "v0.1.0", "to": "v0.3.0"}
    assert any("v0.2.0" in note for note in answer["notes"])


def test_metrics_that_dvc_keeps_and_that_are_not_at_hand(project: Project, bisect: Ask, modelver: Modelver) -> None:
    """A version whose metrics are in a cache elsewhere is unknown, and the file is named."""
    git, repo = project.git, project.repo
    dvc_yaml = (git.path / "dvc.yaml").read_text().replace("- metrics.json:\n        cache: false", "- metrics.json")
    git("rm", "-q", "--cached", "metrics.json")
    git.commit("Let DVC keep it", {"dvc.yaml": dvc_yaml, ".gitignore": "__pycache__/\n/metrics.json\n"})
    digests = {}
    for number, auc in enumerate((0.9, 0.85, 0.4), 2):
        project.measured(auc, depth=str(number))
        data = (git.path / "metrics.json").read_bytes()
        digests[number] = hashlib.md5(data).hexdigest()
        target = repo.object_path(digests[number])
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        project.release(f"v0.{number}.0")
    assert bisect()["step"] == {"from": "v0.3.0", "to": "v0.4.0"}
    repo.object_path(digests[3]).unlink()
    shutil.rmtree(git.path / ".git" / "modelver")
    answer = bisect()
    assert answer["step"] == {"from": "v0.2.0", "to": "v0.4.0"}
    assert any("not at hand" in note for note in answer["notes"])


# Histories ------------------------------------------------------------------------------------------------------


def test_a_merge_brings_the_drop_from_a_side_branch(project: Project, bisect: Ask) -> None:
    """The side's commit, not the merge."""
    git = project.git
    git("checkout", "-q", "-b", "side")
    culprit = project.measured(0.5, "Drop", code="worse")
    project.edit("Say more", extra="# More\n")
    git("checkout", "-q", "main")
    git.commit("On main", {"other.txt": "x\n"})
    git.clock.tick()
    git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    git.commit("After", {"other.txt": "y\n"})
    project.release("v0.2.0")
    answer = bisect()
    assert answer["culprit"]["commit"] == culprit
    assert causes(answer) == {"code": ["src/train.py"]}


def test_the_merge_itself_may_be_the_culprit(project: Project, bisect: Ask) -> None:
    """Two good sides that do not go together."""
    git = project.git
    git("checkout", "-q", "-b", "side")
    project.measured(0.92, "Side", code="x")
    git("checkout", "-q", "main")
    git.commit("On main", {"other.txt": "x\n"})
    git("merge", "-q", "--no-ff", "--no-commit", "side")
    merge = project.measured(0.4, "Merge", depth="2")
    project.release("v0.2.0")
    assert len(git("rev-list", "--parents", "-1", merge).split()) == 3
    assert bisect()["culprit"]["commit"] == merge


def test_versions_on_two_branches(project: Project, bisect: Ask) -> None:
    """The good version is not in the history of the bad one: the search begins where they parted, and says so."""
    git = project.git
    git("checkout", "-q", "-b", "fix")
    project.measured(0.91, "Fix", depth="9")
    project.release("v0.1.1")
    git("checkout", "-q", "main")
    culprit = project.measured(0.5, "Drop", code="x")
    project.release("v0.2.0")
    answer = bisect()
    assert (answer["good"]["version"], answer["culprit"]["commit"]) == ("v0.1.1", culprit)
    assert any("not in the history" in note for note in answer["notes"])


def test_versions_that_parted_when_it_was_bad(project: Project, bisect: Ask, modelver: Modelver) -> None:
    """Nothing between them turned it: no commit is blamed, and an earlier good version finds it."""
    git = project.git
    culprit = project.measured(0.5, "Drop", code="x")
    git("checkout", "-q", "-b", "fix")
    project.measured(0.95, "Fix", depth="9")
    project.release("v0.1.1")
    git("checkout", "-q", "main")
    project.edit("Say more", extra="# More\n")
    project.release("v0.2.0")
    answer = bisect()
    assert (answer["culprit"], answer["suspects"]) == ({"commit": None, "range": None}, [])
    assert any("--good" in note for note in answer["notes"])
    assert "no commit tells where" in modelver("bisect", "churn", "--metric", "auc", cwd=git).out
    git("tag", "-d", "churn@v0.1.1")
    assert bisect()["culprit"]["commit"] == culprit


def test_a_metrics_file_that_was_renamed(project: Project, modelver: Modelver) -> None:
    """Each commit's `dvc.yaml` says where its metrics are."""
    git = project.git
    culprit = project.measured(0.5, "Drop", depth="2")
    for name in ("dvc.yaml", "dvc.lock"):
        git.write(name, (git.path / name).read_text().replace("metrics.json", "scores.json"))
    git("mv", "metrics.json", "scores.json")
    git.commit("Rename")
    project.release("v0.2.0")
    for file in ("metrics.json", "scores.json"):
        answer = modelver("bisect", "churn", "--metric", f"{file}:auc", "--json", cwd=git).json
        assert answer["culprit"]["commit"] == culprit


def test_broken_commits_are_unknown(project: Project, bisect: Ask) -> None:
    """A commit whose dvc.yaml nobody can read does not hide the others."""
    whole = (project.git.path / "dvc.yaml").read_text()
    broken = project.git.commit("Break", {"dvc.yaml": "stages: [\n<<<<<<<\n"})
    project.git.commit("Repair", {"dvc.yaml": whole})
    culprit = project.measured(0.5, depth="2")
    project.release("v0.2.0")
    answer = bisect()
    assert answer["culprit"]["commit"] == culprit
    assert answer["unmeasured"] == [broken]
    assert any("dvc.yaml" in note for note in answer["notes"])


def test_a_model_without_a_pipeline(plain_repo: Git, modelver: Modelver) -> None:
    """Metrics that somebody commits by hand: the commit is found, and it is said that nothing tells why."""
    git = plain_repo
    dvc_yaml = "metrics:\n- m.json\nartifacts:\n  net:\n    path: net.bin\n    type: model\n"
    for n, acc in enumerate((0.9, 0.9, 0.3), 1):
        culprit = git.commit("Train", {"dvc.yaml": dvc_yaml, "net.bin": f"{n}", "m.json": json.dumps({"acc": acc})})
        git.tag(f"net@v{n}.0.0")
    answer = modelver("bisect", "net", "--metric", "acc", "--json", cwd=git).json
    assert answer["culprit"]["commit"] == culprit
    assert any("no pipeline is recorded" in note for note in answer["notes"])


@pytest.mark.parametrize("seed", range(4))
def test_git_bisect_finds_the_same(project: Project, bisect: Ask, seed: int, tmp_path: Path) -> None:
    """On random histories with merges and one drop: `git bisect run`, asking each commit's own metrics file."""
    git, chance = project.git, random.Random(seed)
    tips, auc = ["main"], {"main": 0.9}
    drop_at = chance.randrange(4, 12)
    for at in range(14):
        tip = chance.choice(tips)
        git("checkout", "-q", tip)
        if at == drop_at:
            auc[tip] = 0.4
            project.measured(0.4, f"Drop {at}", code=f"{seed}")
        elif len(tips) < 3 and chance.random() < 0.3:
            name = f"side{at}"
            git("checkout", "-q", "-b", name)
            tips.append(name)
            auc[name] = auc[tip]
            git.commit(f"Begin {at}", {f"{name}.txt": f"{at}"})
        elif tip != "main" and chance.random() < 0.4:
            git("checkout", "-q", "main")
            git.clock.tick()
            git("merge", "-q", "--no-ff", "-m", f"Merge {at}", tip)
            auc["main"] = min(auc["main"], auc[tip])
            tips.remove(tip)
        else:
            git.commit(f"Other {at}", {f"{tip}.txt": f"{at}"})
    git("checkout", "-q", "main")
    for tip in tips[1:]:
        git.clock.tick()
        git("merge", "-q", "--no-ff", "-m", "Merge the rest", tip)
    project.release("v0.2.0")
    script = tmp_path / "is_good.py"
    script.write_text("import json, sys; sys.exit(json.load(open('metrics.json'))['auc'] < 0.65)")
    git("bisect", "start", "churn@v0.2.0", "churn@v0.1.0")
    git("bisect", "run", sys.executable, script)
    expected = git.rev("refs/bisect/bad")
    git("bisect", "reset")
    assert bisect()["culprit"]["commit"] == expected


# Refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("churn", "--metric", "auc", "--good", "v0.2.0", "--bad", "v0.3.0"), 2, "0.6 at v0.2.0 and 0.7 at v0.3.0"),
        (("churn", "--metric", "auc", "--good", "v0.3.0", "--bad", "v0.2.0"), 2, "is not before"),
        (("churn", "--metric", "auc", "--good", "v0.3.0"), 2, "is not before"),
        (("churn", "--metric", "auc", "--bad", "v0.1.0"), 7, "no version before v0.1.0"),
        (("churn", "--metric", "auc", "--good", "v9.0.0"), 7, "v9.0.0"),
        (("churn", "--metric", "auc", "--good", "1.x"), 2, "1.x"),
        (("churn", "--metric", "auc", "--good", "other@v1.0.0"), 2, "no version of churn"),
        (("churn", "--metric", "acu"), 7, "did you mean auc?"),
        (("chrun", "--metric", "auc"), 7, "churn"),
        (("churn@v0.1.0", "--metric", "auc"), 2, "several versions"),
        (("churn", "--metric", "auc", "--threshold", "0.5"), 2, "--threshold"),
        (("churn", "--metric", "auc", "--threshold", "nan"), 2, "finite"),
        (("churn", "--metric", "auc", "--max-drop", "-1"), 2, "below zero"),
        (("churn", "--metric", "auc", "--max-drop", "1", "--threshold", "1"), 2, "exclude"),
        (("churn",), 2, "metric"),
    ],
)
def test_what_cannot_be_asked(
    project: Project, modelver: Modelver, args: tuple[str, ...], code: int, said: str
) -> None:
    """The exit code, the two values or the name, and the next step."""
    for version, auc in (("v0.2.0", 0.6), ("v0.3.0", 0.7)):
        project.measured(auc, depth=str(int(auc * 10)))
        project.release(version)
    project.git.tag("other@v1.0.0")
    assert said in modelver("bisect", *args, cwd=project.git, code=code).err


def test_reading_changes_nothing(project: Project, bisect: Ask) -> None:
    """Without --repro nothing of the repository is touched, and the second answer is the first."""
    project.edit("Change", depth="2")
    project.measured(0.5, code="x")
    project.release("v0.2.0")
    before = snapshot(project.git)
    first = bisect()
    assert bisect() == first
    assert snapshot(project.git) == before


# Building -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def unbuilt_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """churn@v0.1.0 with auc 0.8; five changes without a record, the fourth of which drops it; v0.2.0 with 0.6."""
    repo = templates.dvc(tmp_path_factory.mktemp("unbuilt"))
    git = repo.git
    git.tag("churn@v0.1.0")
    params = (git.path / "params.yaml").read_text().replace("1e-05", "1e-06")
    train = "# One\n" + (git.path / "src/train.py").read_text()
    shallow = params.replace("depth: 6", "depth: 2")
    git.commit("Learn slower", {"params.yaml": params})
    git.commit("A word", {"src/train.py": train})
    git.commit("Broken", {"src/train.py": "raise SystemExit('broken')\n"})
    git.commit("Repair, and make it shallow", {"src/train.py": train, "params.yaml": shallow})
    git.commit("Another word", {"src/train.py": f"# Two\n{train}"})
    git.write("params.yaml", shallow.replace("1e-06", "1e-05"))
    repo.dvc(["repro", "-q"])
    git.commit("Measure")
    git.tag("churn@v0.2.0")
    return repo


@pytest.fixture
def unbuilt(unbuilt_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A copy, with work that nobody has committed."""
    shutil.copytree(unbuilt_template.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(tmp_path / "repo", unbuilt_template.git.home, Clock(unbuilt_template.git.clock.seconds))
    git("update-index", "-q", "--refresh")
    git.write("notes.txt", "mine\n")
    git.write("src/train.py", "half done\n")
    git.write("staged.txt", "staged\n")
    git("add", "staged.txt")
    hook = git.write(".git/hooks/post-checkout", f"#!/bin/sh\ntouch '{tmp_path}/hook-ran'\n")
    hook.chmod(0o755)
    return DvcRepo(git, tmp_path / "store")


def without_cache(state: Mapping[str, str]) -> dict[str, str]:
    """DVC's cache may grow."""
    return {name: value for name, value in state.items() if not name.startswith("file .dvc/cache/")}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go meanwhile."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def test_repro_builds_what_nobody_measured(unbuilt: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """The commit is found by building elsewhere; nothing of the user's changes, and nothing is left."""
    git = unbuilt.git
    commits = git("rev-list", "--reverse", "churn@v0.1.0..churn@v0.2.0").split("\n")
    culprit = git("commit-tree", "-p", commits[1], "-m", "Shallow", f"{commits[3]}^{{tree}}")
    last = git("commit-tree", "-p", culprit, "-m", "Measure", f"{commits[5]}^{{tree}}")
    git("tag", "-f", "-m", "again", "churn@v0.2.0", last)
    words = ("bisect", "churn", "--metric", "auc", "--json")
    plain = modelver(*words, cwd=git).json
    assert plain["culprit"] == {"commit": None, "range": [commits[0], last]}
    assert plain["unmeasured"] == [*commits[:2], culprit]
    before = snapshot(git)
    cached = {path for path in unbuilt.cache.rglob("*") if path.is_file()}
    answer = modelver(*words, "--repro", "--yes", cwd=git).json
    assert answer["culprit"] == {"commit": culprit, "range": None}
    assert causes(answer) == {"params": ["params.yaml:train.depth"]}
    rows = {row["commit"]: (row["value"], row["state"], row["built"]) for row in answer["commits"]}
    assert rows == {
        commits[0]: (None, "unknown", False),
        commits[1]: (0.8, "good", True),
        culprit: (0.6, "bad", True),
        last: (0.6, "bad", False),
    }
    assert without_cache(snapshot(git)) == without_cache(before)
    assert cached <= {path for path in unbuilt.cache.rglob("*") if path.is_file()}
    assert git("worktree", "list", "--porcelain").count("worktree ") == 1
    assert not (git.path / ".git" / "worktrees").exists()
    assert list(scratch.iterdir()) == []
    assert not list(scratch.parent.rglob("hook-ran"))


def test_a_build_that_fails_cannot_be_told(unbuilt: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """It is passed over and named, with DVC's words, and the rest is still narrowed; a lost worktree is left alone."""
    git = unbuilt.git
    commits = git("rev-list", "--reverse", "churn@v0.1.0..churn@v0.2.0").split("\n")
    git("worktree", "add", "-q", "--detach", scratch.parent / "lost")
    shutil.rmtree(scratch.parent / "lost")
    killed = scratch / ".modelver-bisect.x.modelver-tmp"
    git("worktree", "add", "-q", "--detach", killed / "0123")
    answer = modelver("bisect", "churn", "--metric", "auc", "--json", "--repro", "--yes", cwd=git).json
    assert answer["culprit"] == {"commit": None, "range": [commits[2], commits[3]]}
    assert causes(answer) == {"params": ["params.yaml:train.depth"]}
    assert [row["built"] for row in answer["commits"]] == [False, True, False, True, False, False]
    (note,) = (note for note in answer["notes"] if "cannot be told" in note)
    assert note.startswith(commits[2][:12])
    assert "train" in note
    places = [line for line in git("worktree", "list", "--porcelain").splitlines() if line.startswith("worktree ")]
    assert places == [f"worktree {git.path}", f"worktree {scratch.parent / 'lost'}"]
    assert list(scratch.iterdir()) == []


def test_breaking_off_leaves_nothing(unbuilt: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """After SIGTERM in the middle of a build neither its processes nor its worktree are there."""
    git = unbuilt.git
    sleeper = "import os, time\nopen(os.environ['MARK'], 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    commits = git("rev-list", "--reverse", "churn@v0.1.0..churn@v0.2.0").split("\n")
    index = {"GIT_INDEX_FILE": str(tmp_path / "index")}
    git("read-tree", commits[4], env=index)
    blob = git("hash-object", "-w", "--stdin", input=sleeper)
    git("update-index", "--cacheinfo", f"100644,{blob},src/train.py", env=index)
    slow = git("commit-tree", "-p", "churn@v0.1.0^{}", "-m", "Slow", git("write-tree", env=index))
    git("tag", "-f", "-m", "again", "churn@v0.2.0", git("commit-tree", "-p", slow, "-m", "x", f"{commits[5]}^{{tree}}"))
    before = snapshot(git)
    (tmp_path / "scratch").mkdir()
    env = {"MARK": str(tmp_path / "mark"), "TMPDIR": str(tmp_path / "scratch")}
    words = ("bisect", "churn", "--metric", "auc", "--repro", "--yes")
    process = modelver.start(*words, cwd=git, env=env)
    try:
        until(lambda: (tmp_path / "mark").exists() and (tmp_path / "mark").read_text() != "")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    until(lambda: not Path(f"/proc/{(tmp_path / 'mark').read_text()}").exists())
    assert without_cache(snapshot(git)) == without_cache(before)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (git.path / ".git" / "worktrees").exists()


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("args", "env", "code", "said"),
    [
        (("--repro",), {}, 3, "--yes"),
        (("--repro", "--yes"), {"DVC_STAGE": "train"}, 3, "inside the pipeline stage"),
    ],
)
def test_repro_is_refused(
    unbuilt: DvcRepo, modelver: Modelver, args: tuple[str, ...], env: dict[str, str], code: int, said: str
) -> None:
    """Where nobody can say yes, and inside a pipeline stage, nothing is run."""
    before = snapshot(unbuilt.git)
    result = modelver("bisect", "churn", "--metric", "auc", *args, cwd=unbuilt.git, env=env, code=code)
    assert said in result.err
    assert snapshot(unbuilt.git) == before
