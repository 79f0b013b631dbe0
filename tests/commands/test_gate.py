"""`gate`: a policy's rules on the work tree, versions, commits and experiments, beside a version, stage or file."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from tests.cli import shapes
from tests.cli.shapes import faults
from tests.cli.test_output import assert_harmless
from tests.commands.test_compare_predictions import measured as with_predictions
from tests.support import DvcRepo, Modelver, Templates, snapshot
from tests.support.repos import md5, put_object


def rules(answer: dict[str, object], **wanted: object) -> list[dict[str, object]]:
    """The rules of an answer that have these values."""
    found = answer["rules"]
    assert isinstance(found, list)
    return [rule for rule in found if all(rule[key] == value for key, value in wanted.items())]


def measure(repo: DvcRepo, **metrics: object) -> None:
    """The work tree's metrics, not committed."""
    repo.git.write("metrics.json", json.dumps(metrics))


def released(repo: DvcRepo, version: str = "v0.1.0", stage: str | None = "prod", **metrics: object) -> None:
    """A version that measured this, and that the stage holds."""
    repo.git.commit(version, {"metrics.json": json.dumps(metrics)})
    repo.git.tag(f"churn@{version}")
    if stage is not None:
        repo.git.tag(f"churn#{stage}#{version.split('.')[1]}")


# What is judged, and beside what --------------------------------------------------------------------------------


def test_a_first_release_passes_what_compares(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Without any version there is nothing to be worse than: a note says so, thresholds still count."""
    answer = modelver("gate", "churn", "--json", cwd=dvc_repo.git).json
    assert faults(answer, shapes.GATE) == []
    assert (answer["ok"], answer["against"], answer["reference"]) == (True, None, None)
    assert {rule["rule"] for rule in answer["rules"]} == {"not_worse"}
    assert "no version yet" in answer["notes"][0]
    dvc_repo.git.write("gate.yaml", "against: prod\nmetrics: {auc: {min: 0.99, max_drop: 0.01}}\n")
    answer = modelver("gate", "churn", "--policy", "gate.yaml", "--json", cwd=dvc_repo.git, code=1).json
    assert [(rule["rule"], rule["ok"]) for rule in answer["rules"]] == [("min", False), ("max_drop", True)]


def test_without_a_policy_nothing_may_be_worse(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Every metric of known direction counts, in its own direction, beside what prod holds; others do not."""
    released(dvc_repo, auc=0.8, loss={"val": 0.3}, n=4)
    released(dvc_repo, "v0.2.0", stage=None, auc=0.99, loss={"val": 0.1}, n=4)
    measure(dvc_repo, auc=0.81, loss={"val": 0.3}, n=1)
    answer = modelver("gate", "churn", "--json", cwd=dvc_repo.git).json
    assert (answer["against"], answer["judged"]) == ("churn@v0.1.0", "work tree")
    assert [(r["metric"], r["limit"], r["delta"], r["ok"]) for r in answer["rules"]] == [
        ("auc", "up", 0.01, True),
        ("loss.val", "down", 0.0, True),
    ]
    measure(dvc_repo, auc=0.81, loss={"val": 0.31}, n=1)
    answer = modelver("gate", "churn", "--json", cwd=dvc_repo.git, code=1).json
    assert [(r["metric"], r["reason"]) for r in rules(answer, ok=False)] == [("loss.val", "rose from 0.3 to 0.31")]


def test_a_policy_against_a_stage_that_cannot_be(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Where the stages are listed a slip is named, instead of letting everything pass for want of a reference."""
    released(dvc_repo, auc=0.8)
    measure(dvc_repo, auc=0.1)
    dvc_repo.git.write("gate.yaml", "against: pord\n")
    dvc_repo.git.write(".modelver.yaml", "stages: [staging, prod]\n")
    done = modelver("gate", "churn", "--policy", "gate.yaml", cwd=dvc_repo.git, code=7)
    assert "no stage pord" in done.err
    assert "prod" in done.err.splitlines()[-1]
    dvc_repo.git.write("gate.yaml", "against: staging\n")
    assert "staging of churn is empty" in modelver("gate", "churn", "--policy", "gate.yaml", cwd=dvc_repo.git).err


def test_a_key_that_stands_twice_decides_nothing(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A policy in JSON is as strict as one in YAML: the second of two thresholds does not silently win."""
    measure(dvc_repo, auc=0.5)
    dvc_repo.git.write("gate.json", '{"metrics": {"auc": {"min": 0.9}, "auc": {"min": 0.1}}}')
    assert "key 'auc' twice" in modelver("gate", "churn", "--policy", "gate.json", cwd=dvc_repo.git, code=2).err


@pytest.mark.parametrize("file", ["gate.yaml", "metrics.json", "dvc.yaml"])
def test_only_its_own_answer_is_replaced(dvc_repo: DvcRepo, modelver: Modelver, file: str) -> None:
    """Neither `--out` nor `--update-reference` takes the place of a policy, of metrics or of anything else: 4."""
    released(dvc_repo, auc=0.8)
    dvc_repo.git.write("gate.yaml", "metrics: {auc: {min: 0.1}}\n")
    before = (dvc_repo.path / file).read_bytes()
    words = ("gate", "churn", "--policy", "gate.yaml")
    assert "holds something else" in modelver(*words, "--out", file, cwd=dvc_repo.git, code=4).err
    modelver(*words, "--update-reference", "--reference", file, cwd=dvc_repo.git, code=4)
    assert (dvc_repo.path / file).read_bytes() == before


def test_a_reference_with_conflict_markers_is_written_anew(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What the hint of the gate says is possible."""
    released(dvc_repo, auc=0.8)
    words = ("gate", "churn", "--update-reference", "--reference", "gate/churn.json")
    modelver(*words, cwd=dvc_repo.git)
    place = dvc_repo.path / "gate/churn.json"
    good = place.read_text()
    place.write_text(f"<<<<<<< ours\n{good}=======\n{good}>>>>>>> theirs\n")
    modelver(*words, cwd=dvc_repo.git)
    assert place.read_text() == good


def test_a_metrics_file_that_is_not_there(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Of a file that DVC does not cache nobody says that it is in DVC's cache."""
    released(dvc_repo, auc=0.8)
    (dvc_repo.path / "metrics.json").unlink()
    (note,) = modelver("gate", "churn", "--json", cwd=dvc_repo.git, code=1).json["notes"]
    assert note == "metrics.json is not there, and DVC keeps no copy"


def test_a_metric_that_vanished_is_a_regression(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Nobody passes by no longer measuring, nor with NaN."""
    released(dvc_repo, auc=0.8, f1=0.7)
    measure(dvc_repo, auc=float("nan"))
    answer = modelver("gate", "churn", "--json", cwd=dvc_repo.git, code=1).json
    assert [(r["metric"], r["rule"], r["value"], r["reason"]) for r in answer["rules"]] == [
        ("auc", "measured", "NaN", "it is not finite"),
        ("f1", "measured", None, "nobody measured it any more"),
    ]
    (dvc_repo.path / "metrics.json").unlink()
    answer = modelver("gate", "churn", "--json", cwd=dvc_repo.git, code=1).json
    assert {r["metric"] for r in rules(answer, ok=False)} == {"auc", "f1"}
    assert any("metrics.json" in note for note in answer["notes"])


REFERENCES = {
    "prod": ("churn@v0.1.0", 0.8),
    "churn#prod": ("churn@v0.1.0", 0.8),
    "latest": ("churn@v0.2.0", 0.9),
    "churn@latest": ("churn@v0.2.0", 0.9),
    "churn": ("churn@v0.2.0", 0.9),
    "v0.1.0": ("churn@v0.1.0", 0.8),
    "0.2.0": ("churn@v0.2.0", 0.9),
    "churn@v0.2.0": ("churn@v0.2.0", 0.9),
    "HEAD~1": ("HEAD~1", 0.8),
    "main": ("main", 0.9),
    "exp:wild-fox": ("exp:wild-fox", 0.7),
}


def experiment(repo: DvcRepo, name: str, **metrics: object) -> None:
    """A commit that no branch names, with the ref that DVC gives an experiment."""
    base = repo.git.rev("HEAD")
    repo.git.commit(name, {"metrics.json": json.dumps(metrics)})
    repo.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
    repo.git("reset", "-q", "--hard", base)


@pytest.fixture
def two_versions(dvc_repo: DvcRepo) -> DvcRepo:
    """prod holds v0.1.0 with an AUC of 0.8; latest is v0.2.0 with 0.9; the experiment wild-fox has 0.7."""
    released(dvc_repo, auc=0.8)
    released(dvc_repo, "v0.2.0", stage=None, auc=0.9)
    experiment(dvc_repo, "wild-fox", auc=0.7)
    return dvc_repo


@pytest.mark.parametrize("text", REFERENCES)
def test_what_it_is_compared_with(two_versions: DvcRepo, modelver: Modelver, text: str) -> None:
    """`--against` takes a stage, a version, latest, a commit, a branch, an experiment."""
    ref, auc = REFERENCES[text]
    if text == "churn":
        text = "churn@latest"
    answer = modelver("gate", "churn", "--against", text, "--json", cwd=two_versions.git, code=None).json
    assert (answer["against"], answer["rules"][0]["reference"], answer["ok"]) == (ref, auc, True)


@pytest.mark.parametrize(
    ("words", "judged", "auc"),
    [
        (("churn",), "work tree", 0.5),
        (("churn@v0.1.0",), "churn@v0.1.0", 0.8),
        (("churn#prod",), "churn@v0.1.0", 0.8),
        (("churn", "--rev", "HEAD"), "HEAD", 0.9),
        (("churn", "--exp", "wild-fox"), "exp:wild-fox", 0.7),
    ],
)
def test_what_is_judged(
    two_versions: DvcRepo, modelver: Modelver, words: tuple[str, ...], judged: str, auc: float
) -> None:
    """The files of the work tree, a version, a stage's holder, a commit or an experiment."""
    measure(two_versions, auc=0.5)
    answer = modelver("gate", *words, "--against", "prod", "--json", cwd=two_versions.git, code=None).json
    assert (answer["judged"], answer["rules"][0]["value"], answer["ok"]) == (judged, auc, auc >= 0.8)


@pytest.mark.long
def test_metrics_that_dvc_keeps_count_as_they_lie_on_disk(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A metrics file that Git ignores is a file of the work tree; a missing one is read from DVC's cache."""
    text = (
        (dvc_repo.path / "dvc.yaml")
        .read_text()
        .replace("    - metrics.json:\n        cache: false\n", "    - m.json\n")
    )
    dvc_repo.git.write("dvc.yaml", text)
    dvc_repo.git.write("src/evaluate.py", "open('m.json', 'w').write('{\"auc\": 0.6}')\n")
    dvc_repo.dvc(["repro", "-q"])
    assert dvc_repo.git("check-ignore", "m.json").strip() == "m.json"

    def value() -> object:
        answer = modelver("gate", "churn", "--json", cwd=dvc_repo.git, code=None).json
        return answer["rules"][0]["value"]

    assert value() == 0.6
    (dvc_repo.path / "m.json").unlink()
    assert value() == 0.6
    (dvc_repo.path / "m.json").write_text('{"auc": 0.7}')
    assert value() == 0.7


# Policies ---------------------------------------------------------------------------------------------------------

POLICY = {
    "against": "prod",
    "metrics": {"auc": {"min": 0.8, "max_drop": 0.01}, "rmse": {"max": 3.0, "max_rise": "5%"}},
}


@pytest.mark.parametrize("form", ["gate.json", "gate.yaml", "gate.toml", ".modelver.yaml", "pyproject.toml"])
def test_every_place_of_a_policy_says_the_same(dvc_repo: DvcRepo, modelver: Modelver, form: str) -> None:
    """The contract's policy has the same effect in each format, as a file and in the configuration."""
    released(dvc_repo, auc=0.82, rmse=2.9)
    inline = '{auc = {min = 0.8, max_drop = 0.01}, rmse = {max = 3.0, max_rise = "5%"}}'
    texts = {
        "gate.json": json.dumps(POLICY),
        "gate.yaml": "against: prod\nmetrics: {auc: {min: 0.8, max_drop: 0.01}, rmse: {max: 3.0, max_rise: 5%}}\n",
        "gate.toml": f'against = "prod"\nmetrics = {inline}\n',
        ".modelver.yaml": f"gate: {json.dumps(POLICY)}\n",
        "pyproject.toml": f'[tool.modelver.gate]\nagainst = "prod"\nmetrics = {inline}\n',
    }
    dvc_repo.git.write(form, texts[form])
    words = ["gate", "churn", "--json", *(["--policy", form] if form.startswith("gate") else [])]
    for auc, rmse, failed in [
        (0.81, 3.0, []),
        (0.809, 3.0, ["max_drop"]),
        (0.79, 3.1, ["min", "max_drop", "max", "max_rise"]),
    ]:
        measure(dvc_repo, auc=auc, rmse=rmse)
        answer = modelver(*words, cwd=dvc_repo.git, code=1 if failed else 0).json
        assert [rule["rule"] for rule in rules(answer, ok=False)] == failed
        assert [rule["limit"] for rule in answer["rules"]] == [0.8, 0.01, 3.0, "5%"]


BAD = {
    "an unknown key": ("agianst: prod\n", "did you mean against?"),
    "an unknown rule": ("metrics: {auc: {mim: 0.8}}\n", "did you mean metrics.auc.min?"),
    "a bound that is text": ("metrics: {auc: {min: high}}\n", "metrics.auc.min must be a number"),
    "a bound that is NaN": ("metrics: {auc: {min: .nan}}\n", "metrics.auc.min must be a number"),
    "a negative drop": ("metrics: {auc: {max_drop: -0.1}}\n", "metrics.auc.max_drop must be a number that is not"),
    "a list": ("- auc\n", "must be a mapping"),
    "broken YAML": ("metrics: {auc\n", "gate.yaml: line"),
    "a Python object": ("metrics: !!python/object/apply:os.system ['touch canary']\n", "not plain data"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_policies_are_bad_input(dvc_repo: DvcRepo, modelver: Modelver, what: str) -> None:
    """A policy that nobody can mean is named before anything is judged, and holds data only."""
    text, said = BAD[what]
    dvc_repo.git.write("gate.yaml", text)
    failed = modelver("gate", "churn", "--policy", "gate.yaml", cwd=dvc_repo.git, code=2)
    assert said in failed.err
    assert not (dvc_repo.path / "canary").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("chrun",), 7, "did you mean churn"),
        (("churn@v9.0.0",), 7, "v9.0.0"),
        (("churn", "--against", "prodd"), 7, "did you mean prod?"),
        (("churn", "--against", "churn#prodd"), 7, "did you mean prod?"),
        (("churn", "--against", "v3.0.0"), 7, "v3.0.0"),
        (("churn", "--exp", "wild-fix"), 7, "wild-fox"),
        (("churn", "--rev", "nowhere"), 7, "nowhere"),
        (("churn", "--policy", "none.yaml"), 2, "none.yaml"),
        (("churn", "--policy", "src/params.py"), 2, "no policy file by its name"),
        (("churn", "--reference", "none.json"), 2, "--update-reference"),
        (("churn", "--reference", "metrics.json"), 2, "no reference of a gate"),
        (("churn", "--reference", "a.json", "--against", "prod"), 2, "exclude each other"),
        (("churn", "--rev", "HEAD", "--exp", "wild-fox"), 2, "exclude each other"),
        (("churn", "--update-reference", "--rev", "HEAD"), 2, "--update-reference goes with"),
        (("churn", "--dry-run"), 2, "--dry-run goes with"),
        (("churn", "--out", "src"), 2, "cannot write src"),
    ],
)
def test_errors(two_versions: DvcRepo, modelver: Modelver, words: tuple[str, ...], code: int, said: str) -> None:
    """What is not there, and what cannot be meant, is named with the next step."""
    assert said in modelver("gate", *words, cwd=two_versions.git, code=code).err


def test_an_empty_stage_is_no_error(two_versions: DvcRepo, modelver: Modelver) -> None:
    """A stage that is configured, or that the policy names, and that holds nothing yet is nothing to be worse than."""
    two_versions.git.write(".modelver.yaml", "stages: [prod, staging]\ngate: {against: staging}\n")
    for words in ((), ("--against", "staging"), ("--against", "churn#staging")):
        answer = modelver("gate", "churn", *words, "--json", cwd=two_versions.git).json
        assert (answer["ok"], answer["against"]) == (True, None)
        assert "staging" in answer["notes"][0]


# Slices and significance ------------------------------------------------------------------------------------------


def test_slices_are_held_to_their_rules(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A required slice has to be there, and each slice fulfils its own rules."""
    regions = {"eu": {"auc": 0.8, "n": 40}, "us": {"auc": 0.7, "n": 9}}
    released(dvc_repo, auc=0.8, by_region=regions)
    dvc_repo.git.write(
        "gate.yaml",
        "metrics: {auc: {min: 0.5}}\n"
        "slices: {eu: {auc: {max_drop: 0.05}}, by_region.us: {auc: {min: 0.6}}, asia: {}}\n",
    )
    answer = modelver("gate", "churn", "--policy", "gate.yaml", "--json", cwd=dvc_repo.git, code=1).json
    assert [(r["slice"], r["metric"], r["rule"], r["ok"]) for r in answer["rules"]] == [
        (None, "auc", "min", True),
        ("eu", "by_region.eu.auc", "max_drop", True),
        ("by_region.us", "by_region.us.auc", "min", True),
        ("asia", "*", "slice", False),
    ]
    measure(dvc_repo, auc=0.9, by_region={"eu": {"auc": 0.7}, "us": {"auc": 0.9}})
    answer = modelver("gate", "churn", "--policy", "gate.yaml", "--json", cwd=dvc_repo.git, code=1).json
    assert [r["slice"] for r in rules(answer, ok=False)] == ["eu", "asia"]


def test_a_drop_within_chance_may_pass(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """With predictions on both sides, and only if the policy says so, a drop must be more than chance to count."""
    draw = random.Random(5)
    old = [draw.random() < 0.8 for _ in range(300)]
    little = [ok if n > 3 else False for n, ok in enumerate(old)]
    much = [ok and draw.random() < 0.8 for ok in old]
    with_predictions(dvc_repo, "v0.1.0", old)
    strict, lenient = "metrics: {accuracy: {max_drop: 0}}\n", "significance: 0.05\nmetrics: {accuracy: {max_drop: 0}}\n"
    for right, policy, ok in [(little, strict, False), (little, lenient, True), (much, lenient, False)]:
        with_predictions(dvc_repo, "v0.9.0", right)
        dvc_repo.git("tag", "-d", "churn@v0.9.0")
        dvc_repo.git.write("gate.yaml", policy)
        answer = modelver(
            "gate", "churn", "--policy", "gate.yaml", "--json", cwd=dvc_repo.git, code=0 if ok else 1
        ).json
        assert faults(answer, shapes.GATE) == []
        (rule,) = answer["rules"]
        assert rule["delta"] < 0
        assert (rule["ok"], rule["significance"] is not None) == (ok, policy is lenient)
        assert ("within chance" in rule["reason"]) is ok
    # The same from a file that remembers the digests of the predictions.
    modelver("gate", "churn", "--policy", "gate.yaml", "--update-reference", cwd=dvc_repo.git)
    words = ("gate", "churn", "--policy", "gate.yaml", "--reference", "gate/reference.json", "--json")
    again = modelver(*words, cwd=dvc_repo.git, code=1).json
    assert again["rules"] == answer["rules"]
    remembered = json.loads((dvc_repo.path / "gate/reference.json").read_text())
    assert list(remembered["predictions"]) == ["predictions.csv"]
    remembered["predictions"]["predictions.csv"] = f"git:{'0' * 40}"
    dvc_repo.git.write("gate/reference.json", json.dumps(remembered))
    modelver(*words, cwd=dvc_repo.git, code=5)
    # As DVC's cache has them: found by their digest, altered or gone an error.
    kept = (dvc_repo.path / "predictions.csv").read_bytes()
    place = put_object(dvc_repo.cache, kept)
    remembered["predictions"]["predictions.csv"] = f"md5:{md5(kept)}"
    dvc_repo.git.write("gate/reference.json", json.dumps(remembered))
    (rule,) = modelver(*words, cwd=dvc_repo.git, code=1).json["rules"]
    assert rule["ok"] is False
    place.chmod(0o644)
    place.write_bytes(kept[:-2])
    assert "altered" in modelver(*words, cwd=dvc_repo.git, code=5).err
    place.unlink()
    assert "not in DVC's cache" in modelver(*words, cwd=dvc_repo.git, code=5).err


# The reference file and the answer's file ---------------------------------------------------------------------------


def test_the_reference_file_remembers(two_versions: DvcRepo, modelver: Modelver) -> None:
    """It holds what the version measured, changes only when that does, and gives the same answer as the version."""
    git = two_versions.git
    plan = modelver("gate", "churn", "--update-reference", "--dry-run", "--json", cwd=git).json
    assert faults(plan, shapes.WRITING) == []
    assert not (two_versions.path / "gate").exists()
    done = modelver("gate", "churn", "--update-reference", "--json", cwd=git).json
    assert (done["steps"], done["changed"], plan["dry_run"]) == (plan["steps"], True, True)
    remembered = json.loads((two_versions.path / "gate/reference.json").read_text())
    assert remembered == {
        "schema": 1,
        "name": "churn",
        "against": "churn@v0.1.0",
        "version": "v0.1.0",
        "commit": git.rev("churn@v0.1.0^{}"),
        "metrics": {"metrics.json": {"auc": 0.8}},
        "predictions": {},
    }
    assert modelver("gate", "churn", "--update-reference", "--json", cwd=git).json["changed"] is False
    direct = modelver("gate", "churn", "--json", cwd=git).json
    assert modelver("gate", "churn", "--reference", "gate/reference.json", "--json", cwd=git).json == direct
    other = two_versions.path / "other.json"
    modelver("gate", "churn", "--update-reference", "--reference", "other.json", "--against", "latest", cwd=git)
    assert json.loads(other.read_text())["version"] == "v0.2.0"
    other.write_text(other.read_text().replace('"churn"', '"ranker"'))
    assert "ranker" in modelver("gate", "churn", "--reference", "other.json", cwd=git, code=2).err


def staged(repo: DvcRepo, *commands: str, folder: str = "") -> None:
    """Pipeline stages of these commands, in the root's `dvc.yaml` or in one of its own."""
    stages = "".join(f"  check-{at}:\n    cmd: {json.dumps(cmd)}\n" for at, cmd in enumerate(commands))
    place = repo.path / folder / "dvc.yaml"
    if folder:
        repo.git.write(f"{folder}/dvc.yaml", f"stages:\n{stages}")
    else:
        place.write_text(place.read_text().replace("artifacts:\n", f"{stages}artifacts:\n"))


def refreshed(repo: DvcRepo, modelver: Modelver, *words: str, cwd: str = "") -> str:
    """The file that `--update-reference` would write."""
    where = repo.path / cwd
    plan = modelver("gate", "churn", "--update-reference", "--dry-run", "--json", *words, cwd=where).json
    return str(plan["steps"][0]["target"])


def test_the_refreshed_file_is_the_one_that_the_pipeline_reads(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """`pipeline add gate`, then `gate --update-reference`: what it writes is what the stage depends on."""
    modelver("pipeline", "add", "gate", "churn", "--yes", cwd=dvc_repo.git)
    modelver("gate", "churn", "--update-reference", cwd=dvc_repo.git)
    assert "gate/churn.json" in (dvc_repo.path / "dvc.yaml").read_text()
    assert [path.name for path in (dvc_repo.path / "gate").iterdir()] == ["churn.json"]
    assert refreshed(dvc_repo, modelver, "--reference", "mine.json") == "mine.json"
    dvc_repo.git.write("gate/reference.json", "{}")
    said = modelver("gate", "churn", "--update-reference", cwd=dvc_repo.git)
    assert "note: gate/reference.json stays as it is; --reference gate/reference.json writes it" in said.err


@pytest.mark.parametrize(
    ("command", "folder", "file"),
    [
        ("modelver gate churn --reference=a/b.json", "", "a/b.json"),
        (
            "echo x && python -m dvc_modelver gate --policy p.yaml churn --reference 'my file.json' | tee x",
            "",
            "my file.json",
        ),
        ("modelver gate churn --reference r.json", "sub/dir", "sub/dir/r.json"),
        ("modelver gate churn --reference ../../r.json", "sub/dir", "r.json"),
        ("modelver gate churn --reference ../r.json", "", "gate/reference.json"),
        ("modelver gate churn --reference /etc/passwd", "", "gate/reference.json"),
        ("modelver gate churn --reference .git/config", "", "gate/reference.json"),
        ("modelver gate churn", "", "gate/reference.json"),
        ("modelver gate ranker --reference r.json", "", "gate/reference.json"),
        ("modelver gate --policy churn other --reference r.json", "", "gate/reference.json"),
        ("modelver gate ${m} --reference gate/${m}.json", "", "gate/reference.json"),
        ("modelver gate 'churn --reference r.json", "", "gate/reference.json"),
        ("modelver gate churn --reference", "", "gate/reference.json"),
    ],
)
def test_which_stage_is_a_gate(dvc_repo: DvcRepo, modelver: Modelver, command: str, folder: str, file: str) -> None:
    """A command of a stage that judges the model beside a file of the repository; any other is none."""
    staged(dvc_repo, command, folder=folder)
    assert refreshed(dvc_repo, modelver) == file


def test_seen_from_a_directory_below(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The file is the stage's, wherever the command is typed."""
    staged(dvc_repo, "modelver gate churn --reference gate/churn.json")
    assert refreshed(dvc_repo, modelver, cwd="src") == "../gate/churn.json"


def test_a_group_of_gates_is_known_once_it_ran(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What a template stands for is read from `dvc.lock`."""
    group = "  gates:\n    foreach: [churn]\n    do:\n      cmd: modelver gate ${item} --reference gate/${item}.json\n"
    yaml, lock = dvc_repo.path / "dvc.yaml", dvc_repo.path / "dvc.lock"
    yaml.write_text(yaml.read_text().replace("artifacts:\n", f"{group}artifacts:\n"))
    assert refreshed(dvc_repo, modelver) == "gate/reference.json"
    lock.write_text(lock.read_text() + "  gates@churn:\n    cmd: modelver gate churn --reference gate/churn.json\n")
    assert refreshed(dvc_repo, modelver) == "gate/churn.json"


def test_several_gates_of_one_model(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Of one file it is that; of several somebody has to say which, but for the one that always was the default."""
    words = "modelver gate churn --policy {0}.yaml --reference gate/{0}.json"
    staged(dvc_repo, words.format("a"), f"{words.format('a')} --out x.json")
    assert refreshed(dvc_repo, modelver) == "gate/a.json"
    staged(dvc_repo, words.format("b"), folder="b")
    failed = modelver("gate", "churn", "--update-reference", cwd=dvc_repo.git, code=2)
    assert "several files: b/gate/b.json, gate/a.json" in failed.err
    assert "--reference b/gate/b.json" in failed.err
    assert refreshed(dvc_repo, modelver, "--reference", "gate/a.json") == "gate/a.json"
    text = (dvc_repo.path / "dvc.yaml").read_text()
    (dvc_repo.path / "dvc.yaml").write_text(text.replace("gate/a.json", "gate/reference.json"))
    assert refreshed(dvc_repo, modelver) == "gate/reference.json"


def test_a_reference_file_before_the_first_version(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A pipeline may have its gate before there is anything to compare with."""
    modelver("gate", "churn", "--update-reference", cwd=dvc_repo.git)
    answer = modelver("gate", "churn", "--reference", "gate/reference.json", "--json", cwd=dvc_repo.git).json
    assert (answer["ok"], answer["against"]) == (True, None)


def test_numbers_that_are_not_finite_survive_the_file(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """NaN in a reference is no reference, read from the version as from the file."""
    released(dvc_repo, auc=float("nan"), loss=float("inf"))
    measure(dvc_repo, auc=0.1, loss=9.0)
    modelver("gate", "churn", "--update-reference", cwd=dvc_repo.git)
    direct = modelver("gate", "churn", "--json", cwd=dvc_repo.git).json
    assert [rule["reference"] for rule in direct["rules"]] == ["NaN", "Infinity"]
    assert modelver("gate", "churn", "--reference", "gate/reference.json", "--json", cwd=dvc_repo.git).json == direct


def test_out_is_the_answer_and_no_measurement(two_versions: DvcRepo, modelver: Modelver) -> None:
    """The file is what --json prints, also when a rule fails; called a metric by dvc.yaml it does not judge itself."""
    text = (two_versions.path / "dvc.yaml").read_text()
    two_versions.git.write("dvc.yaml", f"{text}metrics:\n- out/gate.json\n")
    measure(two_versions, auc=0.1)
    words = ("gate", "churn", "--out", "out/gate.json", "--json")
    first = modelver(*words, cwd=two_versions.git, code=1)
    written = (two_versions.path / "out/gate.json").read_bytes()
    assert json.loads(written) == first.json
    assert faults(first.json, shapes.GATE) == []
    second = modelver(*words, cwd=two_versions.git, code=1)
    assert (two_versions.path / "out/gate.json").read_bytes() == written
    assert second.out == first.out
    assert not any("gate.json" in note for note in first.json["notes"])
    below = modelver("gate", "churn", "--out", "../out/gate.json", cwd=two_versions.path / "src", code=1)
    assert "FAILED" in below.out


def test_with_a_reference_file_only_files_count(two_versions: DvcRepo, modelver: Modelver) -> None:
    """Tags, branches and HEAD have no say: without any ref the answer is the same."""
    git = two_versions.git
    modelver("gate", "churn", "--update-reference", cwd=git)
    words = ("gate", "churn", "--reference", "gate/reference.json", "--out", "gate.json")
    modelver(*words, cwd=git, env={"DVC_STAGE": "gate"})
    before = (two_versions.path / "gate.json").read_bytes()
    assert (json.loads(before)["against"], json.loads(before)["rules"][0]["reference"]) == ("churn@v0.1.0", 0.8)
    for ref in git("for-each-ref", "--format=%(refname)").splitlines():
        git("update-ref", "-d", ref)
    modelver(*words, cwd=git, env={"DVC_STAGE": "gate"})
    assert (two_versions.path / "gate.json").read_bytes() == before


def test_inside_a_stage_it_needs_a_file(two_versions: DvcRepo, modelver: Modelver) -> None:
    """What depends on refs is refused inside a pipeline stage, and so is refreshing what the stage depends on."""
    inside = {"DVC_STAGE": "gate"}
    for words in ((), ("--against", "prod"), ("--update-reference",)):
        failed = modelver("gate", "churn", *words, cwd=two_versions.git, env=inside, code=3)
        assert "--update-reference" in failed.err
    modelver("gate", "churn", "--update-reference", cwd=two_versions.git)
    for words in (("churn@v0.1.0",), ("churn", "--rev", "HEAD"), ("churn", "--exp", "wild-fox")):
        named = (*words, "--reference", "gate/reference.json")
        modelver("gate", *named, cwd=two_versions.git, env=inside, code=3)
    two_versions.git.write("gate.yaml", "metrics: {auc: {min: 0.1}}\n")
    modelver("gate", "churn", "--policy", "gate.yaml", cwd=two_versions.git, env=inside)


def test_judging_changes_nothing(two_versions: DvcRepo, modelver: Modelver) -> None:
    """Without --out nothing is written but what is remembered below the Git directory."""
    modelver("gate", "churn", cwd=two_versions.git)
    before = snapshot(two_versions.git)
    modelver("gate", "churn", cwd=two_versions.git)
    modelver("gate", "churn@v0.2.0", "--against", "prod", cwd=two_versions.git)
    assert snapshot(two_versions.git) == before


def test_the_table(two_versions: DvcRepo, modelver: Modelver) -> None:
    """People see the verdict first, then each rule; Markdown and CSV have the same rows."""
    measure(two_versions, auc=0.1)
    text = modelver("gate", "churn", cwd=two_versions.git, code=1).out
    assert text.startswith("churn (work tree) against churn@v0.1.0 FAILED: 1 of 1 rule\n")
    assert "fell from 0.8 to 0.1" in text
    rows = list(csv.reader(modelver("gate", "churn", "--csv", cwd=two_versions.git, code=1).out.splitlines()))
    assert rows[1] == ["FAILED", "auc", "not worse up", "0.1", "0.8", "-0.7", "fell from 0.8 to 0.1"]
    assert modelver("gate", "churn", "--md", cwd=two_versions.git, code=1).out.count("\n") == 3


def test_a_model_in_a_subdirectory(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """In a monorepo the near name means the model of that directory, and root's namesake is another."""
    dvc_repo.git.commit(
        "Add another",
        {
            "nlp/dvc.yaml": "artifacts: {churn: {path: m.bin, type: model}}\nmetrics: [m.json]\n",
            "nlp/m.bin": "x",
            "nlp/m.json": '{"auc": 0.3}',
        },
    )
    dvc_repo.git.tag("nlp=churn@v0.1.0")
    for where, words, name in ((dvc_repo.path, "churn", "churn"), (dvc_repo.path / "nlp", "churn", "nlp:churn")):
        answer = modelver("gate", words, "--json", cwd=where).json
        assert answer["name"] == name
    assert answer["against"] == "nlp:churn@v0.1.0"


def test_nothing_hostile_reaches_the_terminal(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Names of metrics and slices full of escapes, and texts full of secrets, are shown without either."""
    evil = "\x1b]0;owned\x07 \u202e | `a` <script>"
    token = "ghp_" + "a1" * 20
    released(dvc_repo, **{f"{evil}auc": 0.8, "auc": 0.9})
    measure(dvc_repo, **{f"{evil}auc": 0.7, "auc": token})
    words = ("gate", "churn", "--out", "gate.json")
    for form in ((), ("--md",), ("--csv",), ("--json",)):
        shown = modelver(*words, *form, cwd=dvc_repo.git, code=1)
        assert_harmless(shown.out + shown.err)
        assert token not in shown.out
    written = (dvc_repo.path / "gate.json").read_text()
    assert_harmless(written)
    assert token not in written


# In a pipeline ------------------------------------------------------------------------------------------------------

STAGE = """\
  gate:
    cmd: python -m dvc_modelver gate churn --policy gate.yaml --reference gate/reference.json --out gate.json
    deps:
    - metrics.json
    - gate.yaml
    - gate/reference.json
    metrics:
    - gate.json:
        cache: false
"""


def gated_pipeline(repo: DvcRepo, modelver: Modelver) -> None:
    """The pipeline ends with a gate against v0.1.0."""
    repo.git.tag("churn@v0.1.0")
    text = (repo.path / "dvc.yaml").read_text().replace("artifacts:", f"{STAGE}artifacts:")
    repo.git.write("dvc.yaml", text)
    repo.git.write("gate.yaml", "metrics: {auc: {max_drop: 0.05}}\n")
    modelver("gate", "churn", "--policy", "gate.yaml", "--update-reference", cwd=repo.git)


def test_it_is_a_stage_of_a_pipeline(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """`dvc repro` runs it, caches it, and stops where it fails; the commit and tags around it do not matter."""
    gated_pipeline(dvc_repo, modelver)
    assert "Stage 'gate' didn't change" in dvc_repo.dvc(["repro", "-q"], ["repro"])
    assert json.loads((dvc_repo.path / "gate.json").read_text())["ok"] is True
    dvc_repo.git.commit("Gate it")
    dvc_repo.git.tag("churn@v0.2.0")
    params = (dvc_repo.path / "params.yaml").read_text()
    dvc_repo.git.write("params.yaml", params.replace("depth: 6", "depth: 3"))
    with pytest.raises(AssertionError, match="FAILED: 1 of 1 rule"):
        dvc_repo.dvc(["repro", "-q"])
    failed = json.loads((dvc_repo.path / "gate.json").read_text())
    assert (failed["ok"], failed["rules"][0]["value"], failed["rules"][0]["reference"]) == (False, 0.65, 0.8)


@pytest.mark.long
def test_it_runs_in_experiments(templates: Templates, tmp_path: Path, modelver: Modelver) -> None:
    """`dvc exp run`, in the work tree, in a directory of its own and from the queue, gives the same gate.json."""
    repo = templates.dvc(tmp_path)
    gated_pipeline(repo, modelver)
    repo.dvc(["repro", "-q"])
    repo.git.commit("Gate it")
    head = repo.git.rev("HEAD")
    found = []
    for name, *options in (("here",), ("there", "--temp")):
        repo.dvc(["exp", "run", "-q", "-n", name, "-S", "train.depth=7", "-f", *options])
        found.append(repo.git("show", f"refs/exps/{head[:2]}/{head[2:]}/{name}:gate.json"))
        repo.git("reset", "-q", "--hard")
    assert found[0] == found[1]
    assert json.loads(found[0])["rules"][0]["value"] == 0.85
    listed = modelver("list", "--experiments", "--json", cwd=repo.git).json["experiments"][0]["experiments"]
    assert {one["experiment"]: one["gate"]["ok"] for one in listed} == {"here": True, "there": True}
