"""The CI jobs that `init --ci` writes, beside the platforms' own schemas, and run for real by `tests.support.ci`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dvc_modelver.core.tags import parse_tag_name
from tests.support import Clones, DvcRepo, Modelver
from tests.support.ci import Forge, Github, GithubEvent, Gitlab, JobRun, Machine, load, local_config, matches, serve

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "templates" / "ci"
MARKER = "<!-- modelver: compared with production -->"
DEPLOY = """#!/bin/sh
set -e
echo "$1 $2 $3" >> "$DEPLOYED"
cat "$4" >> "$DEPLOYED"
"""


@pytest.fixture
def forge() -> Iterator[Forge]:
    """The platforms' HTTP interfaces."""
    yield from serve(Forge())


@dataclass
class Team:
    """Ada's clone, the hub, and a runner; `churn` 0.1.0 is in prod and its CI jobs are on the default branch."""

    clones: Clones
    machine: Machine
    modelver: Modelver
    deployed: Path
    last: int = field(default=0)

    @property
    def ada(self) -> DvcRepo:
        return self.clones.ada

    def propose(self, branch: str, depth: int, *, card: bool = True) -> None:
        """A branch on which the model is trained anew; AUC 0.5 + depth / 20, and 0.8 is in prod."""
        self.ada.git("checkout", "-q", "-B", branch, "origin/main")
        self.ada.fake_train(depth, f"Train with {depth}")
        if card:
            self.modelver("card", "update", cwd=self.ada.git)
            self.ada.git.commit("Update the card")
        self.ada.git("push", "-q", "-f", "origin", branch)

    def merge(self, branch: str) -> str:
        """The branch merged into main, and pushed."""
        self.ada.git("checkout", "-q", "main")
        self.ada.git("pull", "-q", "--tags", "--ff-only", "origin", "main")
        self.ada.git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)
        self.ada.git("push", "-q", "origin", "main")
        return self.ada.git.rev()

    def promote(self) -> str:
        """The latest version put into prod, by a person; the tag."""
        self.ada.git("fetch", "-q", "--tags", "origin")
        self.ada.git.clock.tick()
        answer = self.modelver("promote", "churn@latest", "prod", "--push", "--json", cwd=self.ada.git).json
        return str(answer["models"][0]["tag"])

    def tags(self) -> list[str]:
        return self.clones.hub.tags()

    def latest(self) -> str:
        """The version that a fresh clone calls the latest."""
        self.ada.git("fetch", "-q", "--tags", "origin")
        return str(self.modelver("list", "--json", cwd=self.ada.git).json["models"][0]["latest"])

    def held(self) -> str:
        self.ada.git("fetch", "-q", "--tags", "origin")
        answer = self.modelver("list", "--json", cwd=self.ada.git).json
        return str(answer["models"][0]["stages"]["prod"]["version"])


def team(platform: str, clones: Clones, forge: Forge, modelver: Modelver, tmp_path: Path) -> Team:
    """Set CI up as its documentation says."""
    ada = clones.ada
    modelver("release", "churn", "--stage", "prod", "--push", cwd=ada.git)
    modelver("init", "--ci", platform, "--yes", cwd=ada.git)
    ada.git.write(f".{platform}/modelver/deploy.sh", DEPLOY)
    ada.git.commit("Add CI jobs")
    ada.git("push", "-q", "origin", "main")
    return Team(clones, Machine(clones.hub, tmp_path / "ci", forge), modelver, tmp_path / "deployed.txt")


def only(runs: dict[str, JobRun]) -> JobRun:
    """The one job that ran."""
    assert len(runs) == 1, runs
    return next(iter(runs.values()))


# The files -----------------------------------------------------------------------------------------------------------


def check_schema(schema: str, *files: Path) -> None:
    from check_jsonschema import main
    from click.testing import CliRunner

    transform = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    done = CliRunner().invoke(main, ["--builtin-schema", f"vendor.{schema}", *transform, *map(str, files)])
    assert done.exit_code == 0, done.output


def test_what_init_writes_fits_the_platforms_schemas(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """GitHub's and GitLab's own JSON Schemas accept every job file, filled in."""
    for platform in ("github", "gitlab"):
        modelver("init", "--ci", platform, "--yes", "--stages", "dev,prod", cwd=dvc_repo.git)
    workflows = sorted((dvc_repo.path / ".github/workflows").iterdir())
    assert len(workflows) == 4
    check_schema("github-workflows", *workflows)
    check_schema("gitlab-ci", dvc_repo.path / ".gitlab/modelver/modelver.yml", dvc_repo.path / ".gitlab-ci.yml")


def test_scripts_pass_shellcheck(tmp_path: Path) -> None:
    """ShellCheck has nothing to say about any script, those inside workflows too."""
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed")
    scripts = sorted(CI.glob("*/*.sh"))
    for workflow in sorted((CI / "github").iterdir()):
        for key, job in load(workflow.read_text())["jobs"].items():
            for number, step in enumerate(job["steps"]):
                if "run" in step:
                    scripts.append(tmp_path / f"{workflow.stem}-{key}-{number}.sh")
                    scripts[-1].write_text(f"#!/bin/bash\n{step['run']}\n")
    assert len(scripts) > 20
    done = subprocess.run([program, *map(str, scripts)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", sorted(path.name for path in (CI / "github").iterdir()))
def test_workflows_keep_to_least_rights(file: str) -> None:
    """Pinned actions, rights a job at a time, nothing of an event inside a script, no `pull_request_target`."""
    text = (CI / "github" / file).read_text()
    workflow = load(text)
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow["on"]
    for job in workflow["jobs"].values():
        writes = {key for key, value in job["permissions"].items() if value != "read"}
        pushes = file in ("modelver-release.yml", "modelver-guard.yml")
        assert ("contents" in writes) == pushes
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["fetch-depth"] == "0" or step["with"]["fetch-depth"] == 0
                assert (step["with"].get("persist-credentials") is False) != pushes
    for use in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)


@pytest.mark.parametrize(
    "tag",
    ["churn#prod#1", "a/b=churn#prod#12", "churn#prod!#2", "churn@v1.0.0", "churn@v1.0.0#3", "churn#prod", "v1#2"],
)
def test_only_promotions_start_a_deployment(tag: str, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The filters of GitHub and GitLab take exactly the tags that put a version into a stage."""
    read = parse_tag_name(tag)
    promotes = read is not None and read.event.value == "promote" and read.counter is not None
    github = load((CI / "github/modelver-deploy.yml").read_text())["on"]["push"]["tags"]
    assert matches(tag, github) == promotes
    modelver("init", "--ci", "gitlab", "--yes", cwd=dvc_repo.git)
    jobs = load((dvc_repo.path / ".gitlab/modelver/modelver.yml").read_text())
    pattern = jobs["modelver-deploy-prod"]["rules"][0]["if"].split("=~")[1].strip().strip("/")
    assert bool(re.search(pattern, tag)) == promotes


# The comment ---------------------------------------------------------------------------------------------------------


def comment(machine: Machine, body: str, **env: str) -> tuple[int, str]:
    where = machine.folder() / "work"
    where.mkdir()
    (where / "body.md").write_text(body)
    github = {"GITHUB_API_URL": machine.forge.url, "GITHUB_REPOSITORY": "acme/models", "PULL_REQUEST": "3"}
    return machine.run(f"python -I {CI / 'shared/server.py'} comment body.md", where, github | env)


def test_comment_is_made_once_and_then_updated(two_clones: Clones, forge: Forge, tmp_path: Path) -> None:
    """One comment among hundreds, found on a later page; another's comment with the marker is left alone."""
    machine = Machine(two_clones.hub, tmp_path / "ci", forge)
    forge.rights["t"] = ("github-actions[bot]", {"comments"})
    planted = forge.add("mallory", f"{MARKER}\nmine")
    for number in range(150):
        forge.add("bao", f"remark {number}")
    assert comment(machine, "first $(touch hacked) `x` \u2192", GITHUB_TOKEN="t") == (0, "comment: made\n")
    assert forge.comments[-1]["body"] == f"{MARKER}\nfirst $(touch hacked) `x` \u2192"
    count = len(forge.comments)
    assert comment(machine, "second", GITHUB_TOKEN="t") == (0, "comment: updated\n")
    assert (len(forge.comments), forge.comments[-1]["body"]) == (count, f"{MARKER}\nsecond")
    assert planted["body"] == f"{MARKER}\nmine"


def test_comment_is_cut_to_what_the_platform_takes(two_clones: Clones, forge: Forge, tmp_path: Path) -> None:
    """A long comparison ends at a whole line, and says so."""
    machine = Machine(two_clones.hub, tmp_path / "ci", forge)
    forge.rights["t"] = ("github-actions[bot]", {"comments"})
    assert comment(machine, "| a \u2192 b |\n" * 20_000, GITHUB_TOKEN="t")[0] == 0
    body = forge.comments[0]["body"]
    assert len(body) < 65_536
    assert set(body.split("\n")[1:-4]) == {"| a \u2192 b |"}
    assert "Cut here" in body


def test_refusals_are_said_without_the_token(two_clones: Clones, forge: Forge, tmp_path: Path) -> None:
    """A token without the right, or no server: one line that names the call, and no secret in it."""
    machine = Machine(two_clones.hub, tmp_path / "ci", forge)
    forge.rights["sesame"] = ("github-actions[bot]", set())
    status, said = comment(machine, "x", GITHUB_TOKEN="sesame")
    assert status == 1
    assert "403" in said
    assert "sesame" not in said
    status, said = comment(machine, "x", GITHUB_TOKEN="sesame", GITHUB_API_URL="http://127.0.0.1:9")
    assert status == 1
    assert "Traceback" not in said


def test_googles_credentials_reach_later_steps_by_a_file(two_clones: Clones, forge: Forge, tmp_path: Path) -> None:
    """The secret's text stands in a file that only its owner reads; the variable names the file."""
    machine = Machine(two_clones.hub, tmp_path / "ci", forge)
    where = machine.folder() / "work"
    two_clones.hub.clone(where)
    env = {"GOOGLE_CREDENTIALS_JSON": '{"a": "$(x)"}', "GITHUB_ENV": str(tmp_path / "env")}
    assert machine.run(f"bash {CI / 'shared/dvc-remote.sh'}", where, env) == (0, "")
    name, _, file = (tmp_path / "env").read_text().strip().partition("=")
    assert (name, Path(file).read_text()) == ("GOOGLE_APPLICATION_CREDENTIALS", '{"a": "$(x)"}')
    assert Path(file).stat().st_mode & 0o077 == 0
    Path(file).unlink()


# GitHub --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def github(two_clones: Clones, forge: Forge, modelver: Modelver, tmp_path: Path) -> tuple[Team, Github]:
    """A repository on GitHub with its secrets and a script that deploys."""
    made = team("github", two_clones, forge, modelver, tmp_path)
    return made, Github(made.machine, {"DVC_CONFIG_LOCAL_BASE64": local_config(two_clones.ada.store)})


def test_github_pull_request(github: tuple[Team, Github], forge: Forge) -> None:
    """A regression fails at the gate, a stale card at the card; the one comment follows what is pushed."""
    team, platform = github
    team.propose("bad", 3, card=False)
    runs = platform.play(platform.pull_request(1, "bad"))
    assert runs["check churn"].failed == ["Card", "Gate"], runs["check churn"]
    assert "fell from 0.8 to 0.65" in runs["check churn"].step("Gate").output
    assert runs["comment"].ok, runs["comment"]
    assert "| auc | 0.8 | 0.65 |" in forge.comments[0]["body"].replace("churn#prod", "")
    team.propose("bad", 8)
    runs = platform.play(platform.pull_request(1, "bad"))
    assert (runs["check churn"].ok, runs["comment"].ok) == (True, True), runs
    assert len(forge.comments) == 1
    assert "| auc | 0.8 | 0.9 |" in forge.comments[0]["body"]
    assert set(team.machine.installed.read_text().splitlines()) == {
        "-I -m pip install --quiet --disable-pip-version-check -- dvc-modelver"
    }


@pytest.mark.long
def test_github_fork_gets_no_secrets_and_no_comment(github: tuple[Team, Github], forge: Forge) -> None:
    """A fork's pull request is checked with what is in Git alone; nothing is written anywhere."""
    team, platform = github
    team.propose("theirs", 8)
    runs = platform.play(platform.pull_request(2, "theirs", fork=True))
    assert only(runs).ok, runs
    assert only(runs).workspace is not None
    assert not (only(runs).workspace / ".dvc/config.local").exists()  # type: ignore[operator]
    assert forge.calls == []


@pytest.mark.long
def test_github_whole_life(github: tuple[Team, Github], forge: Forge, modelver: Modelver) -> None:
    """Merge, release, promote, deploy, bad metrics, rollback, deploy again: each by its job, from fresh clones."""
    team, platform = github
    team.propose("good", 8)
    team.merge("good")
    released = only(platform.play(GithubEvent("push")))
    assert released.ok, released
    assert "churn@v0.2.0" in team.tags()
    assert team.clones.hub("log", "-1", "--format=%an", "main") == "modelver CI"
    again = only(platform.play(GithubEvent("push")))
    assert again.ok, again
    assert (team.latest(), team.held()) == ("v0.2.0", "v0.1.0")

    platform.variables["DEPLOYED"] = str(team.deployed)
    tag = team.promote()
    assert team.held() == "v0.2.0"
    runs = play_deploy(team, platform, GithubEvent("push", f"refs/tags/{tag}"))
    assert runs["deploy"].ok, runs["deploy"]
    assert team.deployed.read_text() == "churn v0.2.0 prod\n" + team.ada.model.read_text()

    live = {"action": "modelver-live-metrics", "client_payload": {"model": "churn", "metrics": {"auc": 0.85}}}
    fine = {**live, "client_payload": {"model": "churn", "metrics": {"auc": 0.95, "loss": {"val": 1e-05}}}}
    team.clones.hub.clock.tick(7 * 24 * 3600)
    kept = only(platform.play(GithubEvent("repository_dispatch", payload=fine)))
    assert (kept.ok, team.held()) == (True, "v0.2.0"), kept
    live["client_payload"]["metrics"] = {"auc": 0.1, "loss": {"val": 1e-05}}  # type: ignore[index]
    guarded = only(platform.play(GithubEvent("repository_dispatch", payload=live)))
    assert guarded.failed == ["Guard"], guarded
    assert team.held() == "v0.1.0"
    new = next(tag for tag in team.tags() if tag.startswith("churn#prod#3"))
    assert forge.dispatched == [{"ref": "main", "inputs": {"tag": new}}]

    unmeasured = only(platform.play(GithubEvent("schedule")))
    assert "where the live metrics of churn in prod come from" in unmeasured.step("Guard").output, unmeasured

    dispatched = GithubEvent("workflow_dispatch", payload={"inputs": forge.dispatched[0]["inputs"]})
    runs = play_deploy(team, platform, dispatched)
    assert runs["deploy"].ok, runs["deploy"]
    assert "churn v0.1.0 prod\n" in team.deployed.read_text()
    events = modelver("history", "churn", "--json", cwd=team.ada.git).json["events"]
    assert sorted(e["version"] for e in events if e["event"] == "promote") == ["v0.1.0", "v0.1.0", "v0.2.0"]


def play_deploy(team: Team, platform: Github, event: GithubEvent) -> dict[str, JobRun]:
    """Deploy, by a script that writes where the test looks."""
    script = DEPLOY.replace('"$DEPLOYED"', f"'{team.deployed}'")
    team.ada.git("checkout", "-q", "main")
    team.ada.git("pull", "-q", "--ff-only", "origin", "main")
    team.ada.git.write(".github/modelver/deploy.sh", script)
    team.ada.git.commit("Say how it is deployed")
    team.ada.git("push", "-q", "origin", "main")
    return platform.play(event)


@pytest.mark.parametrize("tag", ["churn#prod#x", "$(touch x)#prod#1", "a b#prod#1", "churn#prod#1\nmodel=x", "#prod#1"])
def test_github_odd_tags_deploy_nothing(two_clones: Clones, forge: Forge, tmp_path: Path, tag: str) -> None:
    """What a tag's name or an input holds never becomes a command, an output or another model."""
    job = load((CI / "github/modelver-deploy.yml").read_text())["jobs"]["which"]
    machine = Machine(two_clones.hub, tmp_path / "ci", forge)
    where = machine.folder() / "work"
    where.mkdir()
    output = tmp_path / "output"
    status, said = machine.run(job["steps"][0]["run"], where, {"TAG": tag, "GITHUB_OUTPUT": str(output)})
    assert (status, said, output.exists()) == (1, "no promotion's tag\n", False)
    assert list(where.iterdir()) == []


# GitLab --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def gitlab(two_clones: Clones, forge: Forge, modelver: Modelver, tmp_path: Path) -> tuple[Team, Gitlab]:
    """A project on GitLab with its variables and a script that deploys."""
    made = team("gitlab", two_clones, forge, modelver, tmp_path)
    forge.rights["bot-token"] = ("project_7_bot", {"comments"})
    variables = {
        "DVC_CONFIG_LOCAL_BASE64": local_config(two_clones.ada.store),
        "DEPLOYED": str(made.deployed),
        "MODEL_COMMENT_TOKEN": "bot-token",
        "MODEL_PUSH_TOKEN": "push-token",
    }
    return made, Gitlab(made.machine, variables)


MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "4"}
ON_MAIN = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}


@pytest.mark.long
def test_gitlab_merge_request(gitlab: tuple[Team, Gitlab], forge: Forge) -> None:
    """A stale card and a regression are both said and fail; the one comment follows what is pushed."""
    team, platform = gitlab
    team.propose("mine", 3, card=False)
    runs = platform.play("mine", MERGE_REQUEST)
    assert (runs["modelver-check churn"].ok, runs["modelver-comment"].ok) == (False, True), runs
    said = runs["modelver-check churn"].step("script").output
    assert "the front matter is out of date" in said
    assert "fell from 0.8 to 0.65" in said
    team.propose("mine", 8)
    runs = platform.play("mine", MERGE_REQUEST)
    assert all(run.ok for run in runs.values()), runs
    assert len(forge.comments) == 1
    assert "| auc | 0.8 | 0.9 |" in forge.comments[0]["body"]


@pytest.mark.long
def test_gitlab_whole_life(gitlab: tuple[Team, Gitlab], forge: Forge) -> None:
    """Merge, release, promote, deploy after a person's yes, bad metrics, rollback, and a fork that gets nothing."""
    team, platform = gitlab
    team.propose("good", 8)
    fork = platform.play("good", MERGE_REQUEST, fork=True)
    assert all(run.ok for run in fork.values()), fork
    assert forge.comments == []

    commit = team.merge("good")
    released = only(platform.play(commit, ON_MAIN))
    assert released.ok, released
    assert "push-token" not in released.step("script").output
    assert "push-token" not in (released.workspace / ".git/config").read_text()  # type: ignore[operator]
    assert team.latest() == "v0.2.0"

    tag = team.promote()
    pushed = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": tag}
    assert platform.play(f"refs/tags/{tag}", pushed) == {}
    deployed = only(platform.play(f"refs/tags/{tag}", pushed, approved=True))
    assert deployed.ok, deployed
    assert team.deployed.read_text() == "churn v0.2.0 prod\n" + team.ada.model.read_text()

    team.clones.hub.clock.tick(7 * 24 * 3600)
    assert platform.play("main", {"CI_PIPELINE_SOURCE": "schedule"}) == {}
    live = {"MODEL_GUARD": "1", "LIVE_METRICS": json.dumps({"auc": 0.1, "loss": {"val": 1e-05}})}
    guarded = only(platform.play("main", {"CI_PIPELINE_SOURCE": "trigger", **live}))
    assert not guarded.ok
    assert "rolled back: churn#prod#3" in guarded.step("script").output, guarded
    assert team.held() == "v0.1.0"


@pytest.mark.long
def test_gitlab_releases_the_branch_as_it_is_now(gitlab: tuple[Team, Gitlab]) -> None:
    """The job of a merge that others have followed, or one that is started again: what there is now, once."""
    team, platform = gitlab
    team.propose("first", 7)
    first = team.merge("first")
    team.propose("second", 8)
    second = team.merge("second")
    for commit in (first, second, first):
        run = only(platform.play(commit, ON_MAIN))
        assert run.ok, run
        assert team.latest() == "v0.2.0"


def test_gitlab_push_token_is_given_to_its_server_alone(two_clones: Clones, forge: Forge, tmp_path: Path) -> None:
    """Git asks the variable for the password, for this server only; without it the job says what to set."""
    machine = Machine(two_clones.hub, tmp_path / "ci", forge)
    where = machine.folder() / "work"
    clone = two_clones.hub.clone(where)
    script = f"bash {CI / 'gitlab/git-access.sh'}"
    env = {"CI_SERVER_URL": "https://gitlab.example", "CI_PROJECT_URL": "https://gitlab.example/acme/models"}
    status, said = machine.run(script, where, env)
    assert (status, "MODEL_PUSH_TOKEN" in said) == (1, True)
    env["MODEL_PUSH_TOKEN"] = "push $(x) token"
    clone("config", "credential.https://gitlab.example.helper", "!echo password=the-jobs-own; :")
    assert machine.run(f"{script} && {script}", where, env) == (0, "")
    assert clone("remote", "get-url", "--push", "origin") == "https://gitlab.example/acme/models.git"
    ask = "printf 'protocol=https\\nhost=%s\\n\\n' {} | git credential fill"
    status, said = machine.run(ask.format("gitlab.example"), where, env)
    assert (status, said.splitlines()[-1]) == (0, "password=push $(x) token")
    assert machine.run(ask.format("elsewhere.example"), where, env)[0] != 0
