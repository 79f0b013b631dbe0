"""Remotes that refuse, vanish, are slow to answer or know more than we: what is pushed, and what is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.reliability.tools import (
    MODEL_CARD,
    Server,
    changed,
    check_card,
    fsck,
    hook,
    journal,
    killing_git,
    pushed,
    tags_of,
    without,
)
from tests.support import Clones, DvcRepo, Git, Modelver, snapshot

V0 = "churn@v0.1.0"
TOGETHER = ("release", "churn", "--stage", "prod", "--push")


def published(modelver: Modelver, repo: DvcRepo) -> object:
    """What `show` says of the first version."""
    return modelver("show", V0, "--json", cwd=repo.git).json["published"]


def test_one_refused_ref_refuses_all(two_clones: Clones, modelver: Modelver) -> None:
    """A server that takes the version and not the stage gets neither, and neither is here."""
    hook(two_clones.hub.path, "update", 'case "$1" in *#*) echo "no stages here"; exit 1;; esac')
    before, hub = snapshot(two_clones.ada.git), two_clones.hub.refs()
    result = modelver(*TOGETHER, cwd=two_clones.ada.git, code=6)
    assert "no stages here" in result.err
    assert two_clones.hub.refs() == hub
    assert snapshot(two_clones.ada.git) == before
    assert not journal(two_clones.ada.git)


def test_a_servers_words_are_shown_without_its_secrets(two_clones: Clones, modelver: Modelver) -> None:
    """The words of a pre-receive hook reach the user, without user-info of URLs and without control characters."""
    script = 'printf "protected: ask https://bot:s3cret@ci.example/x?token=t0ken \\033[31mnow\\n" >&2; exit 1'
    hook(two_clones.hub.path, "pre-receive", script)
    before = snapshot(two_clones.ada.git)
    result = modelver("release", "churn", "--push", "--json", cwd=two_clones.ada.git, code=6)
    shown = result.out + result.err
    assert "protected: ask https://***@ci.example" in result.err
    assert "s3cret" not in shown
    assert "t0ken" not in shown
    assert "\x1b" not in shown
    assert snapshot(two_clones.ada.git) == before


def test_branch_and_card_are_refused_together(two_clones: Clones, server: Server) -> None:
    """A server that protects its branch gets no tag of a card's commit either, and the commit is undone."""
    hook(two_clones.hub.path, "update", 'case "$1" in refs/heads/*) exit 1;; esac')
    before, hub = snapshot(two_clones.ada.git), two_clones.hub.refs()
    server(two_clones.ada.git, "release", "churn", "--push", code=6)
    assert two_clones.hub.refs() == hub
    assert snapshot(two_clones.ada.git) == before


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_only_what_was_asked_for_is_pushed(two_clones: Clones, modelver: Modelver, card: bool) -> None:
    """`push.followTags`, `push.default=matching` and a mirror's refspec publish no other tag and no other branch.

    The branch of a card's commit goes along; without one no branch does.
    """
    ada = two_clones.ada.git
    ada("config", "push.followTags", "true")
    ada("config", "push.default", "matching")
    ada("config", "remote.origin.push", "refs/*:refs/*")
    ada("tag", "-a", "-m", "private", "private")
    ada("branch", "secret")
    main = two_clones.hub.rev("main")
    ada.commit("Not published", {"notes.txt": "x"})
    modelver("release", "churn", "--push", *without(card), cwd=ada)
    assert tags_of(two_clones.hub) == {V0: ada.rev(f"refs/tags/{V0}")}
    expected = ada.rev(f"refs/tags/{V0}^{{commit}}") if card else main
    assert two_clones.hub.refs("refs/heads/") == {"refs/heads/main": expected}


def test_unreachable_and_nothing_known(two_clones: Clones, modelver: Modelver) -> None:
    """A remote that does not answer, and no version here: nobody can say which number is free, so 6."""
    shutil.move(two_clones.hub.path, two_clones.hub.path.with_name("gone.git"))
    before = snapshot(two_clones.ada.git)
    result = modelver("release", "churn", cwd=two_clones.ada.git, code=6)
    assert "--offline" in result.err
    assert snapshot(two_clones.ada.git) == before


def test_unreachable_but_offline(two_clones: Clones, modelver: Modelver) -> None:
    """`--offline` releases with the numbers known here, and contradicts `--push`."""
    shutil.move(two_clones.hub.path, two_clones.hub.path.with_name("gone.git"))
    modelver("release", "churn", "--offline", "--push", cwd=two_clones.ada.git, code=2)
    modelver("release", "churn", "--offline", cwd=two_clones.ada.git)
    assert two_clones.ada.git.tags() == [V0]


def test_unreachable_with_versions_here(two_clones: Clones, modelver: Modelver) -> None:
    """With a version here a release goes on, and says that the remote did not answer; with `--push` it is 6."""
    modelver("release", "churn", cwd=two_clones.ada.git)
    shutil.move(two_clones.hub.path, two_clones.hub.path.with_name("gone.git"))
    two_clones.ada.fake_train(9)
    before = snapshot(two_clones.ada.git)
    err = modelver("release", "churn", "--push", cwd=two_clones.ada.git, code=6).err
    # What the hint names can be done: --offline contradicts --push.
    assert ("--no-push" in err, "--offline" in err) == (True, False)
    assert snapshot(two_clones.ada.git) == before
    assert "warning: cannot ask the remote" in modelver("release", "churn", cwd=two_clones.ada.git).err
    assert two_clones.ada.git.tags() == [V0, "churn@v0.2.0"]


def broken_git(folder: Path, repo: Git, also: str = "") -> dict[str, str]:
    """A git whose push succeeds and then says that the line broke; `also` runs after it."""
    killing_git(folder, repo.env)
    real = shutil.which("git", path=repo.env["PATH"])
    script = f"""#!/bin/sh
case " $* " in *" push --porcelain "*)
    {real} "$@" >/dev/null 2>&1
    {also}
    echo "fatal: the remote end hung up unexpectedly" >&2
    exit 128;;
esac
exec {real} "$@"
"""
    (folder / "git").write_text(script)
    return {"PATH": f"{folder}:{repo.env['PATH']}"}


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_line_broken_after_the_server_accepted(
    two_clones: Clones, server: Server, tmp_path: Path, card: bool, modelver: Modelver
) -> None:
    """The server has it, git says that it failed: asked again, the server knows, and the release is complete."""
    ada = two_clones.ada
    server(ada.git, *TOGETHER, *without(card), env=broken_git(tmp_path / "bin", ada.git))
    assert tags_of(ada.git) == tags_of(two_clones.hub)
    assert sorted(tags_of(ada.git)) == ["churn#prod#1", V0]
    assert published(modelver, ada) is True
    assert not card or two_clones.hub.rev("main") == ada.git.rev()
    assert not card or check_card(ada.git, V0)
    assert not journal(ada.git)


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_line_broken_for_good(two_clones: Clones, server: Server, tmp_path: Path, card: bool) -> None:
    """While the server cannot be asked the journal waits; the same command later ends with one version."""
    ada, away = two_clones.ada, two_clones.hub.path.with_name("away.git")
    env = broken_git(tmp_path / "bin", ada.git, f"mv {two_clones.hub.path} {away}")
    answer = server(ada.git, "release", "churn", "--push", *without(card), env=env, code=6)
    assert "hint: an interrupted command waits for origin" in answer.err
    assert journal(ada.git)
    assert ada.git.tags() == []
    again = server(ada.git, "release", "churn", "--push", *without(card), code=6)
    assert journal(ada.git), again
    away.rename(two_clones.hub.path)
    server(ada.git, "release", "churn", "--push", *without(card))
    assert tags_of(ada.git) == tags_of(two_clones.hub)
    assert ada.git.tags() == [V0]
    assert not card or check_card(ada.git, V0)
    assert not journal(ada.git)


def test_a_push_that_broke_before_the_server_heard(two_clones: Clones, server: Server, tmp_path: Path) -> None:
    """The server answers that it has nothing: everything here is as before, and 6."""
    ada = two_clones.ada
    env = broken_git(tmp_path / "bin", ada.git, f"git -C {two_clones.hub.path} update-ref -d refs/tags/{V0}")
    hook(two_clones.hub.path, "pre-receive", "exit 1")
    before = snapshot(ada.git)
    server(ada.git, "release", "churn", "--push", env=env, code=6)
    assert snapshot(ada.git) == before
    assert not journal(ada.git)


def test_a_server_that_dies_after_taking_it(two_clones: Clones, modelver: Modelver) -> None:
    """A post-receive hook that kills the connection: the version is there, and is here."""
    hook(two_clones.hub.path, "post-receive", "kill -9 $PPID")
    modelver("release", "churn", "--push", cwd=two_clones.ada.git)
    assert tags_of(two_clones.ada.git) == tags_of(two_clones.hub) != {}


def test_the_same_command_with_push_publishes_that_very_object(two_clones: Clones, modelver: Modelver) -> None:
    """A version made without `--push` is unpublished; the same command with it makes no second one."""
    ada = two_clones.ada
    modelver("release", "churn", cwd=ada.git)
    mine = ada.git.rev(f"refs/tags/{V0}")
    assert published(modelver, ada) is False
    modelver("release", "churn", "--push", cwd=ada.git)
    assert tags_of(two_clones.hub) == {V0: mine} == tags_of(ada.git)
    assert published(modelver, ada) is True
    # And once more: nothing to do.
    assert modelver("release", "churn", "--push", "--json", cwd=ada.git).json["changed"] is False


def test_push_publishes_everything_with_its_bytes(two_clones: Clones, modelver: Modelver) -> None:
    """`push` brings versions, stages and withdrawals, and the bytes that the DVC remote lacks."""
    ada = two_clones.ada
    ada.fake_train(9, push=False)
    modelver("release", "churn", "--stage", "prod", cwd=ada.git)
    modelver("withdraw", "churn#prod", cwd=ada.git)
    stored = {path.name for path in ada.store.rglob("*") if path.is_file()}
    modelver("push", cwd=ada.git)
    assert tags_of(two_clones.hub) == tags_of(ada.git)
    assert len(tags_of(ada.git)) == 3
    assert len({path.name for path in ada.store.rglob("*") if path.is_file()} - stored) == 1
    assert modelver("push", cwd=ada.git).out == "Everything is published.\n"


def test_a_push_with_only_existing_tags_survives_a_broken_line(
    two_clones: Clones, server: Server, tmp_path: Path
) -> None:
    """Also when nothing new is made, what the server took counts as published."""
    ada = two_clones.ada
    server(ada.git, *TOGETHER[:-1])
    server(ada.git, "push", env=broken_git(tmp_path / "bin", ada.git))
    assert tags_of(two_clones.hub) == tags_of(ada.git)


def take_the_name(two_clones: Clones, modelver: Modelver) -> str:
    """Ada has an unpublished v0.1.0; Bao publishes another one.  Bao's object."""
    modelver("release", "churn", "--stage", "prod", cwd=two_clones.ada.git)
    two_clones.bao.fake_train(12)
    two_clones.bao.git("push", "-q", "origin", "main")
    modelver(*TOGETHER, cwd=two_clones.bao.git)
    return two_clones.bao.git.rev(f"refs/tags/{V0}")


@pytest.mark.parametrize(
    "argv", [("push",), ("release", "churn", "--push"), ("promote", V0, "dev", "--push")], ids=lambda argv: argv[0]
)
def test_a_name_that_was_taken_meanwhile(two_clones: Clones, modelver: Modelver, argv: tuple[str, ...]) -> None:
    """The remote's version wins: 4, the way out is named, and nothing has changed on either side."""
    take_the_name(two_clones, modelver)
    before, hub = snapshot(two_clones.ada.git), two_clones.hub.refs()
    result = modelver(*argv, cwd=two_clones.ada.git, code=4)
    assert "--renumber" in result.err
    assert snapshot(two_clones.ada.git) == before
    assert two_clones.hub.refs() == hub


def test_renumbered_versions_move_with_their_stages(two_clones: Clones, modelver: Modelver) -> None:
    """`push --renumber` gives ours the next number, and its stage event the next counter; theirs stays."""
    theirs = take_the_name(two_clones, modelver)
    ada = two_clones.ada
    commit = ada.git.rev(f"{V0}^{{commit}}")
    modelver("push", "--renumber", cwd=ada.git)
    assert ada.git.tags() == ["churn#prod#2", "churn@v0.1.1"]
    assert ada.git.rev("churn@v0.1.1^{commit}") == commit
    ada.git("fetch", "-q", "--tags")
    assert ada.git.rev(f"refs/tags/{V0}") == theirs
    assert tags_of(ada.git) == tags_of(two_clones.hub)
    model = modelver("list", "--json", cwd=ada.git).json["models"][0]
    assert model["stages"]["prod"]["version"] == "v0.1.1"
    assert modelver("doctor", cwd=ada.git, code=None).code == 0


def test_renumbering_broken_in_the_middle_ends_once(
    two_clones: Clones, server: Server, tmp_path: Path, modelver: Modelver
) -> None:
    """The server took the new names and the line broke for a while: no third number, the old names are gone."""
    take_the_name(two_clones, modelver)
    ada, away = two_clones.ada, two_clones.hub.path.with_name("away.git")
    env = broken_git(tmp_path / "bin", ada.git, f"mv {two_clones.hub.path} {away}")
    server(ada.git, "push", "--renumber", env=env, code=6)
    away.rename(two_clones.hub.path)
    server(ada.git, "push", "--renumber")
    assert ada.git.tags() == ["churn#prod#2", "churn@v0.1.1"]
    assert sorted(tags_of(two_clones.hub)) == ["churn#prod#1", "churn#prod#2", V0, "churn@v0.1.1"]


def test_a_clone_without_the_remotes_tags(two_clones: Clones, modelver: Modelver) -> None:
    """A clone that has no tag of the model while the remote has some is no young project: 6, and the remedy."""
    modelver("release", "churn", "--push", cwd=two_clones.ada.git)
    two_clones.bao.fake_train(12)
    before = snapshot(two_clones.bao.git)
    result = modelver("release", "churn", cwd=two_clones.bao.git, code=6)
    assert "hint: git fetch --tags" in result.err
    assert snapshot(two_clones.bao.git) == before


def test_a_number_that_only_the_remote_knows_is_skipped(two_clones: Clones, modelver: Modelver) -> None:
    """With other tags here, a version that only the remote has still takes its number."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", "--push", cwd=ada.git)
    bao.git("fetch", "-q", "--tags")
    ada.fake_train(9)
    modelver("release", "churn", "--push", cwd=ada.git)
    bao.fake_train(12)
    modelver("release", "churn", cwd=bao.git)
    assert bao.git.tags() == [V0, "churn@v0.3.0"]


def test_a_shallow_clone_releases_nothing(two_clones: Clones, modelver: Modelver, tmp_path: Path) -> None:
    """A clone of depth 1 cannot know: 6 with the remedy, and `list` says that it is incomplete."""
    two_clones.ada.git.commit("More")
    two_clones.ada.git("push", "-q", "origin", "main")
    shallow = tmp_path / "shallow"
    two_clones.ada.git("clone", "-q", "--depth", "1", f"file://{two_clones.hub.path}", shallow)
    clone = Git(shallow, two_clones.ada.git.home)
    before = snapshot(clone)
    assert "git fetch --unshallow --tags" in modelver("release", "churn", cwd=clone, code=6).err
    assert snapshot(clone) == before
    modelver("list", cwd=clone)


@pytest.mark.parametrize("named", ["remote", "url"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "gone"])
def test_a_password_in_a_url_is_never_shown(two_clones: Clones, modelver: Modelver, named: str, there: bool) -> None:
    """Neither on success nor on failure, neither for people nor as JSON, nor in a plan."""
    ada = two_clones.ada.git
    url = f"file://bot:s3cret@{two_clones.hub.path if there else '/gone/hub.git'}"
    if named == "remote":
        ada("remote", "set-url", "origin", url)
    else:
        ada("config", "remote.pushDefault", url)
    shown, codes = "", []
    for argv in (
        ("release", "churn", "--offline"),
        ("release", "churn", "--push"),
        ("release", "churn", "--push", "--dry-run", "--json"),
        ("push", "--json"),
        ("push", "--dry-run"),
        ("promote", "churn", "prod", "--push", "--dry-run"),
        ("promote", "churn", "prod", "--push", "-v"),
        ("doctor",),
        ("list",),
    ):
        result = modelver(*argv, cwd=ada, code=None)
        codes.append(result.code)
        shown += result.out + result.err
    assert codes == ([0] * 9 if there else [0, 6, 6, 6, 6, 6, 6, 0, 0])
    assert ("origin" if named == "remote" else "file://***@") in shown
    assert "s3cret" not in shown


def test_a_password_is_not_in_a_plan_that_succeeds(two_clones: Clones, modelver: Modelver) -> None:
    """Where the URL works, the plan and the answer name it without its user-info."""
    ada = two_clones.ada.git
    ada("config", f"url.{two_clones.hub.path}.insteadOf", "https://bot:s3cret@git.example/x.git")
    ada("config", "remote.pushDefault", "https://bot:s3cret@git.example/x.git")
    plan = modelver("release", "churn", "--push", "--dry-run", cwd=ada)
    assert "git push  https://***@git.example/x.git: churn@v0.1.0" in plan.out
    shown = plan.out + plan.err
    for argv in (("release", "churn", "--push", "--dry-run", "--json"), ("release", "churn", "--push"), ("push",)):
        result = modelver(*argv, cwd=ada)
        shown += result.out + result.err
    assert "s3cret" not in shown
    assert tags_of(two_clones.hub) == tags_of(ada) != {}


def test_the_users_pre_push_hook_runs(two_clones: Clones, modelver: Modelver, tmp_path: Path) -> None:
    """It is told what is pushed, may use pathspecs with wildcards, and its refusal is shown: 6, as before."""
    ada = two_clones.ada.git
    log = tmp_path / "log"
    hook(ada.path / ".git", "pre-push", f"cat >{log}; git ls-files -- '*.lock' >>{log}; echo not on Fridays; exit 1")
    before = snapshot(ada)
    result = modelver("release", "churn", "--push", cwd=ada, code=6)
    assert "not on Fridays" in result.err
    assert f"refs/tags/{V0}" in log.read_text()
    assert "dvc.lock" in log.read_text()
    assert snapshot(ada) == before
    assert tags_of(two_clones.hub) == {}


@pytest.mark.parametrize(
    ("settings", "goes_to"),
    [
        ({}, "hub.git"),
        ({"remote.pushDefault": "second"}, "second.git"),
        ({"branch.main.pushRemote": "second"}, "second.git"),
        ({"remote.pushDefault": "second", "branch.main.pushRemote": "origin"}, "hub.git"),
        ({"branch.main.remote": "second"}, "second.git"),
        ({"remote.second.pushurl": "{hub}", "remote.pushDefault": "second"}, "hub.git"),
    ],
    ids=["origin", "pushDefault", "pushRemote", "pushRemote first", "branch remote", "pushurl"],
)
def test_which_of_two_remotes(
    two_clones: Clones, modelver: Modelver, settings: dict[str, str], goes_to: str, tmp_path: Path
) -> None:
    """The tags go where `git push` would go, and nowhere else."""
    ada, second = two_clones.ada.git, two_clones.hub.path.with_name("second.git")
    two_clones.hub("clone", "-q", "--bare", two_clones.hub.path, second)
    ada("remote", "add", "second", second)
    for key, value in settings.items():
        ada("config", key, value.format(hub=two_clones.hub.path))
    modelver("release", "churn", "--push", cwd=ada)
    found = {repo.path.name for repo in (two_clones.hub, two_clones.hub.at(second)) if tags_of(repo)}
    assert found == {goes_to}


def test_after_a_broken_line_the_push_url_is_asked(two_clones: Clones, server: Server, tmp_path: Path) -> None:
    """Where one fetches from a mirror that lags behind, not the mirror says whether the push arrived."""
    ada, mirror = two_clones.ada.git, two_clones.hub.path.with_name("mirror.git")
    two_clones.hub("clone", "-q", "--bare", two_clones.hub.path, mirror)
    ada("remote", "set-url", "origin", mirror)
    ada("remote", "set-url", "--push", "origin", two_clones.hub.path)
    server(ada, "release", "churn", "--push", env=broken_git(tmp_path / "bin", ada))
    assert tags_of(ada) == tags_of(two_clones.hub) != {}


def test_a_remote_without_a_name_of_its_own_is_no_reason_to_fail(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Without any remote a release works, and `--push` is 6 with nothing made."""
    before = snapshot(dvc_repo.git)
    assert "git remote add" in modelver("release", "churn", "--push", cwd=dvc_repo.git, code=6).err
    assert snapshot(dvc_repo.git) == before
    modelver("release", "churn", cwd=dvc_repo.git)
    assert dvc_repo.git.tags() == [V0]


def test_a_locked_ref_on_the_server_is_no_lost_version(two_clones: Clones, modelver: Modelver) -> None:
    """A lock that somebody left on the server refuses the push: nothing here, and it works when the lock is gone."""
    lock = two_clones.hub.path / "refs" / "tags" / f"{V0}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    before = snapshot(two_clones.ada.git)
    result = modelver("release", "churn", "--push", cwd=two_clones.ada.git, code=None)
    assert result.code in (4, 6), result
    assert snapshot(two_clones.ada.git) == before
    os.unlink(lock)
    modelver("release", "churn", "--push", cwd=two_clones.ada.git)
    assert tags_of(two_clones.hub) == tags_of(two_clones.ada.git)
    fsck(two_clones.hub)


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_pushing_leaves_no_trace_in_the_configuration(two_clones: Clones, modelver: Modelver, card: bool) -> None:
    """Of everything in the clone a release with `--push` changes the tag and the card with its branch, no more."""
    pushed(two_clones.ada)
    before = snapshot(two_clones.ada.git)
    modelver("release", "churn", "--push", *without(card), cwd=two_clones.ada.git)
    expected = {f"ref refs/tags/{V0}"}
    if card:
        expected |= {"ref refs/heads/main", "ref refs/remotes/origin/main", "ref refs/remotes/origin/HEAD"}
        expected |= {f"file {MODEL_CARD}", ".git/index"}
    assert changed(before, snapshot(two_clones.ada.git)) == expected


def test_push_leaves_out_what_is_not_sound(two_clones: Clones, modelver: Modelver) -> None:
    """Another version's object under a new name, and a tag that only looks like a version's, are named and stay here.

    Of one model that is asked for, such a tag is an error (5) before anything is published.
    """
    ada = two_clones.ada.git
    modelver("release", "churn", "--no-card", cwd=ada)
    ada("update-ref", "refs/tags/churn@v9.9.9", ada.rev(f"refs/tags/{V0}"))
    ada("tag", "-a", "-m", "a package's", "package@v1.0.0")
    assert "made as churn@v0.1.0" in modelver("push", "churn", cwd=ada, code=5).err
    assert tags_of(two_clones.hub) == {}
    err = modelver("push", cwd=ada).err
    assert "not published: churn@v9.9.9" in err
    assert "not published: package@v1.0.0" in err
    assert tags_of(two_clones.hub) == {V0: ada.rev(f"refs/tags/{V0}")}
    assert modelver("push", cwd=ada).out == "Everything else is published.\n"
