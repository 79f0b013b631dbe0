"""`compare`: agrees with `dvc metrics diff` and `dvc params diff`, resolves references, says which bump follows."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.support import Clock, DvcRepo, Git, Modelver, Result, Templates

Run = Callable[..., Result]
PIPELINE_METRICS = "metrics:\n- extra.json\nparams:\n- more.yaml\n"


def caller(git: Git, modelver: Modelver) -> Run:
    """`modelver` in `git`, the clock ticking before each command."""

    def call(*args: str | Path, **options: Any) -> Result:
        git.clock.tick()
        return modelver(*args, cwd=options.pop("cwd", git), **options)

    return call


@pytest.fixture(scope="module")
def history_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """Built once, for `history` to copy."""
    repo = templates.dvc(tmp_path_factory.mktemp("history"))
    git = repo.git
    dvc_yaml = (repo.path / "dvc.yaml").read_text()
    git.tag("churn@v0.1.0")
    git.tag("churn#prod#1")
    metrics = {
        "auc": 0.30000000000000004,
        "loss": {"val": {"mean": 1e-05, "std": 3}},
        "a.b": 7,
        "text": "good",
        "gone": 1,
        "nan": 0.5,
        "big": 12345678901234567890,
    }
    params = "prepare:\n  keep: 30\ntrain:\n  lr: 1e-05\n  depth: 6\n  on: yes\n  dotted.key: 1\n  list: [1, 2]\n"
    git.commit("Measure", {"metrics.json": json.dumps(metrics), "params.yaml": params})
    git.tag("churn@v0.2.0")
    metrics = {**metrics, "auc": 0.1, "a.b": 8.5, "text": "bad", "nan": math.nan, "new": -1, "loss": {"val": 3}}
    del metrics["gone"]
    git.commit(
        "Measure more",
        {
            "metrics.json": json.dumps(metrics),
            "extra.json": '{"rmse": 2.5, "deep": {"er": 1}}',
            "dvc.yaml": dvc_yaml + PIPELINE_METRICS,
            "params.yaml": params.replace("1e-05", "1e3").replace("dotted.key: 1", "dotted.key: x").replace("2]", "3]"),
            "more.yaml": "optimizer:\n  name: adam\n  beta: 0.9\n",
            "README.md": "# Another\n",
            "docs/why.md": "Because\n",
        },
    )
    git.tag("churn@v0.3.0")
    git("checkout", "-q", "-b", "feature/metrics")
    (repo.path / "more.yaml").unlink()
    (repo.path / "extra.json").unlink()
    git.commit("Measure less", {"dvc.yaml": dvc_yaml})
    git("checkout", "-q", "main")
    return repo


@pytest.fixture
def history(history_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """churn@v0.1.0 (in prod), v0.2.0, v0.3.0 at HEAD, whose metrics and params differ in every way, and a branch."""
    shutil.copytree(history_template.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(
        tmp_path / history_template.path.name, history_template.git.home, Clock(history_template.git.clock.seconds)
    )
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, tmp_path / history_template.store.name)


@pytest.fixture
def run(history: DvcRepo, modelver: Modelver) -> Run:
    """`modelver` in `history`."""
    return caller(history.git, modelver)


# Against DVC ----------------------------------------------------------------------------------------------------


def finite(value: object) -> object:
    """As JSON of ours has it: no number that JSON has no word for, a list as compact JSON."""
    if isinstance(value, str) and value.startswith("["):
        return value.replace(", ", ",")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def said_by_dvc(answer: dict[str, Any]) -> Iterator[tuple[str, str, object, object, object]]:
    """(file, key, old, new, difference), sorted; without what was NaN and is NaN, which DVC takes for a change."""
    rows = (
        (file, key, finite(cell.get("old")), finite(cell.get("new")), finite(cell.get("diff")))
        for file, keys in answer.items()
        for key, cell in keys.items()
    )
    yield from sorted((row for row in rows if row[2] != row[3] or row[2] != "NaN"), key=lambda row: row[:2])


def said_by_us(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, object, object, object]]:
    """The same of two points; DVC writes a dot inside a key as any other."""
    found = (
        (row["file"], row["key"].replace("\\.", "."), *row["values"], row.get("deltas", [None, None])[1])
        for row in rows
    )
    yield from sorted(found, key=lambda row: row[:2])


def test_every_pair_agrees_with_dvc(history: DvcRepo, run: Run) -> None:
    """What differs between any two points, the work tree too, is what DVC says, to the last digit."""
    points = ["churn@v0.1.0", "churn@v0.2.0", "churn@v0.3.0", "feature/metrics"]
    history.git.write("metrics.json", '{"auc": 0.7, "inf": 1e999}')
    history.git.write("params.yaml", "train:\n  lr: 0.25\n  depth: 0x10\n")
    pairs = [*itertools.permutations(points, 2), *((point, None) for point in points)]
    commands = [[kind, "diff", "--json", *filter(None, pair)] for pair in pairs for kind in ("metrics", "params")]
    lines = [json.loads(line) for line in history.dvc(*commands).splitlines() if line.strip()]
    assert len(lines) == len(commands)
    for at, pair in enumerate(pairs):
        answer = run("compare", pair[0], pair[1] or ".", "--only-changed", "--json").json
        metrics, params = lines[2 * at : 2 * at + 2]
        assert list(said_by_us(answer["metrics"])) == list(said_by_dvc(metrics)), pair
        # DVC has no difference for params that are numbers unless it feels like it; the values are what counts.
        ours, theirs = ([row[:4] for row in rows] for rows in (said_by_us(answer["params"]), said_by_dvc(params)))
        assert ours == theirs, pair
    assert len({json.dumps(line) for line in lines}) > 12  # there was something to differ about


def test_values_are_those_of_show(history: DvcRepo, run: Run) -> None:
    """Unfiltered, a version has the params and metrics that `show` has."""
    answer = run("compare", "churn@v0.2.0", "churn@v0.3.0", "--json").json
    for at, version in enumerate(("churn@v0.2.0", "churn@v0.3.0")):
        shown = run("show", version, "--json").json
        for part in ("metrics", "params"):
            expected = [(file, key, value) for file, keys in shown[part].items() for key, value in keys.items()]
            ours = [(row["file"], row["key"], row["values"][at]) for row in answer[part]]
            assert sorted(map(repr, expected)) == sorted(repr(row) for row in ours if row[2] is not None)


# The answer -----------------------------------------------------------------------------------------------------


def test_json(history: DvcRepo, run: Run) -> None:
    """All parts of the contract, each row parallel to the versions."""
    answer = run("compare", "churn#prod", "churn@v0.3.0", "feature/metrics", ".", "--json").json
    assert answer["base"] == "churn#prod"
    assert [(v["ref"], v["name"], v["version"]) for v in answer["versions"]] == [
        ("churn#prod", "churn", "v0.1.0"),
        ("churn@v0.3.0", "churn", "v0.3.0"),
        ("feature/metrics", "churn", None),
        (".", "churn", None),
    ]
    git = history.git
    assert [v["commit"] for v in answer["versions"]] == [
        *(git.rev(f"{rev}^{{commit}}") for rev in ("churn@v0.1.0", "churn@v0.3.0", "feature/metrics")),
        None,
    ]
    for part in ("metrics", "params", "data", "code", "environment", "artifact"):
        assert all(len(row["values"]) == 4 for row in answer[part])
    (auc,) = (row for row in answer["metrics"] if row["key"] == "auc")
    assert auc == {
        "file": "metrics.json",
        "key": "auc",
        "values": [0.8, 0.1, 0.1, 0.1],
        "deltas": [None, 0.1 - 0.8, 0.1 - 0.8, 0.1 - 0.8],
        "better": "up",
    }
    (nan,) = (row for row in answer["metrics"] if row["key"] == "nan")
    assert nan["values"] == [None, "NaN", "NaN", "NaN"]
    assert [row["path"] for row in answer["data"]] == ["data/prepared.csv", "data/raw.csv"]
    sources = ["src/evaluate.py", "src/prepare.py", "src/train.py"]
    assert [(row["path"], row["change"]) for row in answer["code"]] == [(path, "unchanged") for path in sources]
    assert {row["key"] for row in answer["artifact"]} == {"path", "type", "kind", "digest", "size"}
    assert answer["bump"]["level"] == "minor"
    assert all(isinstance(reason, str) for reason in answer["bump"]["reasons"])


def test_only_changed(run: Run) -> None:
    """Rows in which all values are equal go, and no other."""
    whole = run("compare", "churn@v0.2.0", "churn@v0.3.0", "--json").json
    less = run("compare", "churn@v0.2.0", "churn@v0.3.0", "--only-changed", "--json").json
    for part in ("metrics", "params"):
        assert less[part] == [row for row in whole[part] if row["values"][0] != row["values"][1]]
        assert 0 < len(less[part]) < len(whole[part])
    assert less["data"] == less["code"] == less["artifact"] == []
    assert less["bump"] == whole["bump"]


def test_other_files_of_the_repository(history: DvcRepo, run: Run) -> None:
    """Files that no row speaks of are counted, between commits alone."""
    answer = run("compare", "churn@v0.2.0", "churn@v0.3.0", ".", "--json").json
    changed = history.git("diff", "--name-only", "churn@v0.2.0", "churn@v0.3.0").splitlines()
    assert sorted(changed) == sorted(
        ["README.md", "docs/why.md", "dvc.yaml", "extra.json", "metrics.json", "more.yaml", "params.yaml"]
    )
    assert answer["other_files"] == [None, 2, None]


def test_text(run: Run) -> None:
    """Aligned sections, arrows with their meaning, and the bump with its reasons."""
    text = run("compare", "churn@v0.1.0", "churn@v0.2.0").out
    lines = text.splitlines()
    (auc,) = (line for line in lines if line.startswith("auc"))
    assert auc.split() == ["auc", "0.8", "0.3", "↓", "-0.5", "(-62.5%)", "(worse)"]
    assert lines[-2:] == ["Bump: patch", "  only the metrics differ"]
    assert [line for line in lines if line in ("Metrics", "Params", "Data", "Code", "Pipeline", "Artifact")]
    three = run("compare", "churn@v0.1.0", "churn@v0.2.0", "churn@v0.3.0", "--only-changed").out
    assert next(line for line in three.splitlines() if "auc" in line).split() == [
        *("metrics.json:auc", "0.8", "0.3", "↓", "(worse)", "0.1", "↓", "(worse)")
    ]


@pytest.mark.parametrize("form", [(), ("--md",), ("--csv",), ("--json",)])
def test_values_of_all_kinds_can_be_shown(history: DvcRepo, run: Run, form: tuple[str, ...]) -> None:
    """Numbers that no float holds, that are none, empty texts and files of one value end no form."""
    digits = "9" * 400
    numbers = f'"huge": 1{digits}, "inf": -Infinity, "nan": NaN, "small": 1e-320'
    odd = f'{{{numbers}, "": "", "t": true, "n": null, "l": [1, {{}}]}}'
    history.git.commit("Odd", {"metrics.json": odd, "params.yaml": "huge: 0x" + "f" * 5000})
    history.git.commit("Odder", {"metrics.json": odd.replace("1999", "-1").replace("null", "-0.0")})
    out = run("compare", "churn", "HEAD~1", "HEAD", *form).out + run("compare", "HEAD~1", "HEAD", *form).out
    assert out.count("huge") >= 2
    history.git.commit("One value", {"metrics.json": "0.5"})
    assert "metrics.json" in run("compare", "HEAD~1", "HEAD", *form).out


def test_markdown_reads_literally(history: DvcRepo, run: Run) -> None:
    """Several tables under headings; hostile keys and values are text, secrets are hidden."""
    evil = {"<img src=x onerror=1>": 1, "a|b": 2, "@everyone `x`": 3, "_em_": 4}
    history.git.commit(
        "Evil", {"metrics.json": json.dumps(evil), "params.yaml": "api_key: hunter2\ntrain: {depth: 6}\n"}
    )
    text = run("compare", "churn@v0.1.0", "main", "--md", "--only-changed").out
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert html.count("<table>") == 2
    assert "<img" not in html
    assert "<em>" not in html
    assert "hunter2" not in text
    cells = [line for line in html.splitlines() if line.startswith("<td>")]
    assert "<td>metrics.json:a|b</td>" in cells
    assert "<td>metrics.json:_em_</td>" in cells
    assert "<h4>Metrics</h4>" in html
    assert "Bump: minor" in html


def test_csv(run: Run) -> None:
    """One table: section, file, key and a value for each reference."""
    head, *rows = csv.reader(io.StringIO(run("compare", "churn@v0.2.0", "churn@v0.3.0", "--csv").out))
    assert head == ["section", "file", "key", "churn@v0.2.0", "churn@v0.3.0"]
    assert ["metrics", "metrics.json", "auc", "0.30000000000000004", "0.1"] in rows
    assert ["params", "params.yaml", "train.on", "yes", "yes"] in rows
    assert ["metrics", "extra.json", "rmse", "", "2.5"] in rows
    assert {row[0] for row in rows} == {"metrics", "params", "data", "code", "artifact"}
    assert run("compare", "churn", "main", "--csv", "--md", code=2).err.startswith("error: --md and --csv")


def test_many_points_are_what_each_pair_is(history: DvcRepo, run: Run) -> None:
    """Reading many points at once changes no value; the table then has a row for each."""
    refs = ["churn@v0.1.0", "churn@v0.2.0", "churn@v0.3.0", "feature/metrics"] * 3
    many = run("compare", *refs, "--json").json
    shutil.rmtree(history.path / ".git/modelver")
    assert run("compare", *refs, "--json").json == many
    for at, ref in enumerate(refs[1:4], 1):
        pair = run("compare", refs[0], ref, "--json").json
        by_key = {(row["file"], row["key"]): row for row in many["metrics"]}
        for row in pair["metrics"]:
            assert [by_key[row["file"], row["key"]]["values"][n] for n in (0, at)] == row["values"]
        assert many["other_files"][at] == pair["other_files"][1]
    text = run("compare", *refs).out
    assert len([line for line in text.splitlines() if line.startswith("feature/metrics")]) == 3 * 5


# What is remembered ---------------------------------------------------------------------------------------------


def test_the_second_answer_is_the_first(history: DvcRepo, run: Run) -> None:
    """What is remembered of a commit changes nothing, and a damaged memory is none."""
    words = ("compare", "churn@v0.1.0", "churn@v0.3.0", "feature/metrics", "--json")
    first = run(*words).out
    files = sorted((history.path / ".git/modelver/cache/compare-2").iterdir())
    assert files
    assert run(*words).out == first
    for file, text in zip(files, ("", "[]", '{"for": 1}'), strict=False):
        file.write_text(text)
    assert run(*words).out == first
    row = json.loads(files[0].read_bytes())
    files[0].write_text(json.dumps({**row, "artifact": 3}))
    assert run(*words).out == first


def test_the_work_tree_is_never_remembered(history: DvcRepo, run: Run) -> None:
    """A file changed between two questions changes the second answer."""
    run("compare", "churn", ".")
    history.git.write("metrics.json", '{"auc": 0.123}')
    answer = run("compare", "churn", "--json").json
    assert [row["values"][1] for row in answer["metrics"] if row["key"] == "auc"] == [0.123]
    assert answer["versions"][1]["ref"] == "workspace"


# References -----------------------------------------------------------------------------------------------------


def test_references_name_the_same_point(history: DvcRepo, run: Run) -> None:
    """A version, latest, the bare name, the branch, the tag and the commit of one commit have one answer."""
    commit = history.git.rev("main")
    texts = ("churn@v0.3.0", "churn@0.3.0", "churn@latest", "churn", "main", "HEAD", commit, commit[:9], "workspace")
    answers = [run("compare", "churn#prod", text, "--json").json for text in texts]
    for answer in answers[1:]:
        for part in ("metrics", "params", "data", "code", "artifact"):
            assert answer[part] == answers[0][part]


def test_the_only_model_is_meant(run: Run) -> None:
    """Where no reference names a model, the one that is declared is."""
    answer = run("compare", "HEAD~1", "feature/metrics", "--json").json
    assert [(v["name"], v["version"]) for v in answer["versions"]] == [("churn", None)] * 2


def test_which_model_is_asked_where_there_are_two(history: DvcRepo, run: Run) -> None:
    """Two models and no word of which: the hint says how to name one."""
    text = (history.path / "dvc.yaml").read_text() + "  other:\n    path: models/other.bin\n    type: model\n"
    history.git.commit("Another model", {"dvc.yaml": text.replace(PIPELINE_METRICS, "")})
    result = run("compare", "HEAD", ".", code=2)
    assert result.err == (
        "error: which model is meant: churn, other?\nhint: name one of its versions, as in churn@latest\n"
    )
    assert run("compare", "churn@latest", ".", "--json").json["versions"][1]["name"] == "churn"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("churn@v0.4.0",), "did you mean"),
        (("churn#prd",), "did you mean prod?"),
        (("churm",), "did you mean churn?"),
        (("churn", "feature/metric"), "did you mean feature/metrics?"),
        (("churn", "0123456789"), "modelver list shows the models"),
        (("churn", "no~such"), "modelver list shows the models"),
    ],
)
def test_unknown_references(run: Run, words: tuple[str, ...], hint: str) -> None:
    """7, with what may have been meant."""
    assert hint in run("compare", *words, code=7).err


def test_a_point_without_the_model(history: DvcRepo, run: Run) -> None:
    """Before the model was declared there is nothing to compare with: all is new, and a note says so."""
    first = history.git("rev-list", "--max-parents=0", "main")
    result = run("compare", first, "churn", "--json")
    assert result.err == f"note: {first} declares no model churn\n"
    assert all(row["values"][0] is None for row in result.json["metrics"])
    assert result.json["bump"] == {"level": None, "reasons": ["there is no model before"]}


def test_a_broken_commit_is_named(history: DvcRepo, run: Run) -> None:
    """A `dvc.yaml` that cannot be read ends the comparison, and the reference is said."""
    history.git.commit("Break it", {"dvc.yaml": "stages: ["})
    assert run("compare", "churn", "HEAD", code=2).err.startswith("error: HEAD: dvc.yaml")


# Bump -----------------------------------------------------------------------------------------------------------


def test_bumps_of_real_releases(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Trained with another depth: minor; another task or signature: major; only the card: patch."""
    run = caller(dvc_repo.git, modelver)
    run("release", "churn")
    dvc_repo.fake_train(9)
    run("release", "churn")
    answer = run("compare", "churn@v0.1.0", "churn", "--json").json
    assert answer["bump"] == {"level": "minor", "reasons": ["param train.depth changed"]}
    dvc_yaml = (dvc_repo.path / "dvc.yaml").read_text()
    dvc_repo.git.commit("Say the task", {"dvc.yaml": dvc_yaml + "      task: classification\n"})
    assert run("compare", "churn", ".", "--json").json["bump"]["level"] == "patch"
    dvc_repo.git.commit("Another task", {"dvc.yaml": dvc_yaml + "      task: regression\n"})
    answer = run("compare", "HEAD~1", "HEAD", "--json").json
    assert answer["bump"] == {
        "level": "major",
        "reasons": ["the task was classification and is regression"],
    }


def test_a_changed_signature_is_major(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The signature is read from the card of a version, and from the files elsewhere; the two are comparable."""
    run = caller(dvc_repo.git, modelver)
    signature = {"inputs": [{"name": "age", "type": "float", "shape": [3]}], "classes": ["no", "yes"]}
    dvc_repo.git.commit("Say what it takes", {"models/signature.json": json.dumps(signature)})
    run("release", "churn")
    assert run("compare", "churn", "HEAD", "--only-changed", "--json").json["artifact"] == []
    signature["inputs"].append("plan")  # type: ignore[arg-type]
    dvc_repo.git.commit("It takes more", {"models/signature.json": json.dumps(signature)})
    answer = run("compare", "churn", "HEAD", "--only-changed", "--json").json
    assert answer["bump"] == {"level": "major", "reasons": ["input of the signature plan is new"]}
    assert answer["artifact"] == [{"key": "signature.inputs.plan", "values": [None, "2"]}]


def test_a_release_follows_the_policy_when_asked(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """`release --bump auto`: another param makes a minor version, the same recipe again a patch; reasons are said."""
    assert modelver("release", "churn", "--bump", "auto", cwd=dvc_repo.git).err.count("note: churn: ") == 0
    dvc_repo.fake_train(9)
    said = modelver("release", "churn", "--bump", "auto", "--json", cwd=dvc_repo.git)
    assert said.json["models"][0]["version"] == "v0.2.0"
    assert "note: churn: minor: param train.depth changed" in said.err
    dvc_repo.git.commit("Another text", {"dvc.yaml": (dvc_repo.path / "dvc.yaml").read_text().replace("Who is", "Who")})
    assert (
        modelver("release", "churn", "--bump", "auto", "--json", cwd=dvc_repo.git).json["models"][0]["version"]
        == "v0.2.1"
    )
    assert modelver("release", "churn", "--bump", "huge", cwd=dvc_repo.git, code=2).err.startswith("error: ")
