"""`guard`: what production reports beside what its version recorded, and the step back that never flaps."""

from __future__ import annotations

import csv
import json
import math
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.commands.guarding.scores import Scorer, scored
from dvc_modelver.core.predictions import Predictions, measure_of
from dvc_modelver.core.records import Record
from tests.cli import shapes
from tests.cli.shapes import faults
from tests.cli.test_output import assert_harmless
from tests.reliability.tools import record_of
from tests.support import Clones, DvcRepo, Modelver, Templates, snapshot
from tests.support.runner import Result

GUARD = ("guard", "churn", "--stage", "prod", "--metrics", "live.json")


def version(repo: DvcRepo, modelver: Modelver, depth: int, *more: str) -> None:
    """Train and release; prod holds it.  Its AUC is 0.5 + depth / 20."""
    repo.fake_train(depth)
    modelver("release", "churn", "--stage", "prod", "--offline", "--no-card", *more, cwd=repo.git)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, templates: Templates, modelver: Modelver) -> Path:
    """v0.1.0 with an AUC of 0.7, v0.2.0 with 0.8 and v0.3.0 with 0.9, which prod holds; to be copied."""
    top = tmp_path_factory.mktemp("guarded")
    repo = templates.dvc(top)
    for depth in (4, 6, 8):
        version(repo, modelver, depth)
    return top


@pytest.fixture
def repo(start: Path, templates: Templates, tmp_path: Path) -> DvcRepo:
    """A copy of `start`."""
    import shutil

    found = templates.dvc(tmp_path)
    for folder in (found.path, found.store):
        shutil.rmtree(folder)
    shutil.copytree(start / "repo", found.path, symlinks=True)
    shutil.copytree(start / "store", found.store)
    found.git.clock.tick(36_000)
    return found


def report(repo: DvcRepo, name: str = "live.json", **metrics: object) -> None:
    """What production reports."""
    repo.git.write(name, json.dumps(metrics))


def policy(repo: DvcRepo, text: str) -> None:
    """The configuration, not committed."""
    repo.git.write(".modelver.yaml", text)


def guard(repo: DvcRepo, modelver: Modelver, *more: str, code: int) -> dict[str, object]:
    """The answer of `modelver guard`, whose shape holds."""
    answer = modelver(*GUARD, "--json", *more, cwd=repo.git, code=code).json
    assert faults(answer, shapes.GUARDED) == []
    found: dict[str, object] = answer
    return found


def held(repo: DvcRepo, modelver: Modelver) -> str:
    """What prod holds."""
    found = modelver("list", "--json", cwd=repo.git).json["models"][0]["stages"]["prod"]["version"]
    assert isinstance(found, str)
    return found


def recent(repo: DvcRepo, seconds: int) -> None:
    """What happens next happened so many seconds ago by the machine's clock."""
    repo.git.clock.seconds = int(time.time()) - seconds


# What is judged ---------------------------------------------------------------------------------------------------


def test_as_good_as_recorded(repo: DvcRepo, modelver: Modelver) -> None:
    """The version's own numbers are fine, with and without --rollback, and nothing is changed."""
    report(repo, auc=0.9, loss={"val": 1e-05})
    before = snapshot(repo.git)
    for more in ((), ("--rollback",), ("--rollback", "--dry-run")):
        answer = guard(repo, modelver, *more, code=0)
        assert (answer["ok"], answer["decision"], answer["version"], answer["changed"]) == (
            True,
            "keep",
            "v0.3.0",
            False,
        )
    assert snapshot(repo.git) == before


def test_below_is_said_and_nothing_is_done(repo: DvcRepo, modelver: Modelver) -> None:
    """Without --rollback: 1, the rule that is broken, where it would go back to, and nothing changed."""
    report(repo, auc=0.75)
    before = snapshot(repo.git)
    answer = guard(repo, modelver, code=1)
    assert (answer["ok"], answer["decision"], answer["to"], answer["changed"]) == (False, "roll-back", "v0.2.0", False)
    assert answer["reason"] == "auc: fell from 0.9 to 0.75"
    assert snapshot(repo.git) == before
    text = modelver(*GUARD, cwd=repo.git, code=1)
    assert "prod of churn is below with v0.3.0" in text.out
    assert "FAILED  auc" in text.out


@pytest.mark.parametrize(
    ("auc", "code"), [(0.9, 0), (0.85, 0), (0.849, 1), (0.79, 1), (0.95, 0)], ids=lambda value: str(value)
)
def test_the_gates_policy_holds(repo: DvcRepo, modelver: Modelver, auc: float, code: int) -> None:
    """Bounds are the gate's, inclusive, beside the version's own record."""
    policy(repo, "gate: {metrics: {auc: {min: 0.8, max_drop: 0.05}}}\n")
    report(repo, auc=auc)
    guard(repo, modelver, code=code)


def test_production_may_have_rules_of_its_own(repo: DvcRepo, modelver: Modelver) -> None:
    """`guard.metrics` is judged instead of the gate's rules, which may name what production cannot measure."""
    policy(repo, "gate: {metrics: {auc: {min: 0.8}, fairness: {min: 0.9}}}\nguard: {metrics: {auc: {max_drop: 10%}}}\n")
    report(repo, auc=0.82)
    assert [rule["rule"] for rule in guard(repo, modelver, code=0)["rules"]] == ["max_drop"]  # type: ignore[attr-defined]
    report(repo, auc=0.80)
    guard(repo, modelver, code=1)


BAD = {
    "empty": ("live.json", b""),
    "blank": ("live.json", b" \n"),
    "no metric": ("live.json", b"{}"),
    "NaN alone": ("live.json", b'{"auc": NaN}'),
    "infinite": ("live.json", b'{"auc": -Infinity}'),
    "a text": ("live.json", b'{"auc": "0.9"}'),
    "true": ("live.json", b'{"auc": true}'),
    "a number alone": ("live.json", b"0.9"),
    "other names": ("live.json", b'{"sales": 12}'),
    "not JSON": ("live.json", b"{auc"),
    "not UTF-8": ("live.json", b'{"auc\xff": 1}'),
    "a list of nothing": ("live.json", b"[]"),
    "a list of numbers": ("live.json", b"[1, 2]"),
    "an empty table": ("live.csv", b""),
    "a header alone": ("live.csv", b"label,prediction\n"),
    "wrong columns": ("live.csv", b"a,b\n1,2\n"),
    "no labels": ("live.csv", b"id,prediction\n1,2\n"),
    "labels that are missing": ("live.csv", b"label,prediction\n1,1\n,0\n"),
    "rows of different length": ("live.csv", b"label,prediction\n1\n"),
    "NaN as label": ("live.csv", b"label,prediction\nnan,1\n"),
    "binary": ("live.csv", b"\0\1\2"),
    "no predictions of what is recorded": ("live.csv", b"label,prediction\n1.5,2.5\n"),
    "no suffix that is known": ("live.txt", b'{"auc": 0.9}'),
}


@pytest.mark.parametrize("what", BAD)
def test_what_tells_nothing_is_never_fine(repo: DvcRepo, modelver: Modelver, what: str) -> None:
    """2 in one line and a hint, with --rollback too, and nothing changed."""
    name, data = BAD[what]
    repo.git.write(name, data)
    before = snapshot(repo.git)
    for more in ((), ("--rollback",)):
        words = ("guard", "churn", "--stage", "prod", "--metrics", name, *more)
        answer = modelver(*words, cwd=repo.git, code=2)
        assert answer.out == ""
        assert [line.split(":")[0] for line in answer.err.splitlines()] == ["error", "hint"], answer.err
    assert snapshot(repo.git) == before


def test_files_that_are_none(repo: DvcRepo, modelver: Modelver) -> None:
    """A missing file, a folder, a pipe and one that is too large are bad input, at once."""
    (repo.path / "folder.json").mkdir()
    os.mkfifo(repo.path / "pipe.json")
    with open(repo.path / "large.csv", "wb") as large:
        large.truncate(65 << 20)
    for name in ("none.json", "folder.json", "pipe.json", "large.csv"):
        modelver("guard", "churn", "--stage", "prod", "--metrics", name, cwd=repo.git, code=2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("guard", "churn", "--stage", "dev", "--metrics", "live.json"), 7),
        (("guard", "chrun", "--stage", "prod", "--metrics", "live.json"), 7),
        (("guard", "churn@v0.1.0", "--stage", "prod", "--metrics", "live.json"), 2),
        (("guard", "churn", "--stage", "prod", "--metrics", "live.json", "--push"), 2),
        (("guard", "churn", "--stage", "prod", "--metrics", "live.json", "--rollback", "--push", "--offline"), 2),
        (("guard", "churn", "--stage", "prod"), 2),
        (("guard", "churn", "--metrics", "live.json"), 2),
    ],
)
def test_bad_usage(repo: DvcRepo, modelver: Modelver, words: tuple[str, ...], code: int) -> None:
    """Unknown or empty stages and models, and options that do not go together."""
    report(repo, auc=0.9)
    modelver(*words, cwd=repo.git, code=code)


def test_an_emptied_stage(repo: DvcRepo, modelver: Modelver) -> None:
    """7, as everywhere."""
    report(repo, auc=0.1)
    modelver("withdraw", "churn#prod", "--offline", cwd=repo.git)
    modelver(*GUARD, "--rollback", cwd=repo.git, code=7)


@pytest.mark.parametrize(
    ("metrics", "code"), [({"auc": 0.9, "samples": 100}, 0), ({"auc": 0.9, "samples": 99}, 2), ({"auc": 0.9}, 2)]
)
def test_too_few_samples(repo: DvcRepo, modelver: Modelver, metrics: dict[str, object], code: int) -> None:
    """Below `guard.min_samples`, or of an unknown number: 2, neither fine nor below."""
    policy(repo, "guard: {min_samples: 100}\n")
    report(repo, **metrics)
    modelver(*GUARD, "--rollback", cwd=repo.git, code=code)


def test_a_table_of_too_few_rows(repo: DvcRepo, modelver: Modelver) -> None:
    """Rows count as samples."""
    policy(repo, "guard: {min_samples: 3, metrics: {accuracy: {min: 0.9}}}\n")
    repo.git.write("live.csv", "label,prediction\n1,0\n1,0\n")
    words = ("guard", "churn", "--stage", "prod", "--metrics", "live.csv")
    assert "2 samples, not enough to judge" in modelver(*words, cwd=repo.git, code=2).err
    repo.git.write("live.csv", "label,prediction\n1,0\n1,0\n1,0\n")
    modelver(*words, cwd=repo.git, code=1)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("guard: {cooldwn: 6h}", "guard.cooldown"),
        ("guard: {cooldown: 6}", "30m"),
        ("guard: {confirm: 0}", "1 to 100"),
        ("guard: {confirm: true}", "1 to 100"),
        ("guard: {margin: -1}", "not negative"),
        ("guard: {margin: .nan}", "not negative"),
        ("guard: {min_samples: many}", "number of samples"),
        ("guard: {metrics: {auc: {mni: 1}}}", "guard.metrics.auc.min"),
        ("guard: [1]", "mapping"),
    ],
)
def test_slips_in_the_policy(repo: DvcRepo, modelver: Modelver, text: str, hint: str) -> None:
    """Each is bad input and named, with what was meant."""
    policy(repo, text + "\n")
    report(repo, auc=0.9)
    assert hint in modelver(*GUARD, cwd=repo.git, code=2).err


# Numbers ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(data=st.data())
def test_scikit_learn_has_the_same_numbers(data: st.DataObject) -> None:
    """Accuracy, precision, recall, F1, ROC AUC, RMSE and MAE are scikit-learn's own on any two classes."""
    from sklearn import metrics

    size = data.draw(st.integers(2, 40))
    rows = st.lists(st.integers(0, 1), min_size=size, max_size=size)
    labels, guesses = data.draw(rows.filter(lambda x: len({*x}) == 2)), data.draw(rows)
    scores = data.draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    scorer = Scorer(Predictions(labels=_floats(labels), predictions=_floats(guesses), scores=tuple(scores)))
    wanted = {
        "accuracy": metrics.accuracy_score(labels, guesses),
        "test_precision": metrics.precision_score(labels, guesses, zero_division=0),
        "recall": metrics.recall_score(labels, guesses, zero_division=0),
        "f1_score": metrics.f1_score(labels, guesses, zero_division=0),
        "f1_macro": metrics.f1_score(labels, guesses, average="macro", zero_division=0),
        "auc": metrics.roc_auc_score(labels, scores),
        "rmse": math.sqrt(metrics.mean_squared_error(labels, guesses)),
        "neg_mae": -metrics.mean_absolute_error(labels, guesses),
    }
    for key, value in wanted.items():
        measure = measure_of(key)
        assert measure is not None
        assert scorer.score(measure) == pytest.approx(value, abs=1e-12), key


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def test_which_class_is_positive() -> None:
    """By its name, else the larger; also when only one class is left in production."""
    words = Scorer(Predictions(labels=("yes", "no", "no"), predictions=("yes", "yes", "no")))
    assert (words.positive, _score(words, "precision"), _score(words, "recall")) == ("yes", 0.5, 1.0)
    zeros = Scorer(Predictions(labels=(0.0, 0.0), predictions=(0.0, 0.0), scores=(0.1, 0.2)))
    assert (_score(zeros, "accuracy"), _score(zeros, "auc")) == (1.0, None)


@pytest.mark.parametrize("key", ["precision", "recall", "f1"])
def test_a_report_without_the_class_does_not_tell_about_it(key: str) -> None:
    """Where no sample is positive recall is 0 of 0, which is no reason to leave a version; with one it is counted."""
    quiet = Scorer(Predictions(labels=(0.0, 0.0, 0.0), predictions=(0.0, 0.0, 1.0)))
    assert _score(quiet, key) is None
    missed = Scorer(Predictions(labels=(0.0, 1.0), predictions=(0.0, 0.0)))
    assert _score(missed, key) == 0.0


def test_constant_labels_have_no_r2() -> None:
    """There is no variance to explain: scikit-learn's 0 would look like a bad model."""
    assert _score(Scorer(Predictions(labels=(2.0, 2.0), predictions=(2.1, 1.9))), "r2") is None
    assert _score(Scorer(Predictions(labels=(2.0, 3.0), predictions=(2.0, 3.0))), "r2") == 1.0


def test_a_quiet_hour_is_no_reason_to_go_back(repo: DvcRepo, modelver: Modelver) -> None:
    """Without one positive label a rule on recall cannot be judged: 2, with --rollback too, and nothing is changed."""
    policy(repo, "guard: {metrics: {recall: {min: 0.5}}}\n")
    repo.git.write("live.csv", "label,prediction\n" + "0,0\n" * 30)
    before = snapshot(repo.git)
    words = ("guard", "churn", "--stage", "prod", "--metrics", "live.csv", "--rollback")
    assert "does not tell about recall" in modelver(*words, cwd=repo.git, code=2).err
    assert snapshot(repo.git) == before


@pytest.mark.parametrize("rows", ["yes,1\nno,0\n", "yes,0.9\nno,0.2\n", "1,yes\n0,no\n"])
def test_words_and_numbers_are_not_compared(repo: DvcRepo, modelver: Modelver, rows: str) -> None:
    """Labels that are words beside predictions that are numbers agree nowhere: the report is at fault."""
    policy(repo, "guard: {metrics: {accuracy: {min: 0.5}}}\n")
    repo.git.write("live.csv", f"label,prediction\n{rows}")
    words = ("guard", "churn", "--stage", "prod", "--metrics", "live.csv", "--rollback")
    assert "words" in modelver(*words, cwd=repo.git, code=2).err
    assert held(repo, modelver) == "v0.3.0"


def test_a_report_that_says_two_things(repo: DvcRepo, modelver: Modelver) -> None:
    """A metric that stands twice in JSON is judged by neither of its values."""
    repo.git.write("live.json", '{"auc": 0.1, "auc": 0.95}')
    assert "key 'auc' twice" in modelver(*GUARD, "--rollback", cwd=repo.git, code=2).err


def test_a_report_of_no_samples(repo: DvcRepo, modelver: Modelver) -> None:
    """What was measured of nothing is not judged, with no policy too."""
    report(repo, auc=0.1, samples=0)
    assert "0 samples" in modelver(*GUARD, "--rollback", cwd=repo.git, code=2).err
    assert held(repo, modelver) == "v0.3.0"


def test_of_several_classes_nothing_is_guessed() -> None:
    """F1 of three classes needs an average or a class in its name."""
    three = Scorer(Predictions(labels=("a", "b", "c"), predictions=("a", "b", "b")))
    assert _score(three, "f1") is None
    assert _score(three, "f1_macro") == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert _score(three, "b.recall") == 1.0


def _score(scorer: Scorer, key: str) -> float | None:
    measure = measure_of(key)
    assert measure is not None
    return scorer.score(measure)


def test_which_record_a_score_stands_beside() -> None:
    """The leading one of its kind: never that of the training, unless the policy names it."""
    rows = Predictions(labels=(1.0, 0.0), predictions=(1.0, 1.0))
    recorded = {"m.json": {"train.accuracy": 1.0, "val.accuracy": 0.9, "test.accuracy": 0.8}}
    assert scored(rows, recorded, (), {}, "live.csv") == {"m.json": {"test.accuracy": 0.5}}
    assert scored(rows, {"train_m.json": {"accuracy": 1.0}}, (), {}, "live.csv") == {}
    named = scored(rows, recorded, ("train.accuracy",), {}, "live.csv")
    assert named == {"m.json": {"train.accuracy": 0.5, "test.accuracy": 0.5}}
    assert scored(rows, {}, ("accuracy",), {}, "live.csv") == {"live.csv": {"accuracy": 0.5}}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
def test_labelled_predictions(repo: DvcRepo, modelver: Modelver, suffix: str) -> None:
    """A table of labels, predictions and scores is scored and judged, in each format, with other column names."""
    luck = random.Random(4)
    rows = []
    for _ in range(200):
        label = luck.randrange(2)
        score = luck.gauss(label, 0.9)
        rows.append({"y_true": label, "y_pred": int(score > 0.5), "y_score": score, "other": "x"})
    from sklearn.metrics import roc_auc_score

    auc = roc_auc_score([row["y_true"] for row in rows], [row["y_score"] for row in rows])
    path = repo.path / f"live.{suffix}"
    if suffix in ("csv", "tsv"):
        with open(path, "w", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]), delimiter="," if suffix == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text(json.dumps(rows) if suffix == "json" else "\n".join(map(json.dumps, rows)))
    policy(repo, f"gate: {{metrics: {{auc: {{min: {auc + 0.001}}}}}}}\n")
    answer = modelver("guard", "churn", "--stage", "prod", "--metrics", path.name, "--json", cwd=repo.git, code=1).json
    (rule,) = answer["rules"]
    assert (rule["file"], rule["metric"], rule["value"]) == ("metrics.json", "auc", pytest.approx(auc))
    assert (answer["reports"][0]["samples"], answer["reports"][0]["ok"]) == (200, False)


# The step back ----------------------------------------------------------------------------------------------------


def test_it_goes_back_with_its_evidence(repo: DvcRepo, modelver: Modelver) -> None:
    """A new promote event of the version before: reason, metric, limit, value, samples, digest; a note on the bad."""
    import hashlib

    report(repo, auc=0.75, samples=1200)
    answer = guard(repo, modelver, "--rollback", code=1)
    assert (answer["decision"], answer["to"], answer["changed"], answer["tag"]) == (
        "roll-back",
        "v0.2.0",
        True,
        "churn#prod#4",
    )
    assert held(repo, modelver) == "v0.2.0"
    record: Record = record_of(repo.git, "churn#prod#4")
    digest = f"sha256:{hashlib.sha256((repo.path / 'live.json').read_bytes()).hexdigest()}"
    assert (record.version, record.rolled_back_from, record.reason) == (
        "v0.2.0",
        "v0.3.0",
        "guard: auc: fell from 0.9 to 0.75",
    )
    assert dict(record.extra) == {
        "Guard-Evidence": digest,
        "Guard-Metric": "auc",
        "Guard-Rule": "not_worse",
        "Guard-Limit": "up",
        "Guard-Value": "0.75",
        "Guard-Reference": "0.9",
        "Guard-Samples": "1200",
    }
    message = repo.git("cat-file", "tag", "churn#prod#4")
    assert "production reports of 1,200 samples" in message
    (note,) = modelver("show", "churn@v0.3.0", "--json", cwd=repo.git).json["notes"]
    assert (note["kind"], note["event"], note["to"], note["evidence"]) == ("guard", "churn#prod#4", "v0.2.0", [digest])
    assert note["rules"] == [{"metric": "auc", "rule": "not_worse", "limit": "up", "value": 0.75, "reference": 0.9}]
    said = modelver("show", "churn@v0.3.0", cwd=repo.git).out
    (line,) = (line for line in said.splitlines() if line.startswith("  guard on "))
    assert line.endswith(": auc: fell from 0.9 to 0.75")


def test_the_same_evidence_twice_is_one_step(repo: DvcRepo, modelver: Modelver) -> None:
    """The second time nothing is changed, whatever the earlier version recorded: 1, and the event is named."""
    policy(repo, "guard: {cooldown: 0}\n")
    report(repo, auc=0.75)
    assert guard(repo, modelver, "--rollback", code=1)["changed"]
    before = snapshot(repo.git)
    for more in (("--rollback",), ("--rollback", "--dry-run"), ()):
        answer = guard(repo, modelver, *more, code=1)
        assert (answer["decision"], answer["changed"], answer["to"]) == ("keep", False, None)
        assert answer["reason"] == "already rolled back: churn#prod#4"
    assert snapshot(repo.git) == before


def test_the_same_evidence_that_the_earlier_version_would_pass(repo: DvcRepo, modelver: Modelver) -> None:
    """An AUC of 0.85 is bad for v0.3.0 and good for v0.2.0: the report still is of v0.3.0."""
    report(repo, auc=0.85)
    guard(repo, modelver, "--rollback", code=1)
    answer = guard(repo, modelver, "--rollback", code=1)
    assert (answer["version"], answer["against"], answer["reason"]) == (
        "v0.2.0",
        "churn@v0.3.0",
        "already rolled back: churn#prod#4",
    )


def test_a_dry_run_is_the_plan(repo: DvcRepo, modelver: Modelver) -> None:
    """It names the event and the note, and changes nothing; the real one makes those."""
    report(repo, auc=0.75)
    before = snapshot(repo.git)
    plan = guard(repo, modelver, "--rollback", "--dry-run", code=1)
    assert snapshot(repo.git) == before
    assert plan["steps"] == [
        {"do": "git tag", "target": "churn#prod#4"},
        {"do": "git notes append", "target": "churn@v0.3.0"},
    ]
    text = modelver(*GUARD, "--rollback", "--dry-run", cwd=repo.git, code=1).out
    assert "would go back from v0.3.0 to v0.2.0" in text
    assert "This would be done:" in text
    done = guard(repo, modelver, "--rollback", code=1)
    assert {**done, "dry_run": True} == {**plan, "published": done["published"]}


def test_gto_reads_the_same_holder(repo: DvcRepo, modelver: Modelver) -> None:
    """GTO's own look at the tags says that prod went back."""
    from tests.support import GtoOracle

    report(repo, auc=0.75)
    guard(repo, modelver, "--rollback", code=1)
    last = max(GtoOracle(repo.git).history(), key=lambda row: str(row["timestamp"]))
    assert (last["event"], last["stage"], last["version"]) == ("assignment", "prod", "v0.2.0")


# It never flaps ---------------------------------------------------------------------------------------------------


def test_the_cool_down_is_of_the_stages_own_events(repo: DvcRepo, modelver: Modelver) -> None:
    """Within six hours after a rollback a new bad report waits; after that it acts, and goes one further."""
    report(repo, auc=0.75)
    recent(repo, 5 * 3600)
    guard(repo, modelver, "--rollback", code=1)
    report(repo, auc=0.6)
    before = snapshot(repo.git)
    answer = guard(repo, modelver, "--rollback", code=1)
    assert (answer["decision"], answer["changed"]) == ("wait", False)
    assert "cooling down for 1 h 0 min more" in str(answer["reason"])
    assert snapshot(repo.git) == before
    policy(repo, "guard: {cooldown: 4h}\n")
    assert guard(repo, modelver, "--rollback", code=1)["to"] == "v0.1.0"
    assert held(repo, modelver) == "v0.1.0"


def test_a_clock_that_runs_ahead(repo: DvcRepo, modelver: Modelver) -> None:
    """An event of the future counts as of now: it cools down, and nothing fails."""
    report(repo, auc=0.75)
    recent(repo, -86_400)
    guard(repo, modelver, "--rollback", code=1)
    report(repo, auc=0.6)
    assert "cooling down for 6 h 0 min more" in str(guard(repo, modelver, "--rollback", code=1)["reason"])


def test_never_to_what_a_rollback_left(repo: DvcRepo, modelver: Modelver) -> None:
    """v0.3.0 was left: neither a second step nor a third goes there, and at the end there is nothing: 3."""
    policy(repo, "guard: {cooldown: 0}\n")
    for auc, to in ((0.75, "v0.2.0"), (0.65, "v0.1.0")):
        report(repo, auc=auc)
        assert guard(repo, modelver, "--rollback", code=1)["to"] == to
    report(repo, auc=0.6)
    before = snapshot(repo.git)
    answer = guard(repo, modelver, "--rollback", code=3)
    assert (answer["decision"], answer["to"], answer["changed"]) == ("refused", None, False)
    assert snapshot(repo.git) == before


def test_a_bad_version_that_somebody_promotes_again(repo: DvcRepo, modelver: Modelver) -> None:
    """It is guarded as any other; and it is nothing to go back to when a later one is bad."""
    policy(repo, "guard: {cooldown: 0}\n")
    report(repo, auc=0.75)
    guard(repo, modelver, "--rollback", code=1)
    modelver("promote", "churn@v0.3.0", "prod", "--offline", cwd=repo.git)
    answer = guard(repo, modelver, code=1)
    assert (answer["decision"], answer["to"]) == ("roll-back", "v0.2.0")
    version(repo, modelver, 9)
    assert guard(repo, modelver, "--rollback", code=1)["to"] == "v0.2.0"


def test_reports_must_agree(repo: DvcRepo, modelver: Modelver) -> None:
    """With `confirm: 2` one bad report waits, the same twice waits, two in a row act, a good one between ends it."""
    policy(repo, "guard: {confirm: 2}\n")
    for name, auc in (("a", 0.7), ("b", 0.71), ("good", 0.95)):
        report(repo, f"{name}.json", auc=auc)

    def decision(*names: str, code: int = 1) -> object:
        more = [word for name in names for word in ("--metrics", f"{name}.json")]
        answer = modelver("guard", "churn", "--stage", "prod", *more, "--rollback", "--json", cwd=repo.git, code=code)
        assert faults(answer.json, shapes.GUARDED) == []
        return answer.json["decision"]

    assert decision("a") == decision("a", "a") == decision("a", "good", "b") == "wait"
    assert decision("a", "b", "good", code=0) == "keep"
    assert held(repo, modelver) == "v0.3.0"
    assert decision("good", "a", "b") == "roll-back"
    extra = record_of(repo.git, "churn#prod#4").extra
    assert len([value for key, value in extra if key == "Guard-Evidence"]) == 2
    assert decision("good", "a", "b") == "keep"


@pytest.mark.parametrize(
    ("margin", "auc", "decision"),
    [("0.05", 0.86, "wait"), ("0.05", 0.85, "wait"), ("0.05", 0.849, "roll-back"), ("10%", 0.82, "wait")],
)
def test_the_margin(repo: DvcRepo, modelver: Modelver, margin: str, auc: float, decision: str) -> None:
    """Past its bound by no more than that is said, 1, and nothing is done."""
    policy(repo, f"guard: {{margin: {margin}}}\n")
    report(repo, auc=auc)
    assert guard(repo, modelver, "--rollback", code=1)["decision"] == decision


# Pre-flight -------------------------------------------------------------------------------------------------------


def _object(repo: DvcRepo, tag: str) -> str:
    digest = record_of(repo.git, tag).digest
    assert digest is not None
    return digest.removeprefix("md5:")


def _remove(repo: DvcRepo) -> None:
    """The bytes of v0.2.0 are nowhere."""
    md5 = _object(repo, "churn@v0.2.0")
    for folder in (repo.cache, repo.store / "files/md5"):
        (folder / md5[:2] / md5[2:]).unlink()


def _corrupt(repo: DvcRepo) -> None:
    """The cache's object is altered."""
    path = repo.object_path(_object(repo, "churn@v0.2.0"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-2] + b"9\n")


def _policy(repo: DvcRepo) -> None:
    """What v0.2.0 recorded is below a bound."""
    policy(repo, "gate: {metrics: {auc: {min: 0.85}}}\n")


def _card(repo: DvcRepo) -> None:
    """The stage asks for a card that v0.2.0 does not have."""
    policy(repo, "cards: {required: {prod: [Limitations]}}\n")


def _moved(repo: DvcRepo) -> None:
    """The tag of v0.2.0 is another version's object."""
    repo.git("update-ref", "refs/tags/churn@v0.2.0", repo.git.rev("refs/tags/churn@v0.1.0"))


def _tagged_again(repo: DvcRepo) -> None:
    """Somebody moved the tag of v0.2.0 to the commit of v0.1.0, in due form."""
    repo.git("tag", "-f", "-a", "-m", "Again", "churn@v0.2.0", "churn@v0.1.0^{commit}")


@pytest.mark.parametrize("damage", [_remove, _corrupt, _policy, _card, _moved, _tagged_again], ids=lambda d: d.__name__)
def test_an_earlier_version_that_is_not_fit(repo: DvcRepo, modelver: Modelver, damage: object) -> None:
    """3 with the reason, nothing changed: bytes missing or corrupt, below the policy, no card, a moved tag."""
    assert callable(damage)
    damage(repo)
    report(repo, auc=0.5)
    before = snapshot(repo.git)
    answer = guard(repo, modelver, "--rollback", code=3)
    assert (answer["decision"], answer["to"], answer["changed"]) == ("refused", "v0.2.0", False)
    assert "v0.2.0" in str(answer["reason"])
    assert "no rollback" in modelver(*GUARD, "--rollback", cwd=repo.git, code=3).out
    assert guard(repo, modelver, code=1)["decision"] == "roll-back"
    assert snapshot(repo.git) == before


def test_bytes_that_only_the_remote_has(repo: DvcRepo, modelver: Modelver) -> None:
    """They are fetched, and the stage goes back."""
    path = repo.object_path(_object(repo, "churn@v0.2.0"))
    path.unlink()
    report(repo, auc=0.5)
    assert guard(repo, modelver, "--rollback", code=1)["changed"]
    assert path.exists()


def test_a_withdrawn_version_is_passed_over(repo: DvcRepo, modelver: Modelver) -> None:
    """The nearest earlier one that is in use takes over."""
    modelver("withdraw", "churn@v0.2.0", "-m", "bad", "--yes", "--offline", cwd=repo.git)
    report(repo, auc=0.5)
    assert guard(repo, modelver, "--rollback", code=1)["to"] == "v0.1.0"


def test_a_retired_model(repo: DvcRepo, modelver: Modelver) -> None:
    """Nothing is promoted any more: 3."""
    modelver("retire", "churn", "--offline", cwd=repo.git)
    report(repo, auc=0.5)
    assert "retired" in str(guard(repo, modelver, "--rollback", code=3)["reason"])


# Between clones ---------------------------------------------------------------------------------------------------


@pytest.fixture
def clones(two_clones: Clones, modelver: Modelver) -> Clones:
    """Both have v0.1.0 and v0.2.0, which prod holds, all published."""
    ada, bao = two_clones.ada, two_clones.bao
    for depth in (4, 8):
        ada.fake_train(depth)
        ada.git("push", "-q", "origin", "main")
        modelver("release", "churn", "--stage", "prod", "--push", "--no-card", cwd=ada.git)
    bao.git("pull", "-q", "--ff-only", "--tags")
    for who in (ada, bao):
        report(who, auc=0.6)
    return two_clones


def test_push_publishes_event_and_note(clones: Clones, modelver: Modelver) -> None:
    """After a fetch the colleague sees both, and does nothing for the same report."""
    answer = guard(clones.ada, modelver, "--rollback", "--push", code=1)
    assert (answer["published"], answer["tag"]) == (True, "churn#prod#3")
    assert clones.hub.rev("refs/tags/churn#prod#3") == clones.ada.git.rev("refs/tags/churn#prod#3")
    assert clones.hub.rev("refs/notes/modelver") == clones.ada.git.rev("refs/notes/modelver")
    clones.bao.git("fetch", "-q", "--tags")
    for more in ((), ("--dry-run",)):
        answer = guard(clones.bao, modelver, "--rollback", *more, code=1)
        assert (answer["reason"], answer["changed"]) == ("already rolled back: churn#prod#3", False)
    guard(clones.bao, modelver, "--rollback", "--push", code=1)
    assert clones.hub.rev("refs/notes/modelver") == clones.bao.git.rev("refs/notes/modelver")
    assert guard(clones.bao, modelver, "--rollback", "--push", code=1)["changed"] is False
    notes = modelver("show", "churn@v0.2.0", "--json", cwd=clones.bao.git).json["notes"]
    assert [note["by"]["name"] for note in notes] == [clones.ada.git("config", "user.name") or "Ada Lovelace"]


def test_a_clone_that_is_behind(clones: Clones, modelver: Modelver) -> None:
    """What the remote knows of the stage, and this clone does not, is a conflict: 4, nothing changed."""
    guard(clones.ada, modelver, "--rollback", "--push", code=1)
    before = snapshot(clones.bao.git)
    for more in ((), ("--push",), ("--dry-run",)):
        error = modelver(*GUARD, "--rollback", *more, cwd=clones.bao.git, code=4).err
        assert "churn#prod#3" in error
        assert "hint: git fetch --tags" in error
    assert snapshot(clones.bao.git) == before


def test_what_was_not_published_is_published_later(clones: Clones, modelver: Modelver) -> None:
    """The same command with --push publishes that very event and its note, and makes no other."""
    assert guard(clones.ada, modelver, "--rollback", code=1)["published"] is False
    oid = clones.ada.git.rev("refs/tags/churn#prod#3")
    answer = guard(clones.ada, modelver, "--rollback", "--push", code=1)
    assert (answer["changed"], answer["decision"], answer["published"]) == (True, "keep", True)
    assert clones.hub.rev("refs/tags/churn#prod#3") == oid
    assert clones.hub.rev("refs/notes/modelver") == clones.ada.git.rev("refs/notes/modelver")
    assert guard(clones.ada, modelver, "--rollback", "--push", code=1)["changed"] is False


def test_a_killed_guards_note_is_written_later(repo: DvcRepo, modelver: Modelver) -> None:
    """An event without its note: the same command writes the note, once."""
    report(repo, auc=0.75)
    guard(repo, modelver, "--rollback", code=1)
    repo.git("update-ref", "-d", "refs/notes/modelver")
    answer = guard(repo, modelver, "--rollback", code=1)
    assert (answer["decision"], answer["changed"]) == ("keep", True)
    assert guard(repo, modelver, "--rollback", code=1)["changed"] is False
    (note,) = modelver("show", "churn@v0.3.0", "--json", cwd=repo.git).json["notes"]
    assert (note["event"], note["to"]) == ("churn#prod#4", "v0.2.0")


# What strangers write ---------------------------------------------------------------------------------------------


def test_hostile_reports(repo: DvcRepo, modelver: Modelver) -> None:
    """Names with escapes, line breaks and secrets reach neither terminal, event nor note as they are."""
    token = "ghp_" + "a1B2" * 9
    name = f"auc\x1b[31m\nModelver-Format: 1\n{token}"
    policy(repo, f"guard: {{metrics: {{{json.dumps(name)}: {{min: 0.9}}}}}}\n")
    repo.git.write("live.json", json.dumps({name: 0.5}))
    result: Result = modelver(*GUARD, "--rollback", cwd=repo.git, code=1)
    assert_harmless(result.out + result.err)
    message = repo.git("cat-file", "tag", "churn#prod#4")
    assert message.count("\nModelver-Format: 1\n") == 1
    assert "\x1b" not in message
    notes = repo.git("notes", "--ref=modelver", "show", repo.git.rev("refs/tags/churn@v0.3.0"))
    for text in (result.out, result.err, message, notes):
        assert token not in text
    assert record_of(repo.git, "churn#prod#4").rolled_back_from == "v0.3.0"


def test_odd_numbers(repo: DvcRepo, modelver: Modelver) -> None:
    """Counts and values of thousands of digits are bad input or no count, not a crash."""
    repo.git.write("live.yaml", f"auc: 0.9\nsamples: 0x{'f' * 9000}\n")
    modelver("guard", "churn", "--stage", "prod", "--metrics", "live.yaml", cwd=repo.git)
    repo.git.write("live.yaml", f"auc: 0x{'f' * 9000}\n")
    modelver("guard", "churn", "--stage", "prod", "--metrics", "live.yaml", "--rollback", cwd=repo.git, code=2)


def test_a_record_that_names_no_version(repo: DvcRepo, modelver: Modelver) -> None:
    """A tag made by hand whose record is odd costs only what it says."""
    import hashlib

    report(repo, auc=0.6)
    digest = hashlib.sha256((repo.path / "live.json").read_bytes()).hexdigest()
    record = (
        "Modelver-Format: 1\nModelver-Event: promote\nModelver-Model: churn\nModelver-Version: v0.3.0\n"
        f"Modelver-Rolled-Back-From: ../x\nModelver-Guard-Evidence: sha256:{digest}\n"
    )
    repo.git.tag("churn#prod#4", f"By hand\n\n{record}")
    answer = guard(repo, modelver, "--rollback", code=1)
    assert (answer["reason"], answer["changed"]) == ("already rolled back: churn#prod#4", False)
