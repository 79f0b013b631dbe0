"""`rollback`: what made a version comes back as one new commit with its bytes; nothing is lost, nothing half done."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import shapes
from tests.cli.shapes import faults
from tests.support import Clones, DvcRepo, Modelver, Result
from tests.support.snapshot import snapshot

Run = Callable[..., Result]
RANKER = "  ranker:\n    path: data/prepared.csv\n    type: model\n"


@pytest.fixture
def repo(dvc_repo: DvcRepo, modelver: Modelver) -> DvcRepo:
    """churn@v0.1.0 (depth 6), v0.2.0 (depth 8) and v0.3.0 (depth 10) at HEAD, made by `release`, each with its card."""
    for depth in (None, 8, 10):
        if depth is not None:
            dvc_repo.git.clock.tick()
            dvc_repo.fake_train(depth)
        modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    return dvc_repo


@pytest.fixture
def run(repo: DvcRepo, modelver: Modelver) -> Run:
    """`modelver` in `repo`."""

    def call(*args: str | Path, **options: Any) -> Result:
        repo.git.clock.tick()
        return modelver(*args, cwd=options.pop("cwd", repo.git), **options)

    return call


def head(repo: DvcRepo) -> str:
    """The commit that is checked out."""
    return repo.git("rev-parse", "HEAD")


def depth(repo: DvcRepo) -> str:
    """What the work tree says of the model, its params and its metrics."""
    params = next(line.split()[-1] for line in (repo.path / "params.yaml").read_text().splitlines() if "depth" in line)
    auc = json.loads((repo.path / "metrics.json").read_text())["auc"]
    return f"{repo.model.read_text().split()[1]} {params} {auc}"


def refused(repo: DvcRepo, run: Run, *words: str, code: int = 3) -> str:
    """The error of a rollback that changes nothing at all."""
    before = snapshot(repo.git)
    said = run("rollback", *words, code=code).err
    after = snapshot(repo.git)
    assert {k: v for k, v in before.items() if "modelver/" not in k} == {
        k: v for k, v in after.items() if "modelver/" not in k
    }
    return said


# The slice --------------------------------------------------------------------------------------------------------


def test_one_new_commit_with_its_bytes(repo: DvcRepo, run: Run) -> None:
    """The version before comes back as a commit on top; params, lock, metrics, bytes and card are its own."""
    before = head(repo)
    result = run("rollback", "churn", "--reason", "recall fell", "--json").json
    assert faults(result, shapes.ROLLED_BACK) == []
    assert (result["action"], result["changed"]) == ("rollback", True)
    assert (result["models"][0]["version"], result["from"]) == ("v0.2.0", "v0.3.0")
    assert repo.git("rev-parse", "HEAD^") == before
    assert result["models"][0]["commit"] == head(repo)
    assert "recall fell" in repo.git("log", "-1", "--format=%B")
    assert depth(repo) == "8 8 0.9"
    assert repo.git("status", "--porcelain") == ""
    for file in ("dvc.lock", "params.yaml", "metrics.json", "dvc.yaml"):
        assert repo.git("show", f"HEAD:{file}") == repo.git("show", f"churn@v0.2.0:{file}")
    assert "v0.2.0" in repo.git("show", "HEAD:model_cards/churn.md")
    assert run("card", "check").code == 0


def test_answers_have_their_shapes(repo: DvcRepo, run: Run) -> None:
    """What scripts read of verify and bisect has the documented keys."""
    assert faults(run("verify", "--all", "--remote", "--json").json, shapes.VERIFY) == []
    repo.fake_train(2)
    run("release", "churn", "--offline")
    answer = run("bisect", "churn", "--metric", "auc", "--json").json
    assert faults(answer, shapes.BISECT) == []
    assert answer["step"] == {"from": "v0.3.0", "to": "v0.4.0"}


def test_dvc_agrees(repo: DvcRepo, run: Run) -> None:
    """Afterwards `dvc status` is clean and `dvc checkout` finds nothing to do."""
    run("rollback", "churn", "v0.1.0")
    assert repo.dvc(["status"]).strip() == "Data and pipelines are up to date."
    assert repo.dvc(["checkout", "--summary"]).strip() in ("", "No changes.")


def test_what_is_not_the_models_stays(repo: DvcRepo, run: Run) -> None:
    """Comments, other params, other files and people's text of the card stay as they are now."""
    params = (repo.path / "params.yaml").read_text()
    card = repo.path / "model_cards/churn.md"
    text = card.read_text()
    assert "<!-- modelver:end" in text
    repo.git.commit(
        "Write",
        {
            "params.yaml": f"# Tuned by hand.\nother: 1\n{params}",
            "notes.md": "mine\n",
            "model_cards/churn.md": f"{text}\nOnly for customers of last year.\n",
        },
    )
    run("rollback", "churn", "v0.1.0")
    now = (repo.path / "params.yaml").read_text()
    assert now == f"# Tuned by hand.\nother: 1\n{params}".replace("depth: 10", "depth: 6")
    assert (repo.path / "notes.md").read_text() == "mine\n"
    assert card.read_text().endswith("\nOnly for customers of last year.\n")
    assert "v0.1.0" in card.read_text()


def test_back_and_forth(repo: DvcRepo, run: Run) -> None:
    """Any number of times gives the same bytes; going where one is does nothing."""
    seen: dict[str, str] = {}
    for version in ("v0.1.0", "v0.3.0", "v0.1.0", "v0.2.0", "v0.3.0", "v0.1.0"):
        run("rollback", "churn", version)
        tree = repo.git("ls-tree", "-r", "HEAD") + repo.model.read_text()
        assert seen.setdefault(version, tree) == tree
        at = head(repo)
        again = run("rollback", "churn", version, "--json").json
        assert (again["changed"], again["steps"]) == (False, [])
        assert head(repo) == at


def test_a_second_rollback_goes_further(repo: DvcRepo, run: Run) -> None:
    """The default is the version before that of HEAD's bytes; before the first there is none."""
    assert run("rollback", "churn", "--json").json["models"][0]["version"] == "v0.2.0"
    assert run("rollback", "churn", "--json").json["models"][0]["version"] == "v0.1.0"
    assert "no version before v0.1.0" in refused(repo, run, "churn", code=7)
    assert refused(repo, run, "churn", "v9.0.0", code=7).startswith("error: churn has no version v9.0.0")
    assert refused(repo, run, "chrun", code=7).startswith("error: there is no model chrun")


def test_from_bytes_that_were_never_released(repo: DvcRepo, run: Run) -> None:
    """What is no version goes back to the latest."""
    repo.fake_train(12)
    result = run("rollback", "churn", "--json").json
    assert (result["models"][0]["version"], result["from"]) == ("v0.3.0", None)
    assert depth(repo).startswith("10 10")


def test_a_withdrawn_version_is_no_target(repo: DvcRepo, run: Run) -> None:
    """It is passed over by default, and refused when named."""
    run("withdraw", "churn@v0.2.0", "-m", "poisoned", "--yes", "--offline")
    assert "was withdrawn" in refused(repo, run, "churn", "v0.2.0")
    assert run("rollback", "churn", "--json").json["models"][0]["version"] == "v0.1.0"


def test_the_plan(repo: DvcRepo, run: Run) -> None:
    """A dry run names what would be done, and changes nothing."""
    before = snapshot(repo.git)
    plan = run("rollback", "churn", "v0.1.0", "--dry-run", "--json").json
    done = {(step["do"], step["target"]) for step in plan["steps"]}
    assert {("restore file", "dvc.lock"), ("restore file", "params.yaml"), ("restore bytes", repo.MODEL)} <= done
    assert {k: v for k, v in snapshot(repo.git).items() if "modelver/" not in k} == {
        k: v for k, v in before.items() if "modelver/" not in k
    }
    applied = run("rollback", "churn", "v0.1.0", "--json").json
    assert applied["steps"] == plan["steps"]


def test_the_version_by_any_of_its_names(repo: DvcRepo, run: Run) -> None:
    """What a stage holds, a version in one word and `latest` are targets too."""
    run("promote", "churn@v0.1.0", "prod", "--offline")
    assert run("rollback", "churn#prod", "--json").json["models"][0]["version"] == "v0.1.0"
    assert run("rollback", "churn@latest", "--json").json["models"][0]["version"] == "v0.3.0"
    assert run("rollback", "churn@v0.2.0", "--json").json["models"][0]["version"] == "v0.2.0"
    run("rollback", "churn#dev", code=7)


def test_undo(repo: DvcRepo, run: Run) -> None:
    """`--undo` goes back to where the last one started, as long as nothing has moved since."""
    start = repo.git("rev-parse", "HEAD^{tree}")
    assert "no rollback" in refused(repo, run, "--undo", code=7)
    run("rollback", "churn", "v0.1.0")
    run("rollback", "--undo")
    assert repo.git("rev-parse", "HEAD^{tree}") == start
    assert depth(repo).startswith("10 10")
    run("rollback", "churn", "v0.1.0")
    repo.git.commit("Go on", {"notes.md": "x\n"})
    assert "something has moved" in refused(repo, run, "--undo")


def test_undo_of_a_detached_rollback(repo: DvcRepo, run: Run) -> None:
    """After `--detach`, `--undo` checks out the branch again, with its data; when the branch has moved it refuses."""
    head, bytes_, branch = repo.git("rev-parse", "HEAD"), repo.model.read_bytes(), repo.git("branch", "--show-current")
    run("rollback", "churn", "v0.1.0", "--detach")
    assert repo.model.read_bytes() != bytes_
    assert f"git checkout: {branch}" in run("rollback", "--undo", "--dry-run").out.replace("  ", ": ")
    run("rollback", "--undo")
    assert (repo.git("rev-parse", "HEAD"), repo.git("branch", "--show-current")) == (head, branch)
    assert repo.model.read_bytes() == bytes_
    run("rollback", "churn", "v0.1.0", "--detach")
    repo.git("update-ref", f"refs/heads/{branch}", "HEAD")
    assert "something has moved" in refused(repo, run, "--undo")


# What would be lost -----------------------------------------------------------------------------------------------


def test_an_unsaved_model_is_kept(repo: DvcRepo, run: Run) -> None:
    """Bytes that no commit names are not overwritten; nor are uncommitted files."""
    repo.model.unlink()
    repo.model.write_text("tuned for hours\n")
    said = refused(repo, run, "churn")
    assert repo.MODEL in said
    assert repo.model.read_text() == "tuned for hours\n"
    shutil.copyfile(repo.object_path(md5_of(repo)), repo.model)
    (repo.path / "params.yaml").write_text("train: {depth: 99}\n")
    assert "params.yaml" in refused(repo, run, "churn")


def md5_of(repo: DvcRepo) -> str:
    """The digest of the model that HEAD names."""
    lines = (repo.path / "dvc.lock").read_text().splitlines()
    at = max(n for n, line in enumerate(lines) if "path: models/churn.bin" in line and "outs" in "".join(lines[n - 1]))
    return lines[at + 2].split()[-1].strip("'")


def test_other_dirt_is_left_alone(repo: DvcRepo, run: Run) -> None:
    """What a rollback does not touch may be dirty, staged or untracked, and stays just so."""
    repo.git.write("README.md", "# Another\n")
    repo.git.write("staged.md", "x\n")
    repo.git("add", "staged.md")
    repo.git.write("untracked.md", "y\n")
    before = repo.git("status", "--porcelain")
    assert "left alone" in run("rollback", "churn").err
    assert repo.git("status", "--porcelain") == before
    assert depth(repo).startswith("8 8")


def test_bytes_that_are_nowhere(repo: DvcRepo, run: Run) -> None:
    """Missing or corrupt bytes are found before the first change; what the remote has is fetched."""
    digest = next(
        line.split()[-1].removeprefix("md5:")
        for line in repo.git("cat-file", "-p", "churn@v0.2.0").splitlines()
        if line.startswith("Modelver-Digest")
    )
    place, there = repo.object_path(digest), repo.store / "files/md5" / digest[:2] / digest[2:]
    place.chmod(0o644)
    data = place.read_bytes()
    place.write_bytes(b"altered\n")
    assert "corrupt" in refused(repo, run, "churn", code=5)
    place.unlink()
    aside = there.with_name("aside")
    there.rename(aside)
    refused(repo, run, "churn", code=5)
    aside.rename(there)
    run("rollback", "churn")
    assert place.read_bytes() == data
    assert depth(repo).startswith("8 8")


def test_refused_states(repo: DvcRepo, run: Run) -> None:
    """Inside a pipeline stage, during a merge, on a detached or unborn HEAD, in a bare repository."""
    said = run("rollback", "churn", code=3, env={"DVC_STAGE": "train"}).err
    assert "pipeline stage train" in said
    (repo.path / ".git/MERGE_HEAD").write_text(head(repo) + "\n")
    assert "a merge is under way" in refused(repo, run, "churn")
    (repo.path / ".git/MERGE_HEAD").unlink()
    repo.git("checkout", "-q", "--detach")
    assert "HEAD is detached" in refused(repo, run, "churn")
    bare = repo.git.clone(repo.path.parent / "bare.git", "--bare")
    assert run("rollback", "churn", cwd=bare, code=6).err.startswith("error: ")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("churn", "--tree", "--detach"),
        ("churn", "--undo"),
        ("churn", "--detach", "--branch", "x"),
        ("churn", "1.0"),
        ("churn@v0.1.0", "v0.2.0"),
        ("churn", "--branch", "a..b"),
        ("churn", "--include-shared", "--tree"),
    ],
)
def test_bad_usage(repo: DvcRepo, run: Run, words: tuple[str, ...]) -> None:
    """What cannot be meant is exit code 2, and changes nothing."""
    refused(repo, run, *words, code=2)


# Shared parts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(repo: DvcRepo, run: Run) -> DvcRepo:
    """A second model that is made by `prepare`, whose code has changed since churn@v0.3.0."""
    dvc_yaml = (repo.path / "dvc.yaml").read_text()
    prepare = (repo.path / "src/prepare.py").read_text()
    repo.git.commit("Two models", {"dvc.yaml": dvc_yaml + RANKER, "src/prepare.py": prepare + "# faster\n"})
    repo.dvc(["repro", "-q"])
    repo.git.commit("Prepare faster")
    return repo


def test_shared_parts_are_refused(shared: DvcRepo, run: Run) -> None:
    """What makes another model too is listed with that model, and restored only when asked for."""
    said = refused(shared, run, "churn", "v0.1.0")
    assert "ranker" in said
    assert "--include-shared" in said
    result = run("rollback", "churn", "v0.1.0", "--include-shared", "--json").json
    assert result["out_of_date"] == ["ranker"]
    assert shared.git("show", "HEAD:src/prepare.py") == shared.git("show", "churn@v0.1.0:src/prepare.py")
    assert RANKER in shared.git("show", "HEAD:dvc.yaml") + "\n"
    assert shared.dvc(["status"]).strip() == "Data and pipelines are up to date."


def test_what_did_not_change_is_not_shared(repo: DvcRepo, run: Run) -> None:
    """A part of two models that is the same then and now refuses nothing."""
    dvc_yaml = (repo.path / "dvc.yaml").read_text()
    repo.git.commit("Two models", {"dvc.yaml": dvc_yaml + RANKER})
    run("rollback", "churn", "v0.1.0")
    assert depth(repo).startswith("6 6")
    assert RANKER in (repo.path / "dvc.yaml").read_text()


# The other forms --------------------------------------------------------------------------------------------------


def test_the_whole_tree(repo: DvcRepo, run: Run) -> None:
    """`--tree` makes one new commit whose tree is the version's own."""
    repo.git.commit("More", {"notes.md": "mine\n", "src/new.py": "x\n"})
    before = head(repo)
    run("rollback", "churn", "v0.1.0", "--tree")
    assert repo.git("rev-parse", "HEAD^") == before
    assert repo.git("rev-parse", "HEAD^{tree}") == repo.git("rev-parse", "churn@v0.1.0^{tree}")
    assert repo.git("status", "--porcelain") == ""
    assert depth(repo).startswith("6 6")


def test_the_model_alone(repo: DvcRepo, run: Run) -> None:
    """`--model-only` leaves params and code, and says what `dvc status` will show."""
    result = run("rollback", "churn", "v0.1.0", "--model-only", "--json").json
    assert depth(repo) == "6 10 0.8"
    assert any("params.yaml" in path for path in result["stale"])
    assert "train" in repo.dvc(["status"])


def test_detached(repo: DvcRepo, run: Run) -> None:
    """`--detach` checks out the tag itself and its data; branches stay."""
    branch = repo.git("rev-parse", "main")
    run("rollback", "churn", "v0.1.0", "--detach")
    assert head(repo) == repo.git("rev-parse", "churn@v0.1.0^{commit}")
    assert repo.git.run("symbolic-ref", "-q", "HEAD", check=False).returncode == 1
    assert repo.git("rev-parse", "main") == branch
    assert depth(repo).startswith("6 6")
    assert repo.git("status", "--porcelain") == ""


def test_on_a_branch(repo: DvcRepo, run: Run) -> None:
    """`--branch` makes the commit for a pull request; what is checked out does not move."""
    before = snapshot(repo.git)
    at = head(repo)
    result = run("rollback", "churn", "v0.1.0", "--branch", "back", "--json").json
    assert repo.git("rev-parse", "back^") == at == head(repo)
    assert result["models"][0]["commit"] == repo.git("rev-parse", "back")
    assert "depth: 6" in repo.git("show", "back:params.yaml")
    changed = {k for k, v in snapshot(repo.git).items() if before.get(k) != v}
    assert not [k for k in changed if not any(word in k for word in ("modelver", "objects", "refs/heads/back", "back"))]
    assert "there is a branch back already" in run("rollback", "churn", "v0.1.0", "--branch", "back", code=3).err


@pytest.mark.parametrize(("there", "name"), [("fix", "fix/churn"), ("fix/churn/old", "fix/churn")])
def test_a_branch_that_git_cannot_keep_beside_another(repo: DvcRepo, run: Run, there: str, name: str) -> None:
    """Known before anything is made, by the plan too, and said in words that help; a like name is in nobody's way."""
    repo.git("branch", there)
    repo.git("branch", "fix-churn")
    for more in (), ("--dry-run",):
        said = refused(repo, run, "churn", "--branch", name, *more)
        assert f"no branch {name} beside {there}" in said
        assert "choose another name" in said


def test_pushed(two_clones: Clones, modelver: Modelver) -> None:
    """`--push` publishes the branch with the new commit."""
    repo = two_clones.ada
    modelver("release", "churn", "--push", cwd=repo.git)
    repo.fake_train(9)
    modelver("release", "churn", "--push", cwd=repo.git)
    modelver("rollback", "churn", "--push", cwd=repo.git)
    assert two_clones.hub("rev-parse", "main") == head(repo)
    assert depth(repo).startswith("6 6")


def test_a_stage(repo: DvcRepo, run: Run) -> None:
    """`--stage` promotes the previous holder again, on the record; a second one never brings the bad one back."""
    for version in ("v0.1.0", "v0.2.0", "v0.3.0"):
        run("promote", f"churn@{version}", "prod", "--offline")
    at = head(repo)
    for expected, left in (("v0.2.0", "v0.3.0"), ("v0.1.0", "v0.2.0")):
        result = run("rollback", "churn", "--stage", "prod", "--reason", "alarms", "--offline", "--json").json
        assert result["models"][0]["version"] == expected
        tag = repo.git("cat-file", "-p", result["models"][0]["tag"])
        assert f"Modelver-Rolled-Back-From: {left}" in tag
        assert "alarms" in tag
        assert run("list", "--json").json["models"][0]["stages"]["prod"]["version"] == expected
    assert "held nothing else" in run("rollback", "churn", "--stage", "prod", "--offline", code=7).err
    assert head(repo) == at


@pytest.mark.parametrize("how", ["the stage", "the version"])
def test_a_stage_that_was_emptied(repo: DvcRepo, run: Run, how: str) -> None:
    """Once the bad one was taken out, the stage goes back past it, again and again, and never to it."""
    for version in ("v0.1.0", "v0.2.0", "v0.3.0"):
        run("promote", f"churn@{version}", "prod", "--offline")
    if how == "the stage":
        run("withdraw", "churn#prod", "--offline")
    else:
        run("withdraw", "churn@v0.3.0", "-m", "bad", "--yes", "--offline")
    assert "would hold v0.2.0" in run("rollback", "churn", "--stage", "prod", "--offline", "--dry-run").out
    for expected, left in (("v0.2.0", "v0.3.0"), ("v0.1.0", "v0.2.0")):
        found = run("rollback", "churn", "--stage", "prod", "--offline", "--json").json["models"][0]
        assert found["version"] == expected
        assert f"Modelver-Rolled-Back-From: {left}" in repo.git("cat-file", "-p", found["tag"])
    run("rollback", "churn", "--stage", "prod", "--offline", code=7)


def test_a_stage_whose_holder_is_no_version(repo: DvcRepo, run: Run) -> None:
    """From a commit that somebody promoted without a version it goes back to the version before."""
    run("promote", "churn@v0.1.0", "prod", "--offline")
    commit = repo.git.commit("By hand", {"notes.md": "x\n"})
    repo.git("tag", "-a", "-m", "By hand", "churn#prod#2", commit)
    assert run("list", "--json").json["models"][0]["stages"]["prod"]["version"] is None
    found = run("rollback", "churn", "--stage", "prod", "--offline", "--json").json["models"][0]
    assert found["version"] == "v0.1.0"


def test_versions_with_the_same_bytes(repo: DvcRepo, run: Run) -> None:
    """Of two versions that differ in their code alone, HEAD is of the one whose code it has: one can go on back."""
    code = (repo.path / "src/train.py").read_text()
    lock = (repo.path / "dvc.lock").read_text()
    old = hashlib.md5(code.encode()).hexdigest()
    assert old in lock
    new = hashlib.md5(f"{code}# x\n".encode()).hexdigest()
    repo.git.commit("Code", {"src/train.py": f"{code}# x\n", "dvc.lock": lock.replace(old, new)})
    run("release", "churn", "--offline")
    for version, left in (("v0.3.0", "v0.4.0"), ("v0.2.0", "v0.3.0")):
        found = run("rollback", "churn", "--json").json
        assert (found["models"][0]["version"], found["from"]) == (version, left)


def test_executable_files_stay_executable(repo: DvcRepo, run: Run) -> None:
    """The modes of files come back too."""
    script = repo.path / "src/train.py"
    script.chmod(0o755)
    repo.git.commit("Executable", {"src/train.py": script.read_text() + "# x\n"})
    repo.dvc(["repro", "-q"])
    repo.git.commit("Train", {})
    run("release", "churn", "--offline")
    run("rollback", "churn", "v0.1.0")
    assert not os.access(script, os.X_OK)
    run("rollback", "churn", "v0.4.0")
    assert os.access(script, os.X_OK)
