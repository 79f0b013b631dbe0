"""`init --ci` writes the jobs of every declared model, asks first, and never overwrites what others wrote."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.commands.ci import PLATFORMS
from tests.bad_input.support import refused
from tests.support import Clones, DvcRepo, Git, Modelver, snapshot
from tests.support.ci import load

CHECK = ".github/workflows/modelver-check.yml"


def files(git: Git) -> set[str]:
    """What lies in the work tree below the platforms' folders."""
    return {str(path.relative_to(git.path)) for top in (".github", ".gitlab") for path in (git.path / top).rglob("*.*")}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_again_changes_nothing_and_asks_nothing(dvc_repo: DvcRepo, modelver: Modelver, platform: str) -> None:
    """Everything that the plan names is written, nothing is committed, and a second run finds it done."""
    plan = modelver("init", "--ci", platform, "--dry-run", "--json", cwd=dvc_repo.git).json
    assert files(dvc_repo.git) == set()
    done = modelver("init", "--ci", platform, "--yes", "--json", cwd=dvc_repo.git).json
    assert done["steps"] == plan["steps"]
    assert {step["target"] for step in done["steps"]} - {".gitlab-ci.yml"} == files(dvc_repo.git)
    before = snapshot(dvc_repo.git)
    again = modelver("init", "--ci", platform, "--json", cwd=dvc_repo.git).json
    assert (again["changed"], again["steps"]) == (False, [])
    assert snapshot(dvc_repo.git) == before


def test_no_mark_of_the_templates_is_left(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Every place that stands for the repository's own words is filled in."""
    for platform in PLATFORMS:
        modelver("init", "--ci", platform, "--yes", cwd=dvc_repo.git)
    for name in files(dvc_repo.git):
        text = (dvc_repo.path / name).read_text()
        assert "__" not in text.replace("__name__", "").replace("__main__", "").replace("__doc__", ""), name
        assert "# modelver: " not in text


def test_without_a_terminal_it_says_so(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Nobody to ask: 2, and nothing is written."""
    assert "--yes" in refused(modelver, dvc_repo.git, "init", "--ci", "github", code=2).err


def all_of(terminal: int) -> bytes:
    """What was shown on a terminal whose other side is closed; one `read` may give less."""
    shown = b""
    with suppress(OSError):  # Linux ends with EIO
        while more := os.read(terminal, 65536):
            shown += more
    return shown


@pytest.mark.parametrize(("said", "written"), [("y", True), ("", True), ("n", False), ("what", False)])
def test_on_a_terminal_it_asks(dvc_repo: DvcRepo, said: str, written: bool) -> None:
    """The files are listed, and one word decides."""
    parent, child = pty.openpty()
    os.write(parent, f"{said}\n".encode())
    process = subprocess.run(
        Modelver.argv("init", "--ci", "github"),
        cwd=dvc_repo.path,
        env=dvc_repo.git.env,
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=child,
        timeout=60,
    )
    os.close(child)
    shown = all_of(parent).decode()
    os.close(parent)
    assert process.returncode == 0
    assert CHECK in shown
    assert bool(files(dvc_repo.git)) == written


def test_other_content_is_never_overwritten(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A workflow of the same name with other text: 4, named, and no other file is written either."""
    dvc_repo.git.write(CHECK, "on: push\n")
    assert CHECK in refused(modelver, dvc_repo.git, "init", "--ci", "github", "--yes", code=4).err


@pytest.mark.parametrize("link", [".github", ".github/modelver", CHECK])
def test_links_are_not_followed(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path, link: str) -> None:
    """Nothing is written outside the repository through a symbolic link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    place = dvc_repo.path / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    modelver("init", "--ci", "github", "--yes", cwd=dvc_repo.git, code=4 if link == CHECK else 3)
    assert list(outside.iterdir()) == []


def test_scripts_that_people_filled_in_stay(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """`deploy.sh` and `live-metrics.sh` are people's once they are there."""
    for name in ("deploy.sh", "live-metrics.sh"):
        dvc_repo.git.write(f".github/modelver/{name}", "echo ours\n")
    modelver("init", "--ci", "github", "--yes", cwd=dvc_repo.git)
    assert (dvc_repo.path / ".github/modelver/deploy.sh").read_text() == "echo ours\n"
    assert "Nothing to do" in modelver("init", "--ci", "github", cwd=dvc_repo.git).out


def test_a_pipeline_of_gitlab_that_is_there_gets_a_line_by_hand(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """An existing `.gitlab-ci.yml` is not edited: the line to add is printed."""
    dvc_repo.git.write(".gitlab-ci.yml", "test:\n  script: [make]\n")
    told = modelver("init", "--ci", "gitlab", "--yes", cwd=dvc_repo.git).out
    assert "add  include: [{local: .gitlab/modelver/modelver.yml}]" in told
    assert (dvc_repo.path / ".gitlab-ci.yml").read_text() == "test:\n  script: [make]\n"
    dvc_repo.git.write(".gitlab-ci.yml", "include: [{local: .gitlab/modelver/modelver.yml}]\n")
    told = modelver("init", "--ci", "gitlab", cwd=dvc_repo.git).out
    assert "Nothing to do" in told
    assert "MODEL_PUSH_TOKEN" in told
    assert ".gitlab-ci.yml" not in told


def test_a_model_of_another_dvc_repository_below(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The remote is the one of the DVC repository that the model lies in."""
    (dvc_repo.path / ".dvc").rename(dvc_repo.path / "moved")
    dvc_repo.git.write("sub/.dvc/config", "[core]\n    remote = s\n['remote \"s\"']\n    url = gs://bucket\n")
    dvc_repo.git.write("sub/dvc.yaml", "artifacts:\n  m: {path: m.pt, type: model}\n")
    dvc_repo.git.write("dvc.yaml", "stages: {}\n")
    dvc_repo.git.commit("A DVC repository below")
    modelver("init", "--ci", "github", "--yes", cwd=dvc_repo.git)
    assert "dvc-modelver dvc[gs]" in (dvc_repo.path / CHECK).read_text()


def test_every_declared_model_gets_its_jobs(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Also one in a directory and one that is declared by the same command; data is no model."""
    dvc_repo.git.write("a/dvc.yaml", "artifacts:\n  m: {path: m.pt, type: model}\n  d: {path: d, type: dataset}\n")
    dvc_repo.git.write("b/new.onnx.dvc", f"outs:\n- md5: {'ab' * 16}\n  hash: md5\n  size: 1\n  path: new.onnx\n")
    modelver("init", "--ci", "github", "--yes", cwd=dvc_repo.git)
    jobs = load((dvc_repo.path / CHECK).read_text())["jobs"]
    assert jobs["check"]["strategy"]["matrix"]["model"] == ["a:m", "churn", "new"]
    steps = {step["name"]: step for step in jobs["comment"]["steps"] if "name" in step}
    assert steps["Compare with production"]["env"]["MODELS"] == "a:m churn new"


def test_jobs_follow_the_configured_stages_and_branch(two_clones: Clones, modelver: Modelver) -> None:
    """The stages that are allowed, without prod the last of them, and the branch that the remote calls its own."""
    git = two_clones.ada.git
    git("push", "-q", "origin", "main:trunk")
    git("fetch", "-q", "origin")
    git("remote", "set-head", "origin", "trunk")
    for platform in PLATFORMS:
        modelver("init", "--ci", platform, "--yes", "--stages", "try,live", cwd=git)
    on = load((git.path / ".github/workflows/modelver-release.yml").read_text())["on"]
    assert on["push"]["branches"] == ["trunk"]
    jobs = load((git.path / ".gitlab/modelver/modelver.yml").read_text())
    assert jobs["modelver-deploy-try"]["environment"]["name"] == "try"
    assert jobs["modelver-deploy-live"]["resource_group"] == "modelver-deploy-live"
    assert jobs["modelver-guard"]["variables"]["STAGE"] == "live"


@pytest.mark.parametrize(
    ("url", "package", "secrets"),
    [
        ("s3://bucket/x", "dvc-modelver dvc[s3]", {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        ("gs://bucket/x", "dvc-modelver dvc[gs]", {"GOOGLE_CREDENTIALS_JSON"}),
        ("azure://container/x", "dvc-modelver dvc[azure]", {"AZURE_STORAGE_CONNECTION_STRING"}),
        ("ssh://host/x", "dvc-modelver dvc[ssh]", set()),
        ("https://host/x", "dvc-modelver", set()),
    ],
)
def test_jobs_get_the_secrets_of_the_remote(
    dvc_repo: DvcRepo, modelver: Modelver, url: str, package: str, secrets: set[str]
) -> None:
    """The extra that DVC needs is installed, and the jobs see the secrets of that cloud and no other."""
    dvc_repo.git.write(".dvc/config", f"[core]\n    remote = store\n['remote \"store\"']\n    url = {url}\n")
    told = modelver("init", "--ci", "github", "--yes", cwd=dvc_repo.git).out
    seen = set()
    for job in load((dvc_repo.path / CHECK).read_text())["jobs"].values():
        for step in job["steps"]:
            seen |= {key for key, value in step.get("env", {}).items() if "secrets." in value}
            assert step.get("name") != "Install" or f"'{package}'" in step["env"]["MODEL_PACKAGES"]
    assert seen == secrets | {"DVC_CONFIG_LOCAL_BASE64"}
    assert all(secret in told for secret in secrets or seen)


def test_nothing_to_work_for_and_unknown_platforms_are_bad_input(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Only the platforms that there are, and only where a model is declared."""
    refused(modelver, dvc_repo.git, "init", "--ci", "jenkins\x1b[2J", "--yes", code=2)
    dvc_repo.git.commit("No model", {"dvc.yaml": "stages: {}\n"})
    refused(modelver, dvc_repo.git, "init", "--ci", "github", "--yes", code=2)


@given(stages=st.lists(st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4))
def test_any_stages_and_names_survive_yaml(stages: list[str]) -> None:
    """Words that YAML would read as something else (`1e3`, `on`, `null`) stay the names that they are."""
    from dvc_modelver.commands.ci import _text, _Words, render

    words = _Words(
        models=tuple(stages), stages=tuple(dict.fromkeys(stages)), guarded=stages[0], branch="on", extra="s3"
    )
    jobs = load(render(_text("gitlab", "modelver.yml"), words).decode())
    assert jobs["modelver-check"]["parallel"]["matrix"][0]["MODEL"] == stages
    for stage in stages:
        job = jobs[f"modelver-deploy-{stage}"]
        assert (job["environment"]["name"], job["variables"]["STAGE"]) == (stage, stage)
    workflow = load(render(_text("github", "modelver-release.yml"), words).decode())
    assert workflow["on"]["push"]["branches"] == ["on"]
