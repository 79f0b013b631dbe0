"""Repositories in every state: what can be read is read, and nothing is released from a state that may be lying."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_input.support import build_released, edit, model_digest, refused, well_said
from tests.support import Clones, DvcRepo, Git, Modelver, Templates, snapshot

READING = (("list",), ("show", "churn"), ("show", "churn@v0.2.0"), ("show", "churn#prod"), ("history",), ("doctor",))
WRITING = (
    ("release", "churn", "--allow-unchanged", "--same-commit"),
    ("promote", "churn@v0.2.0", "staging"),
    ("withdraw", "churn#prod"),
    ("retire", "churn"),
)


def read_all(modelver: Modelver, cwd: Git, env: dict[str, str] | None = None) -> None:
    """Every reading command answers 0."""
    for command in READING:
        modelver(*command, cwd=cwd, env=env)


def test_outside_any_repository_the_environment_is_to_blame(modelver: Modelver, tmp_path: Path) -> None:
    """No command works without a repository: 6."""
    for command in (*READING, *WRITING, ("get", "churn"), ("push",)):
        well_said(modelver(*command, cwd=tmp_path, code=6))
    assert list(tmp_path.iterdir()) == []


def test_an_unborn_head_has_an_empty_list_and_nothing_to_release(modelver: Modelver, git: Git) -> None:
    """Before the first commit the list is empty and a release is impossible."""
    answer = modelver("list", "--json", cwd=git).json
    assert (answer["models"], answer["problems"]) == ([], [])
    modelver("history", cwd=git)
    refused(modelver, git, "release", "churn", code=6)
    refused(modelver, git, "show", "churn", code=7)


def test_a_repository_without_models_has_an_empty_list(modelver: Modelver, plain_repo: Git) -> None:
    """Without DVC there is nothing to list, and nothing of a name to release."""
    assert modelver("list", "--json", cwd=plain_repo).json["models"] == []
    refused(modelver, plain_repo, "release", "churn", code=7)


def test_a_bare_repository_is_read_and_not_released_from(modelver: Modelver, released: DvcRepo, tmp_path: Path) -> None:
    """Reading a bare repository needs no work tree; a release of HEAD does."""
    bare = released.git.clone(tmp_path / "bare.git", "--bare")
    read_all(modelver, bare)
    assert modelver("show", "churn@v0.2.0", "--json", cwd=bare).json["metrics"]["metrics.json"]["auc"] == 0.85
    refused(modelver, bare, "release", "churn", code=6)


def test_a_shallow_clone_says_so_and_releases_nothing(modelver: Modelver, released: DvcRepo, tmp_path: Path) -> None:
    """A clone that may lack tags is never taken for a young project."""
    url = released.path.as_uri()
    released.git("clone", "-q", "--depth=1", url, tmp_path / "shallow")
    shallow = released.git.at(tmp_path / "shallow")
    result = modelver("list", "--json", cwd=shallow)
    assert result.json["incomplete"] is True
    assert "shallow" in modelver("list", cwd=shallow).err
    for command in (("release", "churn"), ("release", "churn", "--version", "v9.0.0", "--offline")):
        refused(modelver, shallow, *command, code=6)
    assert "unshallow" in modelver("release", "churn", cwd=shallow, code=6).err


def test_a_clone_without_the_remotes_tags_releases_nothing(modelver: Modelver, two_clones: Clones) -> None:
    """No tag of the model here while the remote has some: fetch them first."""
    modelver("release", "churn", "--push", cwd=two_clones.ada.git)
    said = refused(modelver, two_clones.bao.git, "release", "churn", code=6).err
    assert "git fetch --tags" in said


def test_an_unreachable_remote_stops_the_first_release_unless_offline(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """Where this clone cannot know whether the remote has numbers, it says so."""
    dvc_repo.git("remote", "add", "origin", str(dvc_repo.path.parent / "gone.git"))
    refused(modelver, dvc_repo.git, "release", "churn", code=6)
    modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    dvc_repo.fake_train(9)
    again = modelver("release", "churn", cwd=dvc_repo.git)
    assert "warning:" in again.err
    refused(modelver, dvc_repo.git, "push", code=6)


@pytest.mark.parametrize("card", [False, True], ids=["no card", "current card"])
def test_a_detached_head_is_read_and_released(modelver: Modelver, released: DvcRepo, card: bool) -> None:
    """A release that needs no commit needs no branch; one that does is refused."""
    released.fake_train(9)
    released.git("checkout", "-q", "--detach")
    read_all(modelver, released.git)
    refused(modelver, released.git, "release", "churn", code=3)
    if card:
        modelver("release", "churn", "--prepare", cwd=released.git)
        released.git.commit("The card, reviewed")
    head = released.git.rev("HEAD")
    modelver("release", "churn", *([] if card else ["--no-card"]), cwd=released.git)
    assert released.git.rev("churn@v0.3.0^{commit}") == head == released.git.rev("HEAD")


DIRTY = {
    "the pipeline": lambda repo: edit(repo.path / "dvc.yaml", "desc: Who", "desc: Which"),
    "the lock": lambda repo: edit(repo.path / "dvc.lock", "depth: 7", "depth: 8"),
    "params": lambda repo: edit(repo.path / "params.yaml", "depth: 7", "depth: 8"),
    "code": lambda repo: edit(repo.path / "src/train.py", "import os", "import os  # dirty"),
    "a .dvc file": lambda repo: edit(repo.path / "data/raw.csv.dvc", "outs:", "# dirty\nouts:"),
    "staged code": lambda repo: (edit(repo.path / "src/train.py", "import os", "import os  # x"), repo.git("add", ".")),
    "deleted code": lambda repo: (repo.path / "src/train.py").unlink(),
    "a removed lock": lambda repo: repo.git("rm", "-q", "--cached", "dvc.lock"),
}


@pytest.mark.parametrize("what", DIRTY)
def test_a_dirty_slice_is_refused(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """What makes the model must be as committed: 3, naming the file."""
    DIRTY[what](released)
    said = refused(modelver, released.git, "release", "churn", code=3).err
    assert any(name in said for name in ("dvc.yaml", "dvc.lock", "params.yaml", "train.py", "raw.csv.dvc")), said


def test_model_bytes_that_are_not_the_committed_ones_are_refused(modelver: Modelver, released: DvcRepo) -> None:
    """A model trained and not committed would be released as the old one."""
    released.model.unlink()
    released.model.write_text("another model")
    assert released.MODEL in refused(modelver, released.git, "release", "churn", code=3).err


def test_other_dirty_files_are_named_and_left_alone(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """A dirty file that is no part of the model hinders nothing and stays dirty, staged or not."""
    dvc_repo.git.write("README.md", "# Being rewritten\n")
    dvc_repo.git.write("src/evaluate.py.bak", "untracked")
    dvc_repo.git.write("notes.txt", "staged")
    dvc_repo.git("add", "notes.txt")
    before = snapshot(dvc_repo.git)
    result = modelver("release", "churn", cwd=dvc_repo.git)
    assert "README.md" in result.err
    assert "notes.txt" in result.err
    after = snapshot(dvc_repo.git)
    made = {"ref refs/tags/churn@v0.1.0", "ref refs/heads/main", "file model_cards/churn.md", ".git/index"}
    assert {key for key in {*before, *after} if after.get(key) != before.get(key)} == made
    assert dvc_repo.git("diff", "--name-only", "HEAD^", "HEAD") == "model_cards/churn.md"
    assert dvc_repo.git("status", "--porcelain") == " M README.md\nA  notes.txt\n?? src/evaluate.py.bak"


def test_a_declaration_that_is_not_committed_is_refused(modelver: Modelver, plain_repo: Git) -> None:
    """The model is there for the eye, and not for the next clone: 3."""
    plain_repo.write("dvc.yaml", "artifacts:\n  churn:\n    path: README.md\n    type: model\n")
    assert "not committed" in refused(modelver, plain_repo, "release", "churn", code=3).err


UNDER_WAY = {
    "merge": "MERGE_HEAD",
    "rebase": "rebase-merge",
    "cherry-pick": "CHERRY_PICK_HEAD",
    "bisect": "BISECT_LOG",
}


@pytest.mark.parametrize("operation", UNDER_WAY)
def test_an_unfinished_operation_is_refused(modelver: Modelver, released: DvcRepo, operation: str) -> None:
    """HEAD is not what it will be: 3."""
    mark = released.path / ".git" / UNDER_WAY[operation]
    mark.mkdir() if operation == "rebase" else mark.write_text(released.git.rev() + "\n")
    assert operation in refused(modelver, released.git, "release", "churn", code=3).err
    read_all(modelver, released.git)


def test_inside_a_pipeline_stage_nothing_is_written(modelver: Modelver, released: DvcRepo) -> None:
    """`dvc repro` holds its lock and its outputs are not final: 3; reading works."""
    env = {"DVC_STAGE": "train"}
    for command in WRITING:
        refused(modelver, released.git, *command, code=3, env=env)
    refused(modelver, released.git, "release", "churn", "--dry-run", code=3, env=env)
    read_all(modelver, released.git, env)


def test_a_stale_ref_lock_is_named_and_left(modelver: Modelver, released: DvcRepo) -> None:
    """A lock that a killed git left is named, never deleted: 6."""
    released.fake_train(9)
    lock = released.path / ".git/refs/tags/churn@v0.3.0.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("")
    before = snapshot(released.git)
    result = well_said(modelver("release", "churn", cwd=released.git, code=6))
    assert "churn@v0.3.0.lock" in result.err
    assert snapshot(released.git) == before
    assert lock.exists()
    lock.unlink()
    modelver("release", "churn", cwd=released.git)


def test_where_nothing_can_be_noted_reading_works_and_writing_is_refused(modelver: Modelver, released: DvcRepo) -> None:
    """A Git directory that takes no file of ours costs the warnings, not the answers."""
    state = released.path / ".git" / "modelver"
    shutil.rmtree(state)
    state.write_text("in the way")
    read_all(modelver, released.git)
    for command in WRITING:
        refused(modelver, released.git, *command, code=6)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_git_directory_is_read(modelver: Modelver, released: DvcRepo) -> None:
    """Reading a read-only `.git` answers 0, writing 6."""
    folders = [p for p in (released.path / ".git").rglob("*") if p.is_dir()]
    for folder in [released.path / ".git", *folders]:
        folder.chmod(0o555)
    try:
        read_all(modelver, released.git)
        refused(modelver, released.git, "promote", "churn@v0.2.0", "staging", code=6)
    finally:
        for folder in [released.path / ".git", *folders]:
            folder.chmod(0o755)


def test_damaged_files_of_ours_hinder_nothing(modelver: Modelver, released: DvcRepo) -> None:
    """Cache, seen-log and journal are rebuilt or left; whatever is in them, the refs answer."""
    modelver("show", "churn", cwd=released.git)
    expected = modelver("show", "churn", "--json", cwd=released.git).json["versions"]
    for place in [p for p in (released.path / ".git" / "modelver").rglob("*") if p.is_file()]:
        place.write_bytes(b"\xff\x00 {[ not ours\n" * 3)
    (released.path / ".git/modelver/journal").write_bytes(b"\xff\xfe")
    answer = modelver("show", "churn", "--json", cwd=released.git).json["versions"]
    for row in (*answer, *expected):
        row.pop("published")
    assert answer == expected
    modelver("promote", "churn@v0.2.0", "staging", cwd=released.git)


def canonical(modelver: Modelver, cwd: Git) -> tuple[str, str]:
    """The only model's name and latest version, as seen from a directory."""
    (model,) = modelver("list", "--json", cwd=cwd).json["models"]
    return model["name"], model["latest"]


def test_a_linked_worktree_is_the_same_repository(modelver: Modelver, released: DvcRepo, tmp_path: Path) -> None:
    """Versions belong to the repository, not to one of its work trees, whatever GIT_DIR a hook exports."""
    released.git("worktree", "add", "-q", "-b", "side", tmp_path / "side", "churn@v0.1.0")
    side = released.git.at(tmp_path / "side")
    assert canonical(modelver, side) == ("churn", "v0.2.0")
    read_all(modelver, side)
    modelver("promote", "churn@v0.2.0", "staging", cwd=side)
    assert modelver("show", "churn#staging", "--json", cwd=released.git).json["version"] == "v0.2.0"
    hook = {"GIT_DIR": str(released.path / ".git"), "GIT_INDEX_FILE": "/nowhere/index"}
    assert modelver("list", "--json", cwd=side, env=hook).json["models"][0]["latest"] == "v0.2.0"


def test_inherited_git_variables_do_not_name_another_repository(
    modelver: Modelver, released: DvcRepo, templates: Templates, tmp_path: Path
) -> None:
    """What a surrounding git exports is not obeyed."""
    other = templates.plain(tmp_path / "other")
    hook = {"GIT_DIR": str(other.path / ".git"), "GIT_WORK_TREE": str(other.path), "GIT_PREFIX": "x/"}
    answer = modelver("list", "--json", cwd=released.git, env=hook).json
    assert [model["name"] for model in answer["models"]] == ["churn"]


def test_a_submodule_is_its_own_repository(modelver: Modelver, released: DvcRepo, plain_repo: Git) -> None:
    """Inside a submodule its own versions are read; the outer repository has none."""
    outer = plain_repo.at(plain_repo.path.parent / "outer").init()
    outer.commit("Begin", {"README.md": "# Outer\n"})
    outer("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", released.path, "sub")
    outer.commit("Add a submodule")
    assert modelver("list", "--json", cwd=outer).json["models"] == []
    inner = outer.at("sub")
    assert canonical(modelver, inner) == ("churn", "v0.2.0")
    assert "modelver" in [p.name for p in (outer.path / ".git/modules/sub").iterdir()]


@pytest.fixture
def monorepo(dvc_repo: DvcRepo) -> DvcRepo:
    """The project moved to `teams/risk`, beside another model of the same name at the root."""
    top, below = dvc_repo.path, dvc_repo.path / "teams" / "risk"
    below.mkdir(parents=True)
    for name in (".dvc", ".dvcignore", "data", "models", "src", "dvc.yaml", "dvc.lock", "params.yaml", "metrics.json"):
        (top / name).rename(below / name)
    edit(below / ".dvc" / "config", "../store", "../../../store")
    return DvcRepo(dvc_repo.git, dvc_repo.store)


def test_a_monorepo_has_one_canonical_name_everywhere(modelver: Modelver, monorepo: DvcRepo) -> None:
    """From the root, from inside and from below, one model has one name and one tag."""
    monorepo.git.commit("Move it")
    inside = monorepo.git.at("teams/risk")
    modelver("release", "churn", cwd=inside)
    assert monorepo.git.tags() == ["teams/risk=churn@v0.1.0"]
    for where in (monorepo.git, inside, monorepo.git.at("teams/risk/src")):
        assert canonical(modelver, where) == ("teams/risk:churn", "v0.1.0")
        modelver("show", "teams/risk:churn@v0.1.0", cwd=where)
        modelver("get", "teams/risk:churn", "-o", str(monorepo.store.parent / "got.bin"), cwd=where)
    for where in (inside, monorepo.git.at("teams/risk/src")):
        assert modelver("show", "churn@v0.1.0", "--json", cwd=where).json["name"] == "teams/risk:churn"
    said = refused(modelver, monorepo.git, "show", "churn", code=7).err
    assert "teams/risk:churn" in said


def test_inside_a_directory_its_own_model_comes_first(modelver: Modelver, monorepo: DvcRepo) -> None:
    """A bare name means the nearest one upwards, so two models of one name do not mix."""
    monorepo.git.commit("Two of a name", {"dvc.yaml": "artifacts:\n  churn:\n    path: README.md\n    type: model\n"})
    modelver("release", "churn", cwd=monorepo.git)
    modelver("release", "churn", cwd=monorepo.git.at("teams/risk"))
    assert monorepo.git.tags() == ["churn@v0.1.0", "teams/risk=churn@v0.1.0"]
    for where, name in ((".", "churn"), ("teams/risk", "teams/risk:churn"), ("teams/risk/src", "teams/risk:churn")):
        found = modelver("show", "churn@latest", "--json", cwd=monorepo.git.at(where)).json["name"]
        assert found == name, where


def test_without_dvc_on_the_machine_reading_and_fetching_work(modelver: Modelver, released: DvcRepo) -> None:
    """Nothing that reads, and no fetch from a directory, needs `import dvc`."""
    blocked = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('dvc', 'dvc_data', 'dvc_objects', 'scmrepo', 'git', 'gto'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from dvc_modelver.cli.main import main\n"
        "import json\n"
        "print(json.dumps([main(args) for args in json.loads(sys.argv[1])]), file=sys.__stdout__)\n"
    )
    shutil.rmtree(released.cache)
    commands = [*READING, ("get", "churn#prod", "-o", "../got.bin"), ("get", "churn", "-o", "../new.bin")]
    done = subprocess.run(
        [sys.executable, "-c", blocked, json.dumps(commands)],
        cwd=released.path,
        env=released.git.env,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [0] * len(commands), done
    assert (released.store.parent / "new.bin").read_bytes() == released.model.read_bytes()


def test_without_git_every_command_says_so(modelver: Modelver, released: DvcRepo, tmp_path: Path) -> None:
    """No git on PATH: 6, for reading too."""
    (tmp_path / "empty").mkdir()
    for command in (("list",), ("release", "churn")):
        well_said(modelver(*command, cwd=released.git, env={"PATH": str(tmp_path / "empty")}, code=6))


def test_a_user_without_a_name_is_told_how_to_get_one(modelver: Modelver, released: DvcRepo, tmp_path: Path) -> None:
    """A tag needs an identity: 6 with the command that sets it."""
    (tmp_path / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    said = refused(modelver, released.git, "promote", "churn@v0.2.0", "staging", code=6, env=env).err
    assert "git config user.name" in said


def test_a_retired_model_is_refused_until_reopened(modelver: Modelver, released: DvcRepo) -> None:
    """Nothing is released or promoted of a retired model, and `get` wants to be told the version."""
    modelver("retire", "churn", "-m", "replaced", cwd=released.git)
    refused(modelver, released.git, "promote", "churn@v0.2.0", "staging", code=3)
    refused(modelver, released.git, "get", "churn", code=3)
    released.fake_train(9)
    refused(modelver, released.git, "release", "churn", code=3)
    modelver("release", "churn", "--unretire", cwd=released.git)
    modelver("promote", "churn@latest", "staging", cwd=released.git)


def test_a_released_repository_is_built_as_the_tests_expect(
    templates: Templates, modelver: Modelver, tmp_path: Path
) -> None:
    """The template's own commands give two versions, one in prod, whose digest dvc.lock names."""
    repo = build_released(templates, modelver, tmp_path / "again")
    assert repo.git.tags() == ["churn#prod#1", "churn@v0.1.0", "churn@v0.2.0"]
    assert repo.object_path(model_digest(repo)).read_bytes() == repo.model.read_bytes()
