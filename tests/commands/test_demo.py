"""The demonstration is real: what it prints is what happened, on a machine where nothing is set up."""

from __future__ import annotations

import json
import shlex
import signal
import time
from pathlib import Path

import pytest

from dvc_modelver.commands import demo as demo_command
from dvc_modelver.commands.demo import Step
from tests.support import Git, GtoOracle, Modelver
from tests.support.repos import run_dvc


@pytest.fixture
def bare_env(tmp_path: Path) -> dict[str, str]:
    """A home whose Git knows nobody, wants everything signed, and has a hook that refuses every commit."""
    home = tmp_path / "some home"
    (home / "hooks").mkdir(parents=True)
    (home / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (home / "hooks" / "pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[commit]\n\tgpgSign\n[tag]\n\tgpgSign = yes\n[core]\n\thooksPath = {home}/hooks\n[gpg]\n\tprogram = false\n"
    )
    # By the real clock: GTO takes the wrong event for the last one when all have the same time.
    now = {"GIT_AUTHOR_DATE": "", "GIT_COMMITTER_DATE": ""}
    return now | {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "LC_ALL": "C", "NO_COLOR": "1"}


def test_demo_walks_through_a_models_life(
    modelver: Modelver, tmp_path: Path, home: Path, bare_env: dict[str, str]
) -> None:
    """Two versions are trained, released, promoted, compared, published, fetched and used, in under a minute."""
    started = time.monotonic()
    result = modelver.process("demo", "my demo", cwd=tmp_path, env=bare_env, timeout=240)
    # Alone on two cores it takes 18 s; here other tests run beside it.
    assert time.monotonic() - started < 120

    git = Git(tmp_path / "my demo" / "project", home)
    tags = ["digits#prod#1", "digits#prod#3", "digits#staging#2", "digits@v0.1.0", "digits@v0.2.0"]
    assert git.tags() == tags
    assert git.at("../git-remote.git").refs() == {
        name: oid for name, oid in git.refs().items() if not name.startswith("refs/remotes/")
    }
    (model,) = modelver("list", "--json", cwd=git).json["models"]
    assert (model["name"], model["latest"], model["versions"]) == ("digits", "v0.2.0", 2)
    assert {stage: held["version"] for stage, held in model["stages"].items()} == {
        "prod": "v0.2.0",
        "staging": "v0.2.0",
    }
    shown = GtoOracle(git).show()["digits"]
    assert (shown["version"], shown["stage"]) == ("v0.2.0", {"prod": "v0.2.0", "staging": "v0.2.0"})
    versions = modelver("show", "digits", "--json", cwd=git).json["versions"]
    assert [version["published"] for version in versions] == [True, True]

    accuracy = [
        modelver("show", f"digits@{version}", "--json", cwd=git).json["metrics"]["metrics.json"]["accuracy"]
        for version in ("v0.1.0", "v0.2.0")
    ]
    assert 0.5 < accuracy[0] < accuracy[1] <= 1
    assert f"{accuracy[0]:.4f}" in result.out
    assert f"{accuracy[1]:.4f}" in result.out

    run_dvc(git, ["status", "-q"], ["status", "-q", "-c"])
    assert git("status", "--porcelain") == ""
    _check_comparison(modelver, git)
    assert (git.path / "fetched/digits.joblib").read_bytes() == (git.path / "models/digits.joblib").read_bytes()

    lines = result.out.splitlines()
    read, truth = (next(line for line in lines if line.startswith(start)).split()[1:] for start in ("reads:", "truth:"))
    assert len(read) == len(truth) == 12
    assert sum(one == other for one, other in zip(read, truth, strict=True)) >= 10
    assert len(lines) <= 145
    assert "\x1b" not in result.out
    assert result.err == ""

    first = lines.index("Try next:") + 1
    assert f"cd {shlex.quote(str(git.path))}" in lines[first]
    follow = [shlex.split(line) for line in lines[first + 1 :] if not line.startswith("  export ")]
    assert len(follow) == 9
    for program, *words in follow:
        if program == "modelver":
            modelver(*words, cwd=git)
        else:
            assert (program, words) == ("gto", ["show"])


def _check_comparison(modelver: Modelver, git: Git) -> None:
    """The two versions differ as DVC says, and more than by chance; the way back and forth gives the same bytes."""
    points = ("digits@v0.1.0", "digits@v0.2.0")
    answer = modelver("compare", *points, "--json", cwd=git).json
    for section, what in (("metrics", "metrics"), ("params", "params")):
        said = json.loads(run_dvc(git, [what, "diff", *points, "--json", "--all"]))
        theirs = {(file, key): (row["old"], row["new"]) for file, keys in said.items() for key, row in keys.items()}
        assert {(row["file"], row["key"]): tuple(row["values"]) for row in answer[section]} == theirs
    (accuracy,) = (row for row in answer["metrics"] if row["key"] == "accuracy")
    assert 0 < accuracy["intervals"][1]["low"] < accuracy["deltas"][1] < accuracy["intervals"][1]["high"]
    (test,) = answer["predictions"][0]["values"][1]["tests"]
    assert test["p_value"] < 0.001
    start = git("rev-parse", "HEAD^{tree}")
    for version in ("v0.1.0", "v0.2.0"):
        modelver("rollback", "digits", version, cwd=git)
        run_dvc(git, ["status", "-q"])
    assert git("rev-parse", "HEAD^{tree}") == start
    git("reset", "-q", "--hard", "HEAD~2")


STORY = (
    Step(line="mkdir 'a b'", note="A note."),
    Step(line="cd 'a b'"),
    Step(line="false", only_if="test -e nothing"),
    Step(line="pwd && python -c 'import sys; print(sys.executable, file=sys.stderr)'"),
    Step(line="printf '\\033[31mred\\n'"),
)


def _tell(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
    monkeypatch.setattr(demo_command, "story", lambda template: steps)


def test_transcript_shows_each_command_and_what_it_says(
    modelver: Modelver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands stand as they were typed, with all that they print; no control characters come through."""
    import sys

    _tell(monkeypatch, *STORY)
    lines = modelver("demo", cwd=tmp_path).out.splitlines()
    where = tmp_path.resolve() / "modelver-demo"
    assert lines[:5] == ["", "# A note.", "$ mkdir 'a b'", "$ cd 'a b'", f"$ {STORY[3].line}"]
    assert lines[5:9] == [f"{where}/a b", sys.executable, f"$ {STORY[4].line}", "\\x1b[31mred"]
    assert f"The project is in {where}/project" in lines[10]


def test_json_is_one_object_with_every_step(
    modelver: Modelver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json the steps, their output and their times are data, and nothing else is printed."""
    _tell(monkeypatch, *STORY)
    answer = modelver("--json", "demo", "x/y", cwd=tmp_path).json
    assert answer["directory"] == str(tmp_path.resolve() / "x/y")
    assert [step["command"] for step in answer["steps"]] == [STORY[at].line for at in (0, 1, 3, 4)]
    assert answer["steps"][2]["output"].startswith(answer["directory"] + "/a b\n")
    assert all(0 <= step["seconds"] <= answer["seconds"] for step in answer["steps"])


def test_quiet_says_only_where_it_is(modelver: Modelver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With -q the transcript is left out."""
    _tell(monkeypatch, *STORY)
    told = modelver("demo", "-q", cwd=tmp_path)
    assert "$ " not in told.out
    assert "The project is in" in told.out


def test_failing_step_ends_it_with_its_words(
    modelver: Modelver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step's exit status and output are shown, what was made stays, and nothing comes after."""
    _tell(
        monkeypatch, Step(line="touch made"), Step(line="echo first; echo no luck >&2; exit 3"), Step(line="echo more")
    )
    result = modelver("demo", cwd=tmp_path, code=6)
    assert "first\nno luck\n" in result.out
    assert "ended with 3: no luck" in result.err
    assert str(tmp_path.resolve() / "modelver-demo") in result.err
    assert (tmp_path / "modelver-demo/made").exists()
    assert "more" not in result.out
    error = json.loads(modelver("demo", "again", "--json", cwd=tmp_path, code=6).out)["error"]
    assert error["message"].endswith("ended with 3: no luck")


def test_steps_get_nothing_meant_for_other_programs(
    modelver: Modelver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of a surrounding Git, DVC or modelver do not reach the steps, and no step can ask or phone home."""
    _tell(monkeypatch, Step(line="env; tty || true"))
    foreign = {"GIT_DIR": "/x", "DVC_STAGE": "train", "DVC_ROOT": "/x", "MODELVER_PUSH": "no", "FORCE_COLOR": "1"}
    output = modelver("demo", "--json", cwd=tmp_path, env=foreign).json["steps"][0]["output"]
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert names.isdisjoint(foreign)
    assert {"DVC_NO_ANALYTICS=1", "CI=1", "not a tty"} <= set(output.splitlines())


@pytest.mark.parametrize(("make", "code"), [("file", 2), ("full", 3), ("link", 2)])
def test_place_that_is_taken_is_refused(modelver: Modelver, tmp_path: Path, make: str, code: int) -> None:
    """Only a new or empty directory is used; anything else stays as it is."""
    place = tmp_path / "modelver-demo"
    if make == "file":
        place.write_text("mine")
    elif make == "full":
        place.mkdir()
        (place / "mine").touch()
    else:
        place.symlink_to("nowhere")
    result = modelver("demo", cwd=tmp_path, code=code)
    assert "hint: modelver demo DIR" in result.err
    assert [path.name for path in tmp_path.rglob("*") if path.name not in ("modelver-demo", "mine")] == []


def test_empty_directory_is_used(modelver: Modelver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that somebody made for it will do, also with -C."""
    (tmp_path / "here" / "empty").mkdir(parents=True)
    _tell(monkeypatch, Step(line="touch made"))
    modelver("-C", "here", "demo", "empty", cwd=tmp_path)
    assert (tmp_path / "here/empty/made").exists()
    modelver("-C", "nowhere", "demo", cwd=tmp_path, code=2)
    assert not (tmp_path / "nowhere").exists()


def test_without_git_nothing_is_made(modelver: Modelver, tmp_path: Path) -> None:
    """What is missing is said before the directory is made."""
    result = modelver("demo", cwd=tmp_path, env={"PATH": "/nowhere"}, code=6)
    assert "there is no git" in result.err
    assert list(tmp_path.iterdir()) == []


def test_interrupt_leaves_the_directory_and_says_so(modelver: Modelver, tmp_path: Path) -> None:
    """After Ctrl-C no step goes on, and what there is stays."""
    process = modelver.start("demo", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "modelver-demo/project/.git").is_dir():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"stays in {tmp_path.resolve() / 'modelver-demo'}" in err.decode()
    assert (tmp_path / "modelver-demo/project/.git").is_dir()
