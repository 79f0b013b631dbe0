"""The Python API gives the facts of the command line, as frozen dataclasses and as pandas frames."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

import dvc_modelver as mv
from dvc_modelver.api.frames import FramedReproduction, framed
from dvc_modelver.commands.reproduction.run import Rebuilt
from dvc_modelver.core.reproduction import Difference, Verdict, compare_metrics, compare_stage
from dvc_modelver.errors import BadInput, EnvironmentProblem, NotFound, Refused
from tests.cli import shapes
from tests.cli.shapes import faults
from tests.support import DvcRepo, Modelver


@pytest.fixture
def repo(dvc_repo: DvcRepo) -> mv.Repository:
    """A repository with churn@v0.1.0, which holds `prod`, and churn@v0.2.0."""
    found = mv.open(dvc_repo.path, env=dvc_repo.git.env)
    found.release("churn", message="the first", stage="prod")
    dvc_repo.fake_train(7)
    found.release("churn", bump="minor")
    return found


def test_reading_gives_what_the_command_gives(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Models, versions and one version's metrics are those of the JSON answers."""
    (row,) = repo.list()
    listed = modelver("list", "--json", cwd=dvc_repo.git).json["models"][0]
    assert (row.name, str(row.latest), row.versions) == (listed["name"], listed["latest"], listed["versions"])
    assert str(row.stages["prod"].version) == listed["stages"]["prod"]["version"] == "v0.1.0"
    assert [str(version.version) for version in repo.show("churn")] == ["v0.2.0", "v0.1.0"]
    shown = modelver("show", "churn#prod", "--json", cwd=dvc_repo.git).json
    assert repo.version("churn#prod").metrics == shown["metrics"]
    assert [event.event.value for event in repo.history("churn")][-1] in ("release", "promote")
    assert repo.doctor().problems == ()


def test_results_are_frozen(repo: mv.Repository) -> None:
    """Nothing that is handed out can be changed."""
    (row,) = repo.list()
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.name = "other"  # type: ignore[misc]


def test_frames_have_a_row_for_each_result(repo: mv.Repository) -> None:
    """Versions are text, times are UTC timestamps, nested fields have dotted names."""
    frame = repo.show("churn").to_frame()
    assert list(frame["version"]) == ["v0.2.0", "v0.1.0"]
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert frame["artifact.digest"].str.startswith("md5:").all()
    assert list(repo.list().to_frame()["stages.prod.version"]) == ["v0.1.0"]
    assert len(repo.history().to_frame()) == len(repo.history())


def test_the_state_at_a_moment(repo: mv.Repository) -> None:
    """A naive moment is UTC; before the first event there is nothing."""
    (now,) = repo.at(datetime.now(timezone.utc))
    assert str(now.stages["prod"].version) == "v0.1.0"
    (before,) = repo.at(datetime(2001, 1, 1))
    assert (before.latest, before.stages) == (None, {})


# Comparing and tracing ------------------------------------------------------------------------------------------


def test_a_comparison_is_that_of_the_command(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The frame has a row for each row of the JSON answer, in its order, with its values and deltas."""
    dvc_repo.git.write("metrics.json", '{"auc": 0.5, "only": "here"}')
    references = ("churn#prod", "churn", ".")
    answer = modelver("compare", *references, "--json", cwd=dvc_repo.git).json
    assert faults(answer, shapes.COMPARE) == []
    found = repo.compare(*references)
    frame = found.to_frame()
    assert list(frame.columns[5:]) == [*references, "delta churn", "delta ."]
    expected = [
        *(("metrics", row["file"], row["key"], *row["values"], *row["deltas"][1:]) for row in answer["metrics"]),
        *(("params", row["file"], row["key"], *row["values"], None, None) for row in answer["params"]),
        *(("data", row["path"], "", *(v and v["digest"] for v in row["values"]), None, None) for row in answer["data"]),
        *(("code", row["path"], "", *row["values"], None, None) for row in answer["code"]),
        *(("pipeline", "", row["stage"]) for row in answer["pipeline"]),
        *(("environment", "", row["key"], *row["values"], None, None) for row in answer["environment"]),
        *(("artifact", "", row["key"], *row["values"], None, None) for row in answer["artifact"]),
    ]
    rows = [tuple(_plain(cell) for cell in row) for row in frame.drop(columns=["changed", "better"]).values]
    assert [row[:3] if row[0] == "pipeline" else row for row in rows] == expected
    assert {row[0] for row in expected} >= {"metrics", "params", "data", "code", "pipeline", "artifact"}
    changed = found.only_changed().to_frame()
    assert changed.equals(frame[frame["changed"]].reset_index(drop=True))
    assert 0 < len(changed) < len(frame)
    assert list(frame[frame["key"] == "auc"]["better"]) == ["up"]


def _plain(cell: object) -> object:
    """A cell as JSON has it: pandas has NaN where there is nothing."""
    return None if isinstance(cell, float) and cell != cell else cell


def test_a_comparison_of_a_point_with_itself(repo: mv.Repository) -> None:
    """Two columns of one name; nothing changed, and no row is left."""
    found = repo.compare("churn", "churn")
    assert list(found.to_frame().columns[5:]) == ["churn", "churn", "delta churn"]
    assert found.only_changed().to_frame().empty


def test_a_lineage_is_that_of_the_command(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A row for each node and for each edge of the JSON answer."""
    answer = modelver("lineage", "churn#prod", "--json", cwd=dvc_repo.git).json
    assert faults(answer, shapes.LINEAGE) == []
    found = repo.lineage("churn#prod")
    nodes, edges = found.to_frame(), found.edges_frame()
    assert edges.to_dict("records") == answer["edges"]
    assert len(nodes) == len(answer["nodes"]) > 5
    for row, node in zip(nodes.to_dict("records"), answer["nodes"], strict=True):
        origin = node["origin"]
        for key in ("id", "kind", "label", "path", "digest", "size", "details"):
            assert _plain(row[key]) == node[key]
        assert list(row["returned"]) == node["returned"]
        assert (_plain(row["origin.commit"]), _plain(row["origin.path"])) == (origin["commit"], origin["path"])
        assert f"{row['origin.at']:%Y-%m-%dT%H:%M:%SZ}" == origin["at"]
    assert {*edges["from"], *edges["to"]} <= {*nodes["id"]}


def test_an_impact_is_that_of_the_command(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A row for each version that was made from a file or param, and empty frames that keep their columns."""
    for query in ("data/raw.csv", "params.yaml:train.depth=7"):
        answer = modelver("impact", query, "--json", cwd=dvc_repo.git).json
        assert faults(answer, shapes.IMPACT) == []
        found = repo.impact(query)
        rows = [
            (row["name"], row["version"], list(row["stages"]), row["withdrawn"], list(row["path"]), row["values"])
            for row in found.to_frame().to_dict("records")
        ]
        expected = [
            (row["name"], row["version"], row["stages"], row["withdrawn"], row["path"], row.get("values", {}))
            for row in answer["versions"]
        ]
        assert rows == expected != []
        assert (found.complete, answer["complete"]) == (True, True)
        assert list(found.unknown_frame().columns) == ["name", "version", "path", "digest", "reason"]
        assert (len(found.unknown_frame()), len(found.measured_frame())) == (0, 0)
    (row,) = repo.impact("params.yaml:train.depth=7").to_frame().to_dict("records")
    assert (row["version"], row["values"]) == ("v0.2.0", {"params.yaml:train.depth": 7})
    before = repo.impact("data/raw.csv", at=datetime(2001, 1, 1), offline=True).to_frame()
    assert [*map(tuple, before["stages"])] == [(), ()]
    with pytest.raises(NotFound):
        repo.impact("no/such/file.csv")


def test_a_metric_is_that_of_the_command(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A row for each version, the lowest first; the command has the newest first."""
    answer = modelver("show", "churn", "--metric", "auc", "--json", cwd=dvc_repo.git).json
    assert faults(answer, shapes.METRIC) == []
    found = repo.metric("churn", "auc")
    assert (found.name, found.file, found.key, found.better) == ("churn", "metrics.json", "auc", "up")
    frame = found.to_frame()
    rows = [
        {**row, "created_at": f"{row['created_at']:%Y-%m-%dT%H:%M:%SZ}", "delta": _plain(row["delta"])}
        for row in frame.to_dict("records")
    ]
    assert rows == answer["versions"][::-1]
    assert list(frame["value"]) == [0.8, 0.85]
    assert str(frame["created_at"].dt.tz) == "UTC"
    with pytest.raises(NotFound):
        repo.metric("churn", "acu")
    with pytest.raises(BadInput):
        repo.metric("churn@v0.1.0", "auc")


def test_writing_returns_what_was_done(repo: mv.Repository, dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """Promote, fetch, withdraw and retire; a dry run changes nothing."""
    assert repo.promote("churn@v0.2.0", "prod", dry_run=True).changed
    assert str(repo.list()[0].stages["prod"].version) == "v0.1.0"
    assert repo.promote("churn@v0.2.0", "prod").models[0].tag == "churn#prod#2"
    got = repo.get("churn#prod", tmp_path / "model.pkl")
    assert got.path.read_bytes() == dvc_repo.model.read_bytes()
    assert repo.withdraw("churn@v0.2.0", message="bad data").changed
    assert repo.list()[0].stages == {}
    assert repo.retire("churn").changed
    with pytest.raises(Refused):
        repo.promote("churn@v0.1.0", "prod")


def test_cards(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The card of a version and of the work tree, what is wrong with it, and its update, as on the command line."""
    assert repo.card("churn@v0.1.0").text != repo.card("churn").text == repo.card().text
    assert repo.card("churn@v0.1.0").text == modelver("card", "show", "churn@v0.1.0", cwd=dvc_repo.git).out
    (report,) = repo.check_cards()
    assert (report.ok, report.version) == (True, "v0.2.0")
    dvc_repo.path.joinpath("params.yaml").write_text("prepare: {keep: 30}\ntrain: {lr: 0.5, depth: 7}\n")
    (report,) = repo.check_cards("churn")
    assert [found.block for found in report.problems] == ["changes", "params"]
    assert repo.update_cards("churn", dry_run=True).changed
    assert repo.update_cards().changed
    assert repo.check_cards()[0].ok
    assert repo.version("churn@v0.2.0").card == "model_cards/churn.md"


def test_a_release_can_be_prepared_or_have_no_card(repo: mv.Repository, dvc_repo: DvcRepo) -> None:
    """What `--prepare` and `--no-card` do."""
    commit = dvc_repo.fake_train(8)
    assert repo.release("churn", prepare=True).action == "prepare"
    assert "version=v0.3.0" in repo.card("churn").text
    assert dvc_repo.git.rev("HEAD") == commit
    dvc_repo.git("checkout", "--", "model_cards")
    assert repo.release("churn", card=False).models[0].commit == commit


def test_errors_say_what_to_do(repo: mv.Repository, dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """Errors carry a message, a hint and the exit code."""
    with pytest.raises(NotFound) as unknown:
        repo.show("chrun")
    assert (unknown.value.code, unknown.value.hint) == (7, "did you mean churn?")
    with pytest.raises(BadInput):
        repo.release("churn", bump="huge")
    with pytest.raises(EnvironmentProblem):
        mv.open(tmp_path, env=dvc_repo.git.env | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_gitpython_sees_the_same_repository(repo: mv.Repository, dvc_repo: DvcRepo) -> None:
    """`repo.git` is GitPython's view, for configuration and remotes."""
    assert repo.git.head.commit.hexsha == dvc_repo.git.rev()
    assert repr(repo) == f"Repository({str(dvc_repo.path)!r})"


def test_importing_the_package_costs_nothing() -> None:
    """The bare import brings neither pandas nor git nor our own commands."""
    script = "import sys, dvc_modelver; print([m for m in ('pandas', 'git', 'dvc_modelver.api') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"


def test_rollback_verify_and_bisect(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Going back, what holds afterwards, and where a metric moved are those of the command line."""
    head = dvc_repo.git("rev-parse", "HEAD")
    plan = repo.rollback("churn", dry_run=True)
    assert (plan.changed, str(plan.models[0].version)) == (True, "v0.1.0")
    assert dvc_repo.git("rev-parse", "HEAD") == head
    done = repo.rollback("churn", "v0.1.0", reason="worse")
    assert done.models[0].commit == dvc_repo.git("rev-parse", "HEAD") != head
    repo.undo_rollback()
    assert dvc_repo.git("rev-parse", "HEAD^{tree}") == dvc_repo.git("rev-parse", f"{head}^{{tree}}")
    repo.promote("churn@v0.2.0", "prod")
    back = repo.rollback("churn", stage="prod", offline=True)
    assert (back.models[0].stage, str(back.models[0].version)) == ("prod", "v0.1.0")
    with pytest.raises(BadInput, match="is no form of a rollback"):
        repo.rollback("churn", form="sideways")

    checked = repo.verify(every=True)
    assert [str(row.version) for row in checked] == ["v0.2.0", "v0.1.0"]
    said = modelver("verify", "--all", "--json", cwd=dvc_repo.git).json
    assert [[check.ok for check in row.checks] for row in checked] == [
        [check["ok"] for check in row["checks"]] for row in said["versions"]
    ]
    assert all(row.ok for row in checked)
    assert list(checked.to_frame()["name"]) == ["churn", "churn"]

    with pytest.raises(BadInput, match="not better"):
        repo.bisect("churn", "auc", good="v0.1.0", bad="v0.2.0")


# Rebuilding, recovering, publishing -----------------------------------------------------------------------------


def test_a_rebuild_is_that_of_the_command(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """It runs nothing without a yes; then by real dvc, and a version that comes out the same has no differences."""
    repo = mv.open(dvc_repo.path, env=dvc_repo.git.env)
    dvc_repo.git.tag("churn@v0.1.0")
    planned = repo.reproduce("churn", dry_run=True)
    said = modelver("reproduce", "churn", "--dry-run", "--json", cwd=dvc_repo.git).json
    assert [stage.step.name for stage in planned.plan.stages] == [step["stage"] for step in said["steps"]]
    assert (planned.verdict, planned.to_frame().empty) == (None, True)
    with pytest.raises(Refused, match="own commands"):
        repo.reproduce("churn")
    with pytest.raises(BadInput, match="tolerance"):
        repo.reproduce("churn", tolerance=-1.0, yes=True)
    found = repo.reproduce("churn", yes=True)
    assert (found.verdict, found.noted) == (Verdict.IDENTICAL, True)
    assert found.to_frame()["section"].isin(["environment"]).all()
    assert list(found.stages_frame()["state"]) == ["identical"] * len(said["steps"])
    assert [note.kind for note in repo.version("churn").notes.notes] == ["reproduction"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.noted = False  # type: ignore[misc]


def test_a_rebuilds_frame_has_the_differences(dvc_repo: DvcRepo) -> None:
    """A row for each output, metric and fact of the environment that differs, and none for what is the same."""
    dvc_repo.git.tag("churn@v0.1.0")
    planned = mv.open(dvc_repo.path, env=dvc_repo.git.env).reproduce("churn", dry_run=True)
    fact = Difference(key="packages.numpy", recorded="1.0", present="2.0")
    rebuilt = Rebuilt(
        stages=(compare_stage("train", {"m": "md5:1", "n": "md5:1"}, {"m": "md5:2", "n": "md5:1"}),),
        metrics=compare_metrics(
            {"f": {"auc": 0.5, "n": 1, "rmse": 2.0}}, {"f": {"auc": 0.6, "n": 1, "rmse": 2.001}}, 0.01
        ),
    )
    plan = dataclasses.replace(planned.plan, environment=(fact,))
    found = framed(FramedReproduction, dataclasses.replace(planned, plan=plan, rebuilt=rebuilt))
    rows = [tuple(_plain(cell) for cell in row) for row in found.to_frame().values]
    assert rows == [
        ("outputs", "train", None, "m", "md5:1", "md5:2", "different"),
        ("metrics", None, "f", "auc", 0.5, 0.6, "different"),
        ("metrics", None, "f", "rmse", 2.0, 2.001, "within"),
        ("environment", None, None, "packages.numpy", "1.0", "2.0", "different"),
    ]
    assert [tuple(row) for row in found.stages_frame().values] == [("train", "different", 1)]
    assert list(planned.to_frame().columns) == list(found.to_frame().columns)


def test_garbage_and_recovery_are_those_of_the_command(
    repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver
) -> None:
    """What a `dvc gc` would take, and what a killed command left."""
    said = modelver("verify", "--gc", "--json", cwd=dvc_repo.git).json
    found = repo.gc()
    assert (found.ok, found.keep) == (said["ok"], "all")
    chosen = [root.chosen.line.command(root.root) for root in found.roots if root.chosen is not None]
    assert chosen == said["commands"]
    assert repo.gc("staged").keep == "staged"
    assert repo.doctor(recover=True, dry_run=True).recovery.left is None
    with pytest.raises(BadInput):
        repo.doctor(dry_run=True)


def test_verdicts_are_those_of_the_commands(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Gate, validation and guard: the same verdict and the same rows, from objects and from JSON."""
    top = dvc_repo.path
    gated, said = (
        repo.gate("churn", against="prod"),
        modelver("gate", "churn", "--against", "prod", "--json", cwd=top, code=None),
    )
    assert (gated.ok, gated.ok) == (said.json["ok"], said.code == 0)
    frame = gated.to_frame()
    assert frame[["metric", "rule", "ok"]].to_dict("records") == [
        {key: row[key] for key in ("metric", "rule", "ok")} for row in said.json["rules"]
    ]
    assert repo.update_reference("churn", against="prod", reference="reference.json").changed
    assert repo.gate("churn", reference=Path("reference.json")).to_frame()["ok"].tolist() == frame["ok"].tolist()

    (top / "old.csv").write_text("id,x\n1,2\n2,3\n")
    (top / "new.csv").write_text("id,x\n1,2\n1,\n")
    assert repo.write_profile("old.csv", "old.profile.json").changed
    assert repo.validate(top / "old.csv", profile="old.profile.json", id=["id"]).ok
    bad = repo.validate("new.csv", profile="old.profile.json", id=["id"])
    words = ["new.csv", "--profile", "old.profile.json", "--id", "id", "--json"]
    found = modelver("validate", *words, cwd=top, code=1).json["findings"]
    assert not bad.ok
    assert bad.to_frame()[["rule", "seen", "count"]].to_dict("records") == [
        {key: row[key] for key in ("rule", "seen", "count")} for row in found
    ]

    (top / "live.json").write_text(json.dumps({"auc": 0.01}))
    guarded = repo.guard("churn", "prod", "live.json", rollback=True, dry_run=True)
    answer = modelver("guard", "churn", "--stage", "prod", "--metrics", "live.json", "--json", cwd=top, code=1).json
    assert (guarded.ok, str(guarded.version)) == (answer["ok"], answer["version"]) == (False, "v0.1.0")
    assert not guarded.to_frame()["ok"].all()
    with pytest.raises(BadInput):
        repo.guard("churn", "prod", "live.json", push=True)


def test_experiments_are_those_of_the_command(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A row for each experiment and for each version beside them, with their metrics and params."""
    git = dvc_repo.git
    git("switch", "-q", "--detach")
    commit = dvc_repo.fake_train(9)
    git("switch", "-q", "main")
    git("update-ref", f"refs/exps/{git.rev()[:2]}/{git.rev()[2:]}/pale-moon", git.rev(commit))
    said = modelver("list", "churn", "--experiments", "--json", cwd=git).json["experiments"][0]
    (one,) = repo.experiments("churn").models
    assert [e.ref for e in one.experiments] == [e["experiment"] for e in said["experiments"]] == ["pale-moon"]
    frame = repo.experiments().to_frame()
    assert list(frame["ref"]) == ["churn@v0.1.0", "churn@v0.2.0", "pale-moon"]
    assert list(frame["gate"])[:2] == [None, None]
    assert frame["metrics.metrics.json:auc"].notna().all()


def test_every_command_has_a_method() -> None:
    """What the command line can do with a repository, the API can; what needs a terminal it leaves out."""
    from dvc_modelver.cli.main import COMMANDS

    elsewhere = {"init", "run", "demo", "hooks", "card", "pipeline"}
    assert [name for name in COMMANDS if name not in elsewhere and not hasattr(mv.Repository, name)] == []
