"""Hooks where users have them: odd places, odd environments, other people's files, kills and races."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dvc_modelver.commands.hooking.scripts import HOOKS, Kind, hook_script, kind_of
from tests.support import DvcRepo, Git, Modelver

GUARDS = ("pre-push", "post-checkout", "post-merge")
MINE = "#!/bin/sh\nexit 0\n"
SECONDS = 60
"""No push of these tests may take longer: git waits for ever where it cannot start a hook."""


@pytest.fixture
def repo(plain_repo: Git, tmp_path: Path) -> Git:
    """A model, a version of it that is a lightweight tag, and a bare remote that must not get it."""
    plain_repo("init", "-q", "--bare", tmp_path / "hub.git")
    plain_repo("remote", "add", "origin", tmp_path / "hub.git")
    plain_repo.commit("A model", {"dvc.yaml": "artifacts: {m: {path: m.bin, type: model}}\n"})
    plain_repo.tag("m@v1.0.0", message=None)
    return plain_repo


@pytest.fixture
def hooked(repo: Git, modelver: Modelver) -> Git:
    """The same with our hooks."""
    modelver("hooks", "install", cwd=repo)
    return repo


def push(repo: Git, *words: str | Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """`git push`; its exit code and what was said."""
    argv = ["git", "push", *map(str, words)]
    done = subprocess.run(
        argv,
        cwd=repo.path,
        env=repo.env | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
    )
    return done.returncode, done.stderr.decode("utf-8", "surrogateescape")


def assert_stopped(repo: Git, env: dict[str, str] | None = None) -> None:
    """The lightweight version does not go out, and the reason is told."""
    code, said = push(repo, "origin", "m@v1.0.0", env=env)
    assert (code != 0, "m@v1.0.0: it is a lightweight tag" in said) == (True, True), said


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a directory of hooks."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def states(modelver: Modelver, repo: Git) -> dict[str, str]:
    """What `hooks status` says of each."""
    answer = modelver("hooks", "status", "--json", cwd=repo, code=None).json
    return {guard["name"]: guard["state"] for guard in answer["guards"]}


# Where the repository is ---------------------------------------------------------------------------------------------


def test_git_dir_is_exported(hooked: Git) -> None:
    """With GIT_DIR in the user's environment the hook asks that repository."""
    git_dir = str(hooked.path / ".git")
    assert_stopped(hooked, {"GIT_DIR": git_dir})
    assert_stopped(hooked, {"GIT_DIR": ".git"})
    assert_stopped(hooked, {"GIT_DIR": git_dir, "GIT_WORK_TREE": str(hooked.path)})


def test_git_dir_names_another_repository_than_the_directory(hooked: Git, tmp_path: Path) -> None:
    """`git --git-dir=` from outside, or from inside another repository, is judged by the named one."""
    env = {"GIT_DIR": str(hooked.path / ".git")}
    other = Git(tmp_path / "other", hooked.home, hooked.clock).init()
    other.commit("Nothing of ours")
    for place in (hooked.at(tmp_path), other):
        assert_stopped(place, env)
        assert_stopped(place, env | {"GIT_WORK_TREE": str(hooked.path)})


def test_a_git_directory_away_from_its_work_tree(hooked: Git, tmp_path: Path) -> None:
    """A Git directory that stands elsewhere (dotfiles) is found by GIT_DIR alone."""
    shutil.move(hooked.path / ".git", tmp_path / "dotfiles")
    env = {"GIT_DIR": str(tmp_path / "dotfiles"), "GIT_WORK_TREE": str(hooked.path)}
    assert_stopped(hooked, env)
    assert_stopped(hooked.at(tmp_path), env)
    hooked.run("push", "-q", "origin", "main", env=env)


def test_a_bare_repository_pushes_too(hooked: Git, tmp_path: Path) -> None:
    """From a bare clone with the same hooks, in its place or named by GIT_DIR."""
    bare = hooked.clone(tmp_path / "bare.git", "--bare")
    bare("remote", "set-url", "origin", tmp_path / "hub.git")
    shutil.copytree(hooked.path / ".git/hooks", bare.path / "hooks", dirs_exist_ok=True)
    assert_stopped(bare)
    assert_stopped(bare.at(tmp_path), {"GIT_DIR": str(bare.path)})


@pytest.mark.parametrize("name", [b"a b'c\"d$(touch x)`x`%s\\[a]*?\t", b"-C\xff\xfe\xe2\x80\xae"])
def test_odd_paths(repo: Git, modelver: Modelver, tmp_path: Path, name: bytes) -> None:
    """Whatever the directory is called, hooks are installed, run and go away again."""
    place = tmp_path / os.fsdecode(name) / "repo"
    shutil.copytree(repo.path, place)
    there = repo.at(place)
    modelver("hooks", "install", cwd=there)
    assert modelver("hooks", "install", "--json", cwd=there).json["changed"] is False
    assert states(modelver, there)["pre-push"] == "live"
    assert_stopped(there)
    modelver("hooks", "uninstall", cwd=there)
    assert files_of(place / ".git/hooks") == {}
    assert not list(tmp_path.rglob("x"))


def test_a_shallow_clone(hooked: Git, modelver: Modelver, tmp_path: Path) -> None:
    """Without history the guard still looks, and protects what only the remote has."""
    hooked.tag("m#prod#1", message=None)
    hooked("push", "-q", "--no-verify", "origin", "main", "m#prod#1")
    clone = hooked.at(tmp_path / "shallow")
    hooked("clone", "-q", "--depth", "1", "--no-tags", f"file://{tmp_path}/hub.git", clone.path)
    modelver("hooks", "install", cwd=clone)
    clone.tag("m@v1.0.0", message=None)
    assert_stopped(clone)
    code, said = push(clone, "origin", ":refs/tags/m#prod#1")
    assert (code != 0, "it would be deleted from origin" in said) == (True, True), said


def test_a_relative_directory_in_a_linked_worktree(repo: Git, modelver: Modelver, tmp_path: Path) -> None:
    """A `core.hooksPath` that leads nowhere from a linked worktree is told, not an error."""
    repo("config", "core.hooksPath", ".git/mine")
    modelver("hooks", "install", cwd=repo)
    assert states(modelver, repo)["pre-push"] == "live"
    repo("worktree", "add", "-q", "--detach", tmp_path / "side")
    assert states(modelver, repo.at(tmp_path / "side"))["pre-push"] == "absent"
    repo("config", "core.hooksPath", "~/nowhere")
    assert f"{repo.home}/nowhere/pre-push" in modelver("hooks", "install", cwd=repo, code=3).out


# How git is started --------------------------------------------------------------------------------------------------


def test_a_graphical_client(hooked: Git) -> None:
    """With a minimal PATH, no HOME, no locale and no terminal the guard looks."""
    kept = {name: hooked.env[name] for name in ("GIT_CONFIG_NOSYSTEM", "PYTHONPATH")}
    env = {**kept, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["git", "push", "origin", "m@v1.0.0"],
        cwd=hooked.path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
    )
    assert done.returncode != 0
    assert b"it is a lightweight tag" in done.stderr


def test_a_path_without_programs(hooked: Git) -> None:
    """Where not even `cat` can be started nothing is known of the push, and it is refused."""
    git = shutil.which("git")
    assert git is not None
    env = hooked.env | {"PATH": "/nowhere"}
    done = subprocess.run(
        [git, "push", "origin", "m@v1.0.0"], cwd=hooked.path, env=env, capture_output=True, timeout=SECONDS
    )
    assert done.returncode != 0
    assert b"hint: check PATH; git push --no-verify" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--tags",),
        ("--mirror",),
        ("--force", "+refs/*:refs/*"),
        ("--force", "--tags"),
        ("--prune", "refs/tags/*:refs/tags/*"),
    ],
    ids=" ".join,
)
def test_every_way_to_push_tags(hooked: Git, words: tuple[str, ...]) -> None:
    """However the tag is named or not named, it does not go out, and nothing beside it."""
    code, said = push(hooked, *words[:-1], "origin", words[-1])
    assert (code != 0, "m@v1.0.0: it is a lightweight tag" in said) == (True, True), said
    assert hooked("ls-remote", "origin") == ""


def test_tags_that_follow(hooked: Git) -> None:
    """`--follow-tags` takes annotated tags along, which are looked at; a branch under a version's name is too."""
    hooked.tag("m@v2")
    code, said = push(hooked, "--follow-tags", "origin", "main")
    assert (code != 0, "m@v2: that is no name of a version" in said) == (True, True), said
    code, said = push(hooked, "origin", "refs/heads/main:refs/tags/m@v3.0.0")
    assert (code != 0, "m@v3.0.0: it is a lightweight tag" in said) == (True, True), said


def test_what_git_does_not_show(hooked: Git) -> None:
    """`--prune` shows the hook what it deletes; `--mirror` does not, so only the server can protect those tags."""
    hooked("push", "-q", "--no-verify", "origin", "main", "m@v1.0.0")
    hooked("tag", "-d", "m@v1.0.0")
    code, said = push(hooked, "--prune", "origin", "refs/tags/*:refs/tags/*")
    assert (code != 0, "it would be deleted from origin" in said) == (True, True), said
    assert push(hooked, "--mirror", "origin")[0] == 0


@pytest.mark.parametrize(
    "url", ["https://ada:hunter2@example.com/x.git", "ssh://ada:hunter2@h/x", "https://h/x?token=hunter2"]
)
def test_a_password_in_the_url(hooked: Git, url: str) -> None:
    """A push to a URL hands its password to the hook, which does not repeat it."""
    row = f"(delete) {'0' * 40} refs/tags/m@v1.0.0 {hooked.rev()}\n"
    done = subprocess.run(
        [hooked.path / ".git/hooks/pre-push", url, url],
        cwd=hooked.path,
        env=hooked.env,
        input=row.encode(),
        capture_output=True,
    )
    assert done.returncode == 3
    assert b"it would be deleted from" in done.stderr
    assert b"hunter2" not in done.stdout + done.stderr


def test_hostile_ref_names(hooked: Git) -> None:
    """A ref's name reaches neither the shell nor the terminal as more than text."""
    names = [f"m@v1{end}" for end in ("%s%n", "`id`", "'\"", "$x;id|", "\u202e", "é", "\udcff", "&&id", "(id)")]
    for name in names:
        hooked("update-ref", f"refs/tags/{name}", "HEAD")
    code, said = push(hooked, "origin", "refs/tags/m@v1*:refs/tags/m@v1*")
    ours = [line for line in said.splitlines() if "that is no name of a version" in line]
    assert (code != 0, len(ours)) == (True, len(names)), said
    assert not {"\u202e", "\udcff", "\x1b"} & set("".join(ours))


@pytest.mark.long
def test_many_tags(hooked: Git) -> None:
    """Among 12,000 tags the one that is wrong is named, and without it all go out, in seconds."""
    commit = hooked.rev()
    stream = "".join(
        f"tag m@v2.0.{number}\nfrom {commit}\ntagger A <a@b> 1735732800 +0000\ndata 2\nx\n" for number in range(12000)
    )
    hooked("fast-import", "--quiet", input=stream)
    begin = time.monotonic()
    code, said = push(hooked, "origin", "--tags")
    assert (code != 0, "m@v1.0.0: it is a lightweight tag" in said) == (True, True), said[:2000]
    assert time.monotonic() - begin < SECONDS


# Commits -------------------------------------------------------------------------------------------------------------


def test_every_kind_of_commit(hooked: Git, modelver: Modelver, tmp_path: Path) -> None:
    """With every hook of ours, commits, amendments, stashes, rebases and merges go as without."""
    hooked.commit("Messages", {".modelver.yaml": "hooks: {messages: true}\n", "f": "1\n"})
    modelver("hooks", "install", cwd=hooked)
    hostile = "\x1b[31m$(touch canary) `id` 'x\n\n%s"
    hooked.write("f", "2\n")
    hooked("commit", "-q", "-a", "-m", hostile)
    assert hooked("log", "-1", "--format=%B").rstrip() == hostile
    hooked.write("f", "3\n")
    subprocess.run(["git", "commit", "-p", "-m", "Patch"], cwd=hooked.path, env=hooked.env, input=b"y\n", check=True)
    hooked("commit", "-q", "--amend", "--no-edit")
    hooked.write("g", "1\n")
    hooked("add", "g")
    hooked("commit", "-q", "--only", "g", "-m", "Only g")
    hooked.write("f", "4\n")
    hooked("stash", "-q")
    hooked("stash", "pop", "-q")
    hooked("checkout", "-q", "f")
    hooked("checkout", "-q", "-b", "side", "HEAD~2")
    for name in ("s", "t"):
        hooked.write(name, "1\n")
        hooked("add", name)
        hooked("commit", "-q", "-m", name)
    hooked("rebase", "-q", "main")
    squash = {"GIT_SEQUENCE_EDITOR": "sed -i -e 2s/pick/squash/", "GIT_EDITOR": "true"}
    hooked("rebase", "-q", "-i", "HEAD~2", env=squash)
    hooked("checkout", "-q", "main")
    hooked("merge", "-q", "--no-ff", "-m", "Merge", "side")
    hooked("revert", "--no-edit", "-m", "1", "HEAD")
    assert hooked("log", "-1", "--format=%s", "side") == "s"
    assert hooked("status", "--porcelain") == ""
    assert not list(tmp_path.rglob("canary"))


# Files of others, and of nobody --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOOKS)
def test_windows_line_ends(name: str) -> None:
    """A file of ours whose line ends somebody changed is still known as ours, an edited one as edited."""
    text = hook_script(name, "/usr/bin/python3").replace(b"\n", b"\r\n")
    assert kind_of(name, text) is Kind.OURS
    assert kind_of(name, text + b"# mine\r\n") is Kind.EDITED
    assert kind_of(name, b"#!/bin/bash\n" + text.replace(b"\r\n", b"\n")) is Kind.EDITED
    assert kind_of(name, MINE.encode().replace(b"\n", b"\r\n")) is Kind.OTHER


def test_windows_line_ends_are_told_and_mended(hooked: Git, modelver: Modelver) -> None:
    """git cannot start such a file: status says so, and install writes it anew; an edited one is kept."""
    path = hooked.path / ".git/hooks/pre-push"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"\n", b"\r\n"))
    assert "its lines end as on Windows" in modelver("hooks", "status", cwd=hooked, code=1).out
    modelver("hooks", "install", cwd=hooked)
    assert path.read_bytes() == good
    edited = good.replace(b"\n", b"\r\n") + b"# mine\r\n"
    path.write_bytes(edited)
    assert "hooks uninstall, then" in modelver("hooks", "status", cwd=hooked, code=1).out
    modelver("hooks", "uninstall", cwd=hooked)
    modelver("hooks", "install", cwd=hooked)
    assert files_of(path.parent)["pre-push.edited-by-hand"] == edited
    assert_stopped(hooked)


def test_a_directory_in_the_hooks_place(repo: Git, modelver: Modelver) -> None:
    """A directory under a hook's name gets out of the way, and comes back."""
    place = repo.path / ".git/hooks/pre-push"
    (place / "inner").mkdir(parents=True)
    modelver("hooks", "install", cwd=repo)
    assert_stopped(repo)
    modelver("hooks", "uninstall", cwd=repo)
    assert (place / "inner").is_dir()
    assert [path.name for path in place.parent.iterdir()] == ["pre-push"]


def test_a_file_in_the_directorys_place(repo: Git, modelver: Modelver) -> None:
    """Where the directory of hooks is a file, nothing is changed, and it is named."""
    place = repo.path / ".git/hooks"
    shutil.rmtree(place, ignore_errors=True)
    place.write_text("x")
    assert str(place) in modelver("hooks", "install", cwd=repo, code=6).err
    assert place.read_text() == "x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(repo: Git, modelver: Modelver) -> None:
    """A directory that cannot be written is named, and stays as it was."""
    place = repo.path / ".git/hooks"
    place.mkdir(exist_ok=True)
    place.chmod(0o555)
    assert str(place) in modelver("hooks", "install", cwd=repo, code=6).err
    assert files_of(place) == {}
    place.chmod(0o755)


# Kills, races, interruptions -----------------------------------------------------------------------------------------

KILLER = """\
import os, sys
left = int(sys.argv[1])
def look(event, args):
    global left
    if event in ("os.link", "os.rename", "os.remove", "os.chmod") or (event == "open" and "hooks" in str(args[0])):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)
sys.addaudithook(look)
from dvc_modelver.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def killed(repo: Git, at: int, *words: str) -> bool:
    """Run a command that dies before its change number `at`; whether it came so far."""
    argv = [sys.executable, "-c", KILLER, str(at), *words]
    done = subprocess.run(argv, cwd=repo.path, env=repo.env, capture_output=True, timeout=SECONDS)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def kill_everywhere(repo: Git, modelver: Modelver, points: range) -> bool:
    """Kill install, then uninstall, at those points; False when there was nothing left to kill."""
    folder = repo.path / ".git/hooks"
    found = False
    for at in points:
        if killed(repo, at, "hooks", "install"):
            found = True
            assert os.access(folder / "pre-push", os.X_OK)  # somebody's hook, or ours that runs it
        modelver("hooks", "install", cwd=repo)
        assert set(files_of(folder)) == {*GUARDS, "pre-push.before-modelver"}
        if killed(repo, at, "hooks", "uninstall"):
            found = True
            assert os.access(folder / "pre-push", os.X_OK)
        modelver("hooks", "uninstall", cwd=repo)
        assert files_of(folder) == {"pre-push": MINE.encode()}
        killed(repo, at, "hooks", "install")
        modelver("hooks", "uninstall", cwd=repo)
        assert files_of(folder) == {"pre-push": MINE.encode()}
    return found


def with_a_hook(repo: Git) -> Git:
    """Somebody's own hook in the place of ours."""
    place = repo.write(".git/hooks/pre-push", MINE)
    place.chmod(0o755)
    return repo


def test_killed_while_installing(repo: Git, modelver: Modelver) -> None:
    """Killed between keeping somebody's hook and writing ours, a hook stands there, and the next run finishes."""
    assert kill_everywhere(with_a_hook(repo), modelver, range(5, 7))


@pytest.mark.long
def test_killed_anywhere(repo: Git, modelver: Modelver) -> None:
    """The same at every change of a file."""
    with_a_hook(repo)
    points = 1
    while kill_everywhere(repo, modelver, range(points, points + 1)):
        points += 1
    assert points > 12


def test_installs_at_once(repo: Git, modelver: Modelver) -> None:
    """Of several installs, and an uninstall among them, none loses somebody's hook."""
    with_a_hook(repo)
    started = [modelver.start("hooks", word, cwd=repo) for word in ("install", "install", "uninstall", "install")]
    for process in started:
        said = process.communicate(timeout=SECONDS)[1]
        assert process.returncode == 0, said
    modelver("hooks", "install", cwd=repo)
    folder = repo.path / ".git/hooks"
    assert files_of(folder)["pre-push.before-modelver"] == MINE.encode()
    assert_stopped(repo)
    modelver("hooks", "uninstall", cwd=repo)
    assert files_of(folder) == {"pre-push": MINE.encode()}


SLOW = """\
import sys, time
from dvc_modelver.dvcio import push
def slowly(*args, **kwargs):
    print("uploading", file=sys.stderr, flush=True)
    time.sleep(60)
push.copy_objects = slowly
from dvc_modelver.hooks.main import main
sys.exit(main(["pre-push", "origin", "url"]))
"""


def test_interrupted_while_bytes_are_uploaded(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Ctrl-C during the upload ends with 130, without a traceback and with nothing left in the DVC remote."""
    git = dvc_repo.git
    git.commit("Upload", {".modelver.yaml": "hooks: {push: true}\n"})
    dvc_repo.fake_train(9, push=False)
    modelver("release", "churn", "--no-card", cwd=git)
    before = sorted(dvc_repo.store.rglob("*"))
    row = f"refs/tags/churn@v0.1.0 {git.rev('refs/tags/churn@v0.1.0')} refs/tags/churn@v0.1.0 {'0' * 40}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW], cwd=git.path, env=git.env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(row.encode())
    process.stdin.close()
    assert process.stderr.readline() == b"uploading\n"
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(SECONDS), said) == (130, b"error: interrupted\n")
    assert sorted(dvc_repo.store.rglob("*")) == before


def test_a_remedy_can_be_pasted(hooked: Git, modelver: Modelver) -> None:
    """The command that `doctor` names deletes just that tag, whatever quotes its name has."""
    name = "m@v1'$(touch${IFS}canary)'"
    hooked.tag(name, message=None)
    said = modelver("doctor", cwd=hooked, code=1).out
    (remedy,) = re.findall(r"git tag -d -- \S+canary\S+", said)
    subprocess.run(["sh", "-c", remedy], cwd=hooked.path, env=hooked.env, check=True)
    assert hooked.tags() == ["m@v1.0.0"]
    assert not (hooked.path / "canary").exists()


def test_a_tag_that_is_pushed_under_another_name(hooked: Git) -> None:
    """Nobody is told to delete the sound tag of this clone whose name was given to another object in the push."""
    for words in ("m@v1.0.0:refs/tags/m@v2.0.0", "HEAD:refs/tags/m@v2.0.0"):
        code, said = push(hooked, "origin", words)
        assert (code != 0, "m@v2.0.0: " in said, "git tag -d -- 'm@v2.0.0'" in said) == (True, True, False)
        assert "push it under its own name" in said
