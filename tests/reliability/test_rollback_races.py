"""A rollback that is interrupted, raced, refused by a hook, or out of space: all of it or nothing, bytes included."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.test_rollback_kills import BACK, build, copy_of, differs, outputs_agree, put_bundle
from tests.reliability.test_surroundings import fill, mounted
from tests.reliability.tools import Server, fsck, hook, journal, litter, state
from tests.support import DvcRepo, Git, Modelver, Templates

_INTERRUPTED = """\
import os, signal, sys
from dvc_modelver.cli.main import main
import tests.reliability.server as server
seen = [0]
def hook(event, args):
    if server._writes(event, args):
        seen[0] += 1
        if seen[0] == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
code = main(sys.argv[2:])
print(seen[0])
sys.exit(code)
"""
TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates, servers: Callable[[int], list[Server]]
) -> Path:
    """What `build` makes, to be copied."""
    top = tmp_path_factory.mktemp("rollbacks")
    build(templates.clones(top).ada, servers(1)[0])
    return top


@pytest.fixture
def repo(start: Path, templates: Templates, tmp_path: Path) -> DvcRepo:
    """churn v0.1.0 to v0.3.0, bundle v0.1.0 and v0.2.0; other work staged, changed and untracked."""
    found = copy_of(start, templates, tmp_path / "clones").ada
    git = found.git
    git.write("README.md", "changed, not staged\n")
    git.write("staged.txt", "staged\n")
    git("add", "staged.txt")
    git.write("untracked.txt", "mine\n")
    git.clock.tick(3600)
    return found


def is_whole(repo: Git, *states: dict[str, str]) -> None:
    """The repository is in one of these states, and nothing half done lies about."""
    now = state(repo)
    assert now in states, differs(states[0], now)
    assert (litter(repo), journal(repo)) == ([], False)
    assert not list(repo.path.rglob("*.modelver-put"))
    fsck(repo)


# Interrupts -------------------------------------------------------------------------------------------------------


def interrupted(repo: Git, at: int, *words: str) -> subprocess.CompletedProcess[str]:
    """The command with a Ctrl-C at the `at`th change that Python makes itself."""
    env = {**repo.env, "PYTHONPATH": str(TOP)}
    argv = [sys.executable, "-c", _INTERRUPTED, str(at), *words]
    return subprocess.run(argv, cwd=repo.path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.mark.parametrize("more", [(), ("--detach",)], ids=["slice", "detach"])
@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.long)])
def test_an_interrupt_anywhere(
    repo: DvcRepo, modelver: Modelver, tmp_path: Path, more: tuple[str, ...], step: int
) -> None:
    """Ctrl-C at each change: everything is as before, or (at the very end) all of it is done; 130.

    At the journal's own last change it may stay, for the next command to drop.
    """
    if more:
        repo.git("reset", "-q", "--hard")
        repo.git.write("untracked.txt", "mine\n")
    start = tmp_path / "start"
    subprocess.run(["cp", "-a", repo.path, start], check=True)
    old = state(repo.git)
    number = int(interrupted(repo.git, 0, *BACK, *more).stdout.split()[-1])
    new = state(repo.git)
    assert new != old
    for at in range(3, number + 1, step):
        shutil.rmtree(repo.path)
        subprocess.run(["cp", "-a", start, repo.path], check=True)
        done = interrupted(repo.git, at, *BACK, *more)
        assert done.returncode in (0, 130), (at, done)
        assert "Traceback" not in done.stderr
        assert state(repo.git) in ((new,) if done.returncode == 0 else (old, new)), at
        if journal(repo.git):
            modelver("doctor", "--recover", cwd=repo.git, code=None)
        is_whole(repo.git, old, new)


def start_process(modelver: Modelver, repo: Git, *words: str) -> subprocess.Popen[str]:
    """`modelver` in a session of its own, as at a terminal of its own."""
    return subprocess.Popen(
        modelver.argv(*words),
        cwd=repo.path,
        env=repo.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(found: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Until it is there, or the process has ended."""
    deadline = time.monotonic() + 30
    while not found() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)


def test_an_interrupt_while_a_large_file_is_copied(repo: DvcRepo, server: Server, modelver: Modelver) -> None:
    """The model stays as it was, byte for byte, and no part of the other one stays."""
    put_bundle(repo, {"weights.bin": os.urandom(1 << 20) * 96})
    server(repo.git, "release", "bundle", "--version", "v0.3.0")
    put_bundle(repo, {"weights.bin": b"small"})
    server(repo.git, "release", "bundle", "--version", "v0.4.0")
    old = state(repo.git)
    process = start_process(modelver, repo.git, "rollback", "bundle", "v0.3.0")
    wait_for(lambda: list(repo.path.rglob("*.modelver-put")), process)
    process.send_signal(signal.SIGINT)
    err = process.communicate()[1]
    assert process.returncode == 130, err
    assert "error: interrupted" in err
    is_whole(repo.git, old)


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
def test_an_interrupt_while_git_commits(repo: DvcRepo, modelver: Modelver, group: bool) -> None:
    """Sent to us alone or, as a terminal does, to git and its hook too: all is put back, no lock of git's stays."""
    marker = repo.path.parent / "in-hook"
    place = hook(repo.path / ".git", "pre-commit", f"touch {marker}; sleep 1")
    old = state(repo.git)
    process = start_process(modelver, repo.git, *BACK)
    wait_for(marker.exists, process)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    err = process.communicate()[1]
    assert process.returncode == 130, err
    is_whole(repo.git, old)
    place.unlink()
    modelver(*BACK, cwd=repo.git)


# Races ------------------------------------------------------------------------------------------------------------


def at_once(servers: list[Server], repo: Git, *commands: tuple[str, ...]) -> list[int]:
    """Start all; their exit codes."""
    for server, words in zip(servers, commands, strict=True):
        server.send(repo, *words)
    answers = [server.answer() for server in servers]
    assert all(answer.code in (0, 3, 6, 7) for answer in answers), "\n".join(map(str, answers))
    return [answer.code for answer in answers]


def test_two_rollbacks_at_once(repo: DvcRepo, servers: Callable[[int], list[Server]]) -> None:
    """To two versions: the second waits; two commits, one after the other, and the bytes are those of the last."""
    for turn in range(4):
        before = repo.git.rev()
        status = repo.git("status", "--porcelain")
        versions = ("v0.1.0", "v0.2.0") if turn % 2 else ("v0.2.0", "v0.3.0")
        codes = at_once(servers(2), repo.git, *(("rollback", "churn", version) for version in versions))
        assert 0 in codes
        made = repo.git("log", "--format=%s", f"{before}..HEAD").splitlines()
        assert len(made) <= codes.count(0)
        assert all(line.startswith("Roll churn back to ") for line in made)
        assert repo.git("status", "--porcelain") == status
        outputs_agree(repo.git)
        assert (litter(repo.git), journal(repo.git)) == ([], False)
    fsck(repo.git)


def test_the_same_rollback_twice_at_once(repo: DvcRepo, servers: Callable[[int], list[Server]]) -> None:
    """One commit; the second finds the asked state."""
    before = repo.git.rev()
    assert at_once(servers(2), repo.git, BACK, BACK) == [0, 0]
    assert repo.git("rev-list", "--count", f"{before}..HEAD") == "1"
    outputs_agree(repo.git)


def test_a_rollback_and_other_commands_at_once(repo: DvcRepo, servers: Callable[[int], list[Server]]) -> None:
    """A promote and a rollback of another model go through too; nothing is mixed."""
    words = (BACK, ("rollback", "bundle", "v0.1.0"), ("promote", "churn@v0.2.0", "dev"))
    assert at_once(servers(3), repo.git, *words) == [0, 0, 0]
    assert any(tag.startswith("churn#dev#") for tag in repo.git.tags())
    outputs_agree(repo.git)
    fsck(repo.git)


def test_another_modelver_at_work(repo: DvcRepo, server: Server, servers: Callable[[int], list[Server]]) -> None:
    """Whoever waits in vain gets 6, and has changed nothing."""
    import fcntl

    old = state(repo.git)
    with open(repo.path / ".git/modelver/lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = server(repo.git, *BACK, code=6)
    assert "another modelver is at work" in answer.err
    is_whole(repo.git, old)


# Hooks ------------------------------------------------------------------------------------------------------------

HOOKS = {
    "refuses": ("pre-commit", "echo no more on Fridays >&2; exit 1"),
    "alters": ("pre-commit", "echo '# tidied' >>params.yaml; git add params.yaml"),
    "alters bytes of git": ("pre-commit", "echo '{}' >metrics.json; git add metrics.json"),
    "adds": ("pre-commit", "echo x >added.txt; git add added.txt"),
    "refuses the message": ("commit-msg", "exit 1"),
}


@pytest.mark.parametrize(
    "words", [BACK, ("rollback", "bundle", "v0.1.0"), (*BACK, "--tree")], ids=lambda w: w[-1] + w[1]
)
@pytest.mark.parametrize("kind", HOOKS)
def test_a_hook_that_does_not_agree(repo: DvcRepo, server: Server, kind: str, words: tuple[str, ...]) -> None:
    """One that refuses, alters or adds: 3, and branch, index, files and outputs are as before."""
    if words[1] == "bundle" and kind.startswith("alters"):
        pytest.skip("that file is no part of it")
    name, script = HOOKS[kind]
    place = hook(repo.path / ".git", name, script)
    old = state(repo.git)
    answer = server(repo.git, *words, code=3)
    assert "error: " in answer.err
    place.unlink()
    now = state(repo.git)
    # What a hook adds to the work tree is the hook's own.
    assert set(differs(old, now)) <= {"file added.txt", f"hook {name}"}, differs(old, now)
    outputs_agree(repo.git)
    assert (litter(repo.git), journal(repo.git)) == ([], False)
    server(repo.git, *words)
    outputs_agree(repo.git)


@pytest.mark.parametrize("more", [(), ("--detach",), ("--tree",)], ids=["slice", "detach", "tree"])
def test_no_checkout_hook_runs(repo: DvcRepo, server: Server, more: tuple[str, ...]) -> None:
    """A post-checkout hook such as DVC's is not started by our own checkouts."""
    canary = repo.path.parent / "canary"
    repo.git("reset", "-q", "--hard")
    hook(repo.path / ".git", "post-checkout", f"touch {canary}")
    server(repo.git, *BACK, *more)
    assert not canary.exists()
    outputs_agree(repo.git)


def test_no_checkout_hook_runs_while_things_are_put_back(repo: DvcRepo, server: Server) -> None:
    """Neither when a hook refuses the commit."""
    canary = repo.path.parent / "canary"
    hook(repo.path / ".git", "post-checkout", f"touch {canary}")
    hook(repo.path / ".git", "pre-commit", "exit 1")
    server(repo.git, *BACK, code=3)
    assert not canary.exists()


def test_the_hooks_of_dvc(repo: DvcRepo, modelver: Modelver) -> None:
    """With `dvc install` the rollback goes through, and `dvc status` has nothing to say."""
    repo.git("reset", "-q", "--hard")
    (repo.path / "untracked.txt").unlink()
    repo.dvc(["install"])
    assert (repo.path / ".git/hooks/post-checkout").exists()
    env = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{repo.git.env['PATH']}"}
    modelver.process(*BACK, cwd=repo.git, env=env)
    assert repo.git("status", "--porcelain") == ""
    assert repo.dvc(["status"]).strip() == "Data and pipelines are up to date."


# No space ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", [4096 * n for n in (0, 1, 2, 3, 4, 6, 9, 14, 22, 40)])
def test_a_full_disk(repo: DvcRepo, server: Server, tmp_path: Path, leave: int) -> None:
    """However little room is left: 6 and the old state (or a journal), or it fits; with room again it works."""
    put_bundle(repo, {"weights.bin": os.urandom(50_000)})
    server(repo.git, "release", "bundle", "--version", "v0.3.0")
    put_bundle(repo, {"weights.bin": os.urandom(40_000)})
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ("rollback", "bundle", "v0.3.0")
    with mounted("-t", "tmpfs", "-o", "size=12m", "tmpfs", disk):
        shutil.copytree(repo.path, disk / "repo", symlinks=True)
        git = repo.git.at(disk / "repo")
        git("status", "--porcelain")
        old = state(git)
        ballast = fill(disk, leave)
        answer = server(git, *words, code=None)
        assert answer.code in (0, 6), answer
        assert "internal error" not in answer.err
        ballast.unlink()
        if answer.code:
            assert "hint: " in answer.err, answer
            assert journal(git) or state(git) == old, differs(old, state(git))
        server(git, *words)
        outputs_agree(git)
        assert not journal(git)
        assert [name for name in litter(git) if "tmp_obj" not in name] == []
        fsck(git)


def test_a_file_that_is_too_large(repo: DvcRepo, server: Server, modelver: Modelver) -> None:
    """A limit on the size of files stops the copy: 6, and everything is as before."""
    put_bundle(repo, {"weights.bin": os.urandom(1 << 20)})
    server(repo.git, "release", "bundle", "--version", "v0.3.0")
    put_bundle(repo, {"weights.bin": b"small"})
    server(repo.git, "release", "bundle", "--version", "v0.4.0")
    old = state(repo.git)
    done = subprocess.run(
        modelver.argv("rollback", "bundle", "v0.3.0"),
        cwd=repo.path,
        env=repo.git.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, 1 << 19)),
    )
    assert done.returncode == 6, done
    assert "hint: " in done.stderr
    is_whole(repo.git, old)
    server(repo.git, "rollback", "bundle", "v0.3.0")
    outputs_agree(repo.git)
