"""`pipeline add`: stages that real DVC runs, caches and takes into its experiments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dvc_modelver.dvcio.pipelines import add_stage, is_plain_command, render_stage, wrap_stage
from dvc_modelver.errors import BadInput
from tests.cli import shapes
from tests.cli.shapes import faults
from tests.support import DvcRepo, Modelver, Templates

TABLE = "data/prepared.csv"
"""Has no header of its own, so that its first row is taken for one."""


def stages(repo: DvcRepo) -> dict[str, Any]:
    return parsed((repo.path / "dvc.yaml").read_text())


def parsed(text: str | bytes) -> dict[str, Any]:
    """The stages of a dvc.yaml, by a parser that nobody here wrote."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(text)["stages"]
    return found


def test_a_gate(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """It depends on the model's metrics, the policy and the reference; what is still to do is said."""
    dvc_repo.git.write("gate.yaml", "metrics: {auc: {max_drop: 0.05}}\n")
    said = modelver("pipeline", "add", "gate", "churn", "--policy", "gate.yaml", "--yes", cwd=dvc_repo.git).out
    assert stages(dvc_repo)["gate-churn"] == {
        "cmd": "modelver gate churn --policy gate.yaml --reference gate/churn.json --out gate/churn-result.json",
        "deps": ["metrics.json", "gate.yaml", "gate/churn.json"],
        "outs": [{"gate/churn-result.json": {"cache": False}}],
    }
    assert "  modelver gate churn --policy gate.yaml --update-reference --reference gate/churn.json\n" in said
    again = modelver("pipeline", "add", "gate", "churn", "--policy", "gate.yaml", "--json", cwd=dvc_repo.git).json
    assert (again["changed"], again["steps"]) == (False, [])


@pytest.mark.parametrize("kind", ["validate", "card-data"])
def test_a_table_whose_name_begins_with_a_dash(dvc_repo: DvcRepo, modelver: Modelver, kind: str) -> None:
    """What the stage runs takes the name for a table, and for no option."""
    dvc_repo.git.write("-new.csv", "a\n1\n")
    modelver("pipeline", "add", kind, "./-new.csv", "--yes", cwd=dvc_repo.git)
    (stage,) = (body for name, body in stages(dvc_repo).items() if name.startswith(kind))
    assert "-new.csv" in stage["deps"]
    if kind == "validate":
        modelver("validate", "./-new.csv", "--write-profile", stage["deps"][1], cwd=dvc_repo.git)
    modelver(*stage["cmd"].split()[1:], cwd=dvc_repo.git)


def test_a_gate_before_the_first_run(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Where nothing was measured yet it depends on what dvc.yaml says will be; a policy that is not there is said."""
    (dvc_repo.path / "metrics.json").unlink()
    (dvc_repo.path / "dvc.lock").unlink()
    dvc_repo.git.write(".modelver.yaml", "gate: {metrics: {auc: up}}\n")
    modelver("pipeline", "add", "gate", "churn", "--as", "judge", "--yes", cwd=dvc_repo.git)
    assert stages(dvc_repo)["judge"]["deps"] == ["metrics.json", ".modelver.yaml", "gate/churn.json"]
    modelver("pipeline", "add", "gate", "churn", "--policy", "none.yaml", "--yes", cwd=dvc_repo.git, code=2)


def test_only_lines_are_added(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Comments, order, quotes and everything else of dvc.yaml stay byte for byte; --dry-run writes nothing."""
    text = (dvc_repo.path / "dvc.yaml").read_text().replace("  train:\n", "  # the model\n  train:  # slow\n")
    dvc_repo.git.write("dvc.yaml", text)
    words = ("pipeline", "add", "card-data", TABLE)
    shown = modelver(*words, "--dry-run", cwd=dvc_repo.git).out
    assert (dvc_repo.path / "dvc.yaml").read_text() == text
    modelver(*words, "--yes", cwd=dvc_repo.git)
    after = (dvc_repo.path / "dvc.yaml").read_text()
    added = [line for line in after.splitlines() if line not in text.splitlines()]
    assert all(line in shown for line in added)
    start = after.index("  card-data-prepared:\n")
    end = after.index("artifacts:")
    assert after[:start] + after[end:] == text


def test_json_and_the_plan(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The plan and the answer are those of a writing command, with the text and what is still to do."""
    words = ("pipeline", "add", "validate", TABLE, "--json")
    plan = modelver(*words, "--dry-run", cwd=dvc_repo.git).json
    done = modelver(*words, "--yes", cwd=dvc_repo.git).json
    assert faults(plan, shapes.PIPELINE) == faults(done, shapes.PIPELINE) == []
    assert (plan["dry_run"], done["dry_run"]) == (True, False)
    assert {**plan, "dry_run": False} == done
    assert done["next"][0] == f"modelver validate {TABLE} --write-profile validate/prepared.profile.json"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("gate", "chrun", "--yes"), 7, "chrun"),
        (("gate", "--yes"), 2, "needs the name of a model"),
        (("nothing", "churn"), 2, "there is no kind nothing"),
        (("validate", "data/x.txt", "--yes"), 2, "no table by its name"),
        (("validate", "data/x.csv"), 2, "there is no terminal to ask on"),
        (("validate", "data/x.csv", "--as", "a b", "--yes"), 2, "no name for a pipeline stage"),
        (("validate", "data/x.csv", "--as", "train", "--yes"), 4, "another pipeline stage train"),
        (("card-data", "data/x.csv", "--out", "metrics.json", "--yes"), 4, "evaluate writes metrics.json already"),
        (("card-data", "data/${x}.csv", "--yes"), 2, "template"),
        (("card-data", "data/x.csv", "--train", "y.csv"), 2, "--train means nothing for card-data"),
        (("environment", "trian", "--yes"), 7, "no pipeline stage trian"),
    ],
)
def test_errors(dvc_repo: DvcRepo, modelver: Modelver, words: tuple[str, ...], code: int, said: str) -> None:
    """Each is said with its exit code, and nothing is written."""
    before = (dvc_repo.path / "dvc.yaml").read_bytes()
    assert said in modelver("pipeline", "add", *words, cwd=dvc_repo.git, code=code).err
    assert (dvc_repo.path / "dvc.yaml").read_bytes() == before


def test_where_it_does_not_work(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Refused inside a stage (3) and through a link (3); without a dvc.yaml one is made."""
    words = ("pipeline", "add", "card-data", "x.csv", "--yes")
    modelver(*words, cwd=dvc_repo.git, code=3, env={"DVC_STAGE": "train"})
    (dvc_repo.path / "dvc.yaml").rename(dvc_repo.path / "other.yaml")
    (dvc_repo.path / "dvc.yaml").symlink_to("other.yaml")
    modelver(*words, cwd=dvc_repo.git, code=3)
    (dvc_repo.path / "dvc.yaml").unlink()
    assert "(a new file)" in modelver(*words[:-1], "--dry-run", cwd=dvc_repo.git).out
    modelver(*words, cwd=dvc_repo.git)
    assert list(stages(dvc_repo)) == ["card-data-x"]


def test_without_dvc(plain_repo: Any, modelver: Modelver) -> None:
    """Outside a DVC repository there is nothing that runs stages."""
    modelver("pipeline", "add", "card-data", "x.csv", "--yes", cwd=plain_repo, code=6)


def test_the_environment_is_recorded_by_the_training_itself(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Its command goes on behind `modelver run --`, with one more output; the same again changes nothing."""
    text = (dvc_repo.path / "dvc.yaml").read_text()
    modelver("pipeline", "add", "environment", "train", "--yes", cwd=dvc_repo.git)
    after = (dvc_repo.path / "dvc.yaml").read_text()
    expected = text.replace("cmd: python src/train.py", "cmd: modelver run -- python src/train.py")
    assert after == expected.replace(
        "    - models/churn.bin\n  evaluate", "    - models/churn.bin\n    - environment.json\n  evaluate"
    )
    assert "Nothing to do" in modelver("pipeline", "add", "environment", "train", cwd=dvc_repo.git).out


@pytest.mark.parametrize("cmd", ["a | b", "a && b", "X=1 a", "a > b", "'a b'", "", ["a", "b"], "a $(b)", "a\nb"])
def test_commands_that_cannot_be_wrapped(cmd: object) -> None:
    """More than one program with its words would mean something else behind `modelver run --`."""
    assert not is_plain_command(cmd)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cmd: x\n    outs: [m]\n", "cmd: RUNx\n    outs: [m, OUT]\n"),
        ("cmd: x\n    outs: [ m.pkl , a b ]  # two\n", "cmd: RUNx\n    outs: [ m.pkl , a b, OUT ]  # two\n"),
        ("outs: [m,]\n    cmd: x y  # slow\n", "outs: [m, OUT,]\n    cmd: RUNx y  # slow\n"),
        ("cmd: x\n    outs: []\n", "cmd: RUNx\n    outs: [OUT]\n"),
        ("cmd: x\n    outs: [ ]\n    deps: [d]\n", "cmd: RUNx\n    outs: [OUT ]\n    deps: [d]\n"),
        (
            "cmd: x\n    outs: [\n      m,  # the model\n      é  # last\n    ]\n    deps: [d]\n",
            "cmd: RUNx\n    outs: [\n      m,  # the model\n      é, OUT  # last\n    ]\n    deps: [d]\n",
        ),
        ("cmd: x\n    outs: [{m: {cache: true}}]\n", "cmd: RUNx\n    outs: [{m: {cache: true}}, OUT]\n"),
        ('cmd: "x"\n    outs: ["m", \'n\']\n', 'cmd: "RUNx"\n    outs: ["m", \'n\', OUT]\n'),
        ("cmd: 'x y'\n    outs: ['m', \"n\"]\n", "cmd: 'RUNx y'\n    outs: ['m', \"n\", \"OUT\"]\n"),
        ("{cmd: x, outs: [m]}\n", "{cmd: RUNx, outs: [m, OUT]}\n"),
        ("{outs: [m], cmd: x}\n", "{outs: [m, OUT], cmd: RUNx}\n"),
        ("{cmd: x, deps: [d]}\n", "{cmd: RUNx, deps: [d], outs: [OUT]}\n"),
        ('{"cmd": "x", "deps": ["d"]}\n', '{"cmd": "RUNx", "deps": ["d"], "outs": ["OUT"]}\n'),
        ("cmd: x\n    outs:\n    deps: [d]\n", "cmd: RUNx\n    outs:\n    - OUT\n    deps: [d]\n"),
        ("cmd: >-\n      x\n      y\n    outs: [m]\n", "cmd: >-\n      RUNx\n      y\n    outs: [m, OUT]\n"),
        ("cmd: >\n      x\n    outs:\n    - m\n", "cmd: >\n      RUNx\n    outs:\n    - m\n    - OUT\n"),
        ("cmd: x\n    outs: [m]", "cmd: RUNx\n    outs: [m, OUT]"),
        ("cmd: x", "cmd: RUNx\n    outs:\n    - OUT\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_layouts_that_a_recording_fits_into(before: str, after: str, end: str) -> None:
    """Flow style, on one line or several, quotes and folded text: two places change, every other byte stays."""
    head = "# ours\nstages:\n  o: {cmd: a, outs: [b]}\n  t:\n    "
    after = after.replace("RUN", "modelver run -- ").replace("OUT", "environment.json")
    old, new = ((head + text).replace("\n", end).encode() for text in (before, after))
    changed = wrap_stage(old, "t", "modelver run -- ", "environment.json", name="dvc.yaml")
    assert changed == new


def test_an_output_outside_of_the_cache_in_flow_style() -> None:
    """As its neighbours are written; a whole file of JSON stays JSON."""
    out = {"environment.json": {"cache": False}}
    changed = wrap_stage(b"stages: {t: {cmd: x, outs: [m]}}", "t", "modelver run -- ", out, name="dvc.yaml")
    assert changed == b"stages: {t: {cmd: modelver run -- x, outs: [m, {environment.json: {cache: false}}]}}"
    text = json.dumps({"stages": {"t": {"cmd": "x", "outs": [{"m": {"cache": False}}]}}}, indent=1).encode()
    found = json.loads(wrap_stage(text, "t", "modelver run -- ", out, name="dvc.yaml"))
    assert found == {"stages": {"t": {"cmd": "modelver run -- x", "outs": [{"m": {"cache": False}}, out]}}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("stages:\n  o:\n    cmd: &c python t.py\n  t:\n    cmd: *c\n    outs:\n    - m\n", "shares text"),
        ("stages:\n  o:\n    cmd: a\n    outs: &o [m]\n  t:\n    cmd: b\n    outs: *o\n", "shares text"),
        ("stages:\n  t: &x\n    cmd: a\n    outs: [m]\n  o: *x\n", "shares text"),
        ("x: &x {cmd: a}\nstages:\n  t:\n    <<: *x\n    outs: [m]\n", "comes from elsewhere"),
        ("x: &x {t: {cmd: a}}\nstages:\n  <<: *x\n", "comes from elsewhere"),
        ("x: &x {stages: {t: {cmd: a}}}\n<<: *x\n", "comes from elsewhere"),
        ("stages:\n  t:\n    cmd: a\n    outs: ${files}\n", "no list of outs"),
        ('stages:\n  t:\n    cmd: "\\x61"\n    outs: ~\n', "mean something else"),
    ],
)
def test_a_layout_that_cannot_be_changed(text: str, why: str) -> None:
    """Said with the reason, never guessed: the file is not changed into one that means something else."""
    with pytest.raises(BadInput, match=why):
        wrap_stage(text.encode(), "t", "modelver run -- ", "environment.json", name="dvc.yaml")


def test_a_recording_that_dvc_would_refuse(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Of a group each stage would write the same file, and so would a second one: said, and nothing is written."""
    text = "stages:\n  g:\n    matrix: {a: [1, 2]}\n    cmd: x ${item.a}\n    outs: ['m-${item.a}']\n  t: {cmd: x}\n"
    dvc_repo.git.write("dvc.yaml", f"{text}  u: {{cmd: y}}\n")
    failed = modelver("pipeline", "add", "environment", "g", "--yes", cwd=dvc_repo.git, code=2)
    assert "g is a group of pipeline stages, of which each would write environment.json" in failed.err
    modelver("pipeline", "add", "environment", "t", "--yes", cwd=dvc_repo.git)
    failed = modelver("pipeline", "add", "environment", "u", "--yes", cwd=dvc_repo.git, code=4)
    assert "the pipeline stage t writes environment.json already" in failed.err
    modelver("pipeline", "add", "environment", "u", "--out", "u.environment.json", "--yes", cwd=dvc_repo.git)
    assert stages(dvc_repo)["u"]["cmd"] == "modelver run --environment u.environment.json -- y"
    dvc_repo.dvc(["stage", "list"])


@pytest.mark.parametrize(
    "text", ["", "# only words\n", "artifacts: {}\n", "stages:\n", "stages:\r\n  a:\r\n    cmd: b\r\n"]
)
def test_files_to_begin_with(text: str) -> None:
    """A stage goes into an empty file, one without stages, and one with Windows' line ends."""
    body = {"cmd": "x --y 'a b'", "deps": ["a b: c.csv"], "outs": [{"o": {"cache": False}}]}
    after = add_stage(text.encode(), "s", body, name="dvc.yaml")
    assert parsed(after)["s"] == body
    assert after.startswith(text.encode().rstrip(b"\n"))
    assert after.count(b"\r\n") in (0, after.count(b"\n"))
    assert parsed("stages:\n" + render_stage("s", body))["s"] == body


# Real DVC ---------------------------------------------------------------------------------------------------------


def all_kinds(repo: DvcRepo, modelver: Modelver) -> None:
    """A pipeline with every kind of stage, not run yet."""
    repo.git.tag("churn@v0.1.0")
    repo.git.write("gate.yaml", "metrics: {auc: {max_drop: 0.05}}\n")
    repo.git.write("rules.yaml", "ranges: note\nduplicate rows: note\nleaked rows: 0.5\n")
    for words in (
        "gate churn --policy gate.yaml",
        f"validate {TABLE} --policy rules.yaml",
        f"card-data {TABLE}",
        "environment train",
    ):
        for line in modelver("pipeline", "add", *words.split(), "--yes", "--json", cwd=repo.git).json["next"]:
            if line.startswith("modelver "):
                modelver(*line.split()[1:], cwd=repo.git)
    repo.git.write(".gitignore", "/runtime.json\n")


def test_dvc_runs_and_caches_them(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """`dvc repro` runs every kind once; a second one, after a commit and a tag, runs nothing."""
    all_kinds(dvc_repo, modelver)
    dvc_repo.dvc(["repro", "-q"])
    assert json.loads((dvc_repo.path / "gate/churn-result.json").read_text())["ok"] is True
    assert json.loads((dvc_repo.path / "validate/prepared.json").read_text())["ok"] is True
    assert json.loads((dvc_repo.path / f"{TABLE}.profile.json").read_text())["rows"] == 29
    assert json.loads((dvc_repo.path / "environment.json").read_text())["python"]
    dvc_repo.git.commit("Check it")
    dvc_repo.git.tag("churn@v0.2.0")
    again = dvc_repo.dvc(["repro"])
    assert "Running stage" not in again
    assert again.count("didn't change, skipping") == 7
    assert dvc_repo.git("status", "--porcelain") == ""


def test_release_and_rollback_refuse_inside_a_stage(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """In a real `dvc repro` both end with 3, and no tag, commit or byte changes."""
    modelver("release", "churn", cwd=dvc_repo.git)
    cmd = "sh -c 'modelver release churn --allow-unchanged; echo r=$? > r; modelver rollback churn; echo b=$? >> r'"
    before = dvc_repo.git("for-each-ref"), dvc_repo.git.rev("HEAD")
    text = add_stage((dvc_repo.path / "dvc.yaml").read_bytes(), "bad", {"cmd": cmd, "outs": ["r"]}, name="dvc.yaml")
    (dvc_repo.path / "dvc.yaml").write_bytes(text)
    dvc_repo.dvc(["repro", "-q", "bad"])
    assert (dvc_repo.path / "r").read_text() == "r=3\nb=3\n"
    assert (dvc_repo.git("for-each-ref"), dvc_repo.git.rev("HEAD")) == before


@pytest.mark.long
def test_they_run_in_experiments(templates: Templates, tmp_path: Path, modelver: Modelver) -> None:
    """`dvc exp run` in the work tree, in a directory of its own and from the queue gives the same files."""
    repo = templates.dvc(tmp_path)
    all_kinds(repo, modelver)
    repo.dvc(["repro", "-q"])
    repo.git.commit("Check it")
    head = repo.git.rev("HEAD")
    found = []
    runs: tuple[tuple[str, tuple[str, ...]], ...] = (("here", ()), ("there", ("--temp",)), ("later", ("--queue",)))
    for name, options in runs:
        repo.dvc(["exp", "run", "-q", "-n", name, "-S", "train.depth=7", *options])
        if name == "later":
            repo.dvc(["queue", "start", "-q"])
            wait_for(repo, name, head)
        ref = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
        found.append(
            [repo.git("show", f"{ref}:{path}") for path in ("gate/churn-result.json", "validate/prepared.json")]
        )
        repo.git("reset", "-q", "--hard")
    assert found[0] == found[1] == found[2]
    assert json.loads(found[0][0])["rules"][0]["value"] == 0.85


def wait_for(repo: DvcRepo, name: str, head: str) -> None:
    """Until the queue's worker has written the experiment."""
    import time

    for _ in range(240):
        if name in repo.git("for-each-ref", "--format=%(refname)", f"refs/exps/{head[:2]}/{head[2:]}"):
            return
        time.sleep(0.5)
    raise AssertionError(repo.dvc(["queue", "status"]))
