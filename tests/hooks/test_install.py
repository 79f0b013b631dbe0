"""`hooks install|uninstall|status`: beside every hook that is there, and away again without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.commands.hooking.scripts import HOOKS, Kind, hook_script, interpreter_of, kind_of, line_for
from tests.support import DvcRepo, Git, Modelver
from tests.support.repos import run_dvc

GUARDS = ("pre-push", "post-checkout", "post-merge")
LFS = '#!/bin/sh\ncommand -v sh >/dev/null 2>&1 || { echo no; exit 2; }\ncat >>"$LOG.lfs"; echo "$@" >>"$LOG"\n'
"""Like the hook that `git lfs install` writes: it reads stdin and its arguments."""
PRE_COMMIT = """\
repos:
- repo: local
  hooks:
  - id: note
    name: note
    language: system
    entry: sh -c 'echo pre-commit >>"$LOG"'
    stages: [pre-push]
    always_run: true
    pass_filenames: false
"""


@pytest.fixture
def repo(plain_repo: Git, tmp_path: Path) -> Git:
    """A repository with a bare remote, and a log that hooks of the tests write to."""
    plain_repo("init", "-q", "--bare", tmp_path / "hub.git")
    plain_repo("remote", "add", "origin", tmp_path / "hub.git")
    plain_repo.extra_env["LOG"] = str(tmp_path / "log")
    return plain_repo


def hooks_of(repo: Git) -> dict[str, tuple[int, bytes]]:
    """Every file in the directory of hooks: its mode and its bytes (of a link, where it leads)."""
    folder = repo.path / ".git/hooks"
    return {
        path.name: (path.lstat().st_mode, os.readlink(path).encode() if path.is_symlink() else path.read_bytes())
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
    }


def put(repo: Git, name: str, text: str, mode: int = 0o755, folder: str = ".git/hooks") -> Path:
    """Somebody's own hook."""
    path = repo.write(f"{folder}/{name}", text)
    path.chmod(mode)
    return path


def states(modelver: Modelver, repo: Git, code: int | None = None) -> dict[str, str]:
    """What `hooks status` says of each."""
    return {g["name"]: g["state"] for g in modelver("hooks", "status", "--json", cwd=repo, code=code).json["guards"]}


def detail(modelver: Modelver, repo: Git, name: str = "pre-push") -> str:
    """What `hooks status` says of one guard, and its remedy."""
    guards = modelver("hooks", "status", "--json", cwd=repo, code=None).json["guards"]
    return next(f"{g['state']}: {g['detail']}: {g['remedy']}" for g in guards if g["name"] == name)


def stops_a_bad_tag(repo: Git) -> bool:
    """Whether a push of a version that is none is refused by our hook."""
    repo.write("dvc.yaml", "artifacts: {m: {path: m.bin, type: model}}\n")
    repo.commit("A model")
    if "m@v1" not in repo.tags():
        repo.tag("m@v1")
    done = repo.run("push", "origin", "m@v1", check=False)
    return done.returncode != 0 and b"modelver refuses this push" in done.stderr


def pre_commit(repo: Git, *words: str) -> None:
    """Run pre-commit itself, which the tests' interpreter has."""
    repo.write(".pre-commit-config.yaml", PRE_COMMIT)
    env = repo.env | {"PRE_COMMIT_HOME": str(repo.home / "pre-commit")}
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", *words, "-t", "pre-push"], cwd=repo.path, env=env, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def log(repo: Git) -> str:
    """What the hooks of others wrote since the last look."""
    path = Path(repo.extra_env["LOG"])
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


# Installing and taking away ------------------------------------------------------------------------------------------


def test_install_twice_and_uninstall(repo: Git, modelver: Modelver) -> None:
    """Installed twice, the files are the same to the byte; taken away, the directory is as it was."""
    before = hooks_of(repo)
    plan = modelver("hooks", "install", "--dry-run", "--json", cwd=repo).json
    assert (plan["dry_run"], plan["changed"], len(plan["steps"]), hooks_of(repo)) == (True, True, 3, before)
    done = modelver("hooks", "install", "--json", cwd=repo).json
    assert done["steps"] == plan["steps"]
    first = hooks_of(repo)
    assert set(first) == {*GUARDS}
    assert all(mode & 0o111 for mode, _ in first.values())
    assert modelver("hooks", "install", "--json", cwd=repo).json["changed"] is False
    assert hooks_of(repo) == first
    assert set(states(modelver, repo, 0).values()) == {"live", "absent"}
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == before
    assert modelver("hooks", "uninstall", "--json", cwd=repo).json["changed"] is False


@given(text=st.binary(max_size=200), mode=st.sampled_from([0o755, 0o644, 0o700]))
def test_what_was_there_comes_back(text: bytes, mode: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever bytes and mode a hook of somebody has, install and uninstall leave it as it was, link or file."""
    from dvc_modelver.commands.hooking import install
    from dvc_modelver.commands.hooking.files import read_hook_files

    folder = tmp_path_factory.mktemp("hooks")
    (folder / "pre-push").write_bytes(text)
    (folder / "pre-push").chmod(mode)
    (folder / "post-merge").symlink_to("../gone")
    for name in ("pre-push", "post-merge"):
        for _ in range(2):
            for change in install._plan_install(read_hook_files(folder, name), sys.executable):
                install._do(change)
        assert read_hook_files(folder, name).is_ours
        for change in install._plan_uninstall(read_hook_files(folder, name)):
            install._do(change)
    assert sorted(path.name for path in folder.iterdir()) == ["post-merge", "pre-push"]
    assert ((folder / "pre-push").read_bytes(), (folder / "pre-push").stat().st_mode & 0o777) == (text, mode)
    assert os.readlink(folder / "post-merge") == "../gone"


def test_a_plain_hook_runs_first(repo: Git, modelver: Modelver) -> None:
    """A hook like git-lfs's is kept as it is, and gets the same arguments and the same stdin before ours."""
    put(repo, "pre-push", LFS)
    before = hooks_of(repo)
    modelver("hooks", "install", cwd=repo)
    assert hooks_of(repo)["pre-push.before-modelver"] == before["pre-push"]
    assert stops_a_bad_tag(repo)
    assert log(repo) == f"origin {repo.path.parent}/hub.git\n"
    oid = repo.rev("refs/tags/m@v1")
    assert Path(f"{repo.extra_env['LOG']}.lfs").read_text() == f"refs/tags/m@v1 {oid} refs/tags/m@v1 {'0' * 40}\n"
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == before


def test_the_first_failure_counts(repo: Git, modelver: Modelver) -> None:
    """The exit code of the hook that was there is git's, and ours is not asked; one that reads nothing is fine."""
    put(repo, "pre-push", "#!/bin/sh\nexit 42\n")
    modelver("hooks", "install", cwd=repo)
    done = subprocess.run([repo.path / ".git/hooks/pre-push", "origin", "x"], cwd=repo.path, input=b"a " * 99999)
    assert done.returncode == 42
    put(repo, "pre-push.before-modelver", "#!/bin/sh\nexit 0\n")
    assert stops_a_bad_tag(repo)


def test_a_hook_that_git_does_not_run(repo: Git, modelver: Modelver) -> None:
    """A hook that was not executable is kept, and still not run."""
    put(repo, "pre-push", "#!/bin/sh\nexit 42\n", 0o644)
    modelver("hooks", "install", cwd=repo)
    assert repo.run("push", "origin", "main", check=False).returncode == 0


def test_two_hooks_of_others(repo: Git, modelver: Modelver) -> None:
    """When another tool has replaced ours, and one is kept already, nothing is lost: it is refused."""
    put(repo, "pre-push", LFS)
    modelver("hooks", "install", cwd=repo)
    put(repo, "pre-push", "#!/bin/sh\nexit 0\n")
    before = hooks_of(repo)
    assert "both hooks of others" in modelver("hooks", "install", cwd=repo, code=3).err
    modelver("hooks", "uninstall", cwd=repo)
    assert {name: hooks_of(repo)[name] for name in hooks_of(repo) if name.startswith("pre-push")} == {
        name: before[name] for name in before if name.startswith("pre-push")
    }


def test_an_edited_hook_of_ours(repo: Git, modelver: Modelver) -> None:
    """A hook that somebody has edited after the install stays at the next one, and uninstall keeps a copy."""
    modelver("hooks", "install", cwd=repo)
    path = repo.path / ".git/hooks/pre-push"
    path.write_text(path.read_text().replace("rows=$(cat", 'echo mine >>"$LOG"\nrows=$(cat'))
    edited = path.read_bytes()
    assert modelver("hooks", "install", "--json", cwd=repo).json["changed"] is False
    assert detail(modelver, repo) == "live: edited by hand: "
    assert stops_a_bad_tag(repo)
    assert log(repo) == "mine\n"
    modelver("hooks", "uninstall", cwd=repo)
    assert {name: text for name, (_, text) in hooks_of(repo).items()} == {"pre-push.edited-by-hand": edited}


# Other tools ---------------------------------------------------------------------------------------------------------


def alive(repo: Git) -> None:
    """pre-commit's hook and ours both run at a push."""
    assert stops_a_bad_tag(repo)
    log(repo)
    repo.commit("Something to push")
    repo("push", "-q", "origin", "main")
    assert log(repo) == "pre-commit\n"


def test_pre_commit_before_and_after(repo: Git, modelver: Modelver) -> None:
    """Beside pre-commit's real shim, in both orders and again, both hooks run; each goes without the other."""
    pre_commit(repo, "install")
    before = hooks_of(repo)
    modelver("hooks", "install", cwd=repo)
    assert hooks_of(repo)["pre-push"] == before["pre-push"]
    alive(repo)
    pre_commit(repo, "install")
    alive(repo)
    assert modelver("hooks", "install", "--json", cwd=repo).json["changed"] is False
    assert detail(modelver, repo) == "live: after pre-commit's: "
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == before
    pre_commit(repo, "uninstall")
    modelver("hooks", "install", cwd=repo)
    pre_commit(repo, "install")
    alive(repo)
    pre_commit(repo, "uninstall")
    assert stops_a_bad_tag(repo)
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == {}


def test_pre_commit_that_overwrites(repo: Git, modelver: Modelver) -> None:
    """`pre-commit install -f` throws other hooks away: status says so, and a new install makes both run."""
    put(repo, "pre-push", LFS)
    pre_commit(repo, "install", "-f")
    modelver("hooks", "install", cwd=repo)
    alive(repo)
    pre_commit(repo, "install", "-f")
    assert states(modelver, repo, 1)["pre-push"] == "shadowed"
    assert detail(modelver, repo) == (
        "shadowed: pre-commit's hook is there, and does not run ours: modelver hooks install"
    )
    modelver("hooks", "install", cwd=repo)
    alive(repo)


def test_pre_commit_over_somebodys_hook(repo: Git, modelver: Modelver) -> None:
    """With pre-commit on top of somebody's own hook, all three run, and that one comes back to its place."""
    put(repo, "pre-push", LFS.replace('"$@"', "lfs"))
    pre_commit(repo, "install")
    before = hooks_of(repo)
    modelver("hooks", "install", cwd=repo)
    repo("push", "-q", "origin", "main")
    assert sorted(log(repo).split()) == ["lfs", "pre-commit"]
    assert stops_a_bad_tag(repo)
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == before


def test_dvc_install(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Beside DVC's own hooks both run: DVC checks the data out, ours says nothing of it, and its hooks come back."""
    repo = dvc_repo.git
    dvc_repo.fake_train(9)
    run_dvc(repo, ["install"])
    before = hooks_of(repo)
    assert "post-checkout" in before
    modelver("hooks", "install", cwd=repo)
    said = repo.run("checkout", "-q", "HEAD~1").stderr.decode()
    assert dvc_repo.model.read_text().split()[1] == "6"
    assert "dvc checkout" not in said
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == before


@pytest.mark.parametrize("setting", [".githooks", ".husky/_"])
def test_a_tracked_directory(repo: Git, modelver: Modelver, setting: str) -> None:
    """Hook files that the repository tracks are not edited: the very lines are printed, and make the guards live."""
    folder = setting.removesuffix("/_")
    put(repo, "pre-push", "#!/bin/sh\n", folder=folder)
    if setting != folder:  # as husky makes it
        put(repo, "pre-push", '#!/bin/sh\nexec sh "$(dirname "$0")/../pre-push" "$@"\n', folder=setting)
        repo.write(f"{setting}/.gitignore", "*\n")
    repo.commit("Hooks")
    repo("config", "core.hooksPath", setting)
    done = modelver("hooks", "install", "--json", cwd=repo, code=3).json
    assert (done["changed"], repo("status", "--porcelain")) == (False, "")
    assert f"add to {repo.path}/{folder}/pre-push: {line_for('pre-push')}" in done["advice"]
    assert line_for("pre-push") in modelver("hooks", "install", cwd=repo, code=3).out
    for name in GUARDS:
        put(repo, name, f"#!/bin/sh\n{line_for(name)}\n", folder=folder)
    bin_folder = repo.path.parent / "bin"
    put(repo, "modelver", f'#!/bin/sh\nexec "{sys.executable}" -m dvc_modelver "$@"\n', folder=str(bin_folder))
    repo.extra_env["PATH"] = f"{bin_folder}:{repo.env['PATH']}"
    assert modelver("hooks", "install", "--json", cwd=repo).json["advice"] == []
    assert {states(modelver, repo, 0)[name] for name in GUARDS} == {"live"}
    assert stops_a_bad_tag(repo)


def test_an_untracked_directory(repo: Git, modelver: Modelver) -> None:
    """An untracked directory that `core.hooksPath` names is where hooks are installed."""
    repo("config", "core.hooksPath", "my hooks")
    put(repo, "pre-push", LFS, folder="my hooks")
    repo.write(".git/info/exclude", "my hooks\n")
    modelver("hooks", "install", cwd=repo)
    assert stops_a_bad_tag(repo)
    assert (repo.path / "my hooks/pre-push.before-modelver").read_text() == LFS
    assert hooks_of(repo) == {}


def test_a_global_directory(repo: Git, modelver: Modelver, tmp_path: Path) -> None:
    """Hooks of the whole machine are not edited, and ours in the clone are named as shadowed; they still go away."""
    modelver("hooks", "install", cwd=repo)
    shared = tmp_path / "everybody"
    shared.mkdir()
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    (tmp_path / "gitconfig").write_text(f"[include]\n\tpath = {repo.home}/.gitconfig\n[core]\n\thooksPath = {shared}\n")
    repo.extra_env |= env
    done = modelver("hooks", "install", "--json", cwd=repo, code=3).json
    assert (done["changed"], list(shared.iterdir())) == (False, [])
    assert states(modelver, repo, 1)["pre-push"] == "shadowed"
    assert f"core.hooksPath is {shared} (set in {tmp_path / 'gitconfig'})" in detail(modelver, repo)
    modelver("hooks", "uninstall", cwd=repo)
    assert hooks_of(repo) == {}


def test_hooks_that_are_switched_off(repo: Git, modelver: Modelver) -> None:
    """Where `core.hooksPath` is no directory nobody is told to add a line to a file in it."""
    repo("config", "core.hooksPath", "/dev/null")
    modelver("hooks", "install", cwd=repo, code=3)
    said = modelver("hooks", "status", cwd=repo, code=0).out
    assert "git config --unset core.hooksPath" in said
    assert "add to" not in said


def test_a_directory_that_looks_like_an_option(repo: Git, modelver: Modelver) -> None:
    """git starts hooks by the relative path that is set, and `sh` refuses that: told with what mends it."""
    repo("config", "core.hooksPath", "-x")
    modelver("hooks", "install", cwd=repo)
    assert f"git config core.hooksPath {repo.path / '-x'}" in modelver("hooks", "status", cwd=repo, code=1).out
    repo("config", "core.hooksPath", repo.path / "-x")
    assert states(modelver, repo)["pre-push"] == "live"
    assert stops_a_bad_tag(repo)


def test_linked_worktrees_and_directories(repo: Git, modelver: Modelver, tmp_path: Path) -> None:
    """Hooks lie in the directory that all worktrees share, wherever install is started."""
    repo.write("src/x", "")
    repo.commit("More")
    repo("worktree", "add", "-q", "--detach", tmp_path / "side")
    modelver("hooks", "install", cwd=repo.at(tmp_path / "side" / "src"))
    assert set(hooks_of(repo)) == {*GUARDS}
    assert states(modelver, repo, 0)["pre-push"] == "live"


def test_submodules(repo: Git, modelver: Modelver, tmp_path: Path) -> None:
    """A submodule has hooks of its own, which find the submodule although git exports GIT_DIR."""
    inner = Git(tmp_path / "inner", repo.home, repo.clock).init()
    inner.commit("Inner", {"x": "x"})
    repo("submodule", "add", "-q", inner.path, "sub")
    sub = repo.at("sub")
    modelver("hooks", "install", cwd=sub)
    assert hooks_of(repo) == {}
    assert (repo.path / ".git/modules/sub/hooks/pre-push").is_file()
    assert stops_a_bad_tag(sub)


def test_a_bare_repository(repo: Git, modelver: Modelver, tmp_path: Path) -> None:
    """A bare repository is refused with 6."""
    for words in ("install", "uninstall", "status"):
        assert "bare" in modelver("hooks", words, cwd=tmp_path / "hub.git", code=6).err


# Status --------------------------------------------------------------------------------------------------------------


def test_shadowed_and_broken(repo: Git, modelver: Modelver) -> None:
    """Status tells why a guard is not live: not executable, another file in its place, its interpreter gone."""
    modelver("hooks", "install", cwd=repo)
    path = repo.path / ".git/hooks/pre-push"
    path.chmod(0o644)
    assert "shadowed: its file is not executable" in detail(modelver, repo)
    assert f"chmod +x {path}" in detail(modelver, repo)
    modelver("hooks", "install", cwd=repo)
    assert states(modelver, repo, 0)["pre-push"] == "live"
    path.write_bytes(hook_script("pre-push", "/gone/python"))
    assert "broken: its interpreter is gone: /gone/python: modelver hooks install" in detail(modelver, repo)
    assert "broken" in modelver("hooks", "status", cwd=repo, code=1).out
    modelver("hooks", "install", cwd=repo)
    put(repo, "pre-push", LFS)
    assert "shadowed: another hook is there, and does not run ours" in detail(modelver, repo)
    path.unlink()
    assert "absent: not installed: modelver hooks install" in detail(modelver, repo)


def test_messages_are_asked_for(repo: Git, modelver: Modelver) -> None:
    """prepare-commit-msg is installed when the configuration asks for it."""
    assert "hooks.messages is false" in detail(modelver, repo, "prepare-commit-msg")
    repo.write(".modelver.yaml", "hooks: {messages: true}\n")
    modelver("hooks", "install", cwd=repo)
    assert {states(modelver, repo, 0)[name] for name in HOOKS} == {"live"}
    repo.write(".modelver.yaml", "")
    assert "silent while" in detail(modelver, repo, "prepare-commit-msg")


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("python", ["/usr/bin/python3", "/a b/it's/py$(x)", "C:\\Program Files\\py.exe"])
def test_scripts(name: str, python: str) -> None:
    """Each script is sound shell, known as ours, tells its interpreter back, and is an edited one when changed."""
    text = hook_script(name, python)
    assert text.startswith(b"#!/bin/sh\n")
    assert b"\r" not in text
    assert kind_of(name, text) is Kind.OURS
    assert kind_of(name, text + b"# mine\n") is Kind.EDITED
    assert interpreter_of(text) == python.replace("\\", "/")
    assert subprocess.run(["sh", "-n"], input=text, check=False).returncode == 0
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", "-e", "SC2016", "-s", "sh", "-"], input=text, capture_output=True)
        assert done.returncode == 0, done.stdout.decode()


def test_whose_a_file_is() -> None:
    """DVC's own `git-hook` is not taken for ours, nor a comment that speaks of it."""
    known: Mapping[bytes, Kind] = {
        b"#!/bin/sh\nexec dvc git-hook pre-push $@\n": Kind.OTHER,
        b"#!/bin/sh\n# modelver git-hook pre-push\n": Kind.OTHER,
        b'#!/bin/sh\nmodelver git-hook pre-push "$@"\n': Kind.CALLS_US,
        b'#!/bin/sh\n/opt/bin/modelver git-hook pre-push "$@"\n': Kind.CALLS_US,
        b'#!/bin/sh\nmodelver git-hook post-merge "$@"\n': Kind.OTHER,
        b"": Kind.OTHER,
    }
    assert {text: kind_of("pre-push", text) for text in known} == known
    for name in HOOKS:
        assert kind_of(name, f"#!/bin/sh\n{line_for(name)}\n".encode()) is Kind.CALLS_US


def test_doctor_names_each_guard(repo: Git, modelver: Modelver) -> None:
    """`doctor` says of each guard whether it is live; one that was installed and does not run is a problem."""
    assert "Guards: pre-push absent, post-checkout absent" in modelver("doctor", cwd=repo).out
    modelver("hooks", "install", cwd=repo)
    assert "Guards: pre-push live, post-checkout live" in modelver("doctor", cwd=repo).out
    (repo.path / ".git/hooks/pre-push").chmod(0o644)
    found = modelver("doctor", "--json", cwd=repo, code=1).json
    assert [(p["ref"], p["remedy"].split()[0]) for p in found["problems"]] == [("hook pre-push", "chmod")]
    repo.write(".modelver.yaml", "hooks: {pusch: true}\n")
    assert "hooks.pusch" in modelver("doctor", cwd=repo, code=1).out


@pytest.mark.parametrize(
    ("url", "words"),
    [("git@github.com:a/b.git", "on GitHub: Settings"), ("https://gitlab.example.com/a/b", "on GitLab")],
)
def test_doctor_tells_the_servers_rule(repo: Git, modelver: Modelver, url: str, words: str) -> None:
    """Where the server is one we know, `doctor` says where its rule for tags is set."""
    repo.tag("m@v1.0.0")
    repo("config", "remote.origin.url", url)
    assert words in modelver("doctor", cwd=repo, code=None).err


def test_hooks_of_others_alone_are_no_fault(repo: Git, modelver: Modelver) -> None:
    """A clone where nobody has installed ours is sound, whatever hooks it has."""
    put(repo, "pre-push", LFS)
    assert states(modelver, repo, 0)["pre-push"] == "absent"
    assert modelver("doctor", cwd=repo).code == 0
