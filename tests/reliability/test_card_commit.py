"""The commit that a release makes for its card: that file and nothing else, or nothing at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reliability.tools import (
    CARD,
    KILLED,
    MODEL_CARD,
    Server,
    changed,
    check_blocks,
    check_card,
    fsck,
    hook,
    journal,
    litter,
    pictures,
    record_of,
    tags_of,
    with_plots,
)
from tests.support import Clones, DvcRepo, Git, snapshot

TAG = "churn@v0.1.0"


def card_release(server: Server, repo: Git, *more: str, code: int | None = 0, **env: str) -> str:
    """`release churn`; what it says on stderr."""
    return server(repo, "release", "churn", *more, code=code, env=env).err


def add_work(repo: Git) -> None:
    """Staged, changed, deleted, intent-to-add, untracked and ignored files that are nobody's business."""
    repo.write("staged.txt", "staged\n")
    repo.write("both.txt", "staged\n")
    repo("add", "staged.txt", "both.txt")
    repo.write("both.txt", "staged, then changed\n")
    repo.write("README.md", "changed\n")
    repo.write("intended.txt", "not yet\n")
    repo("add", "--intent-to-add", "intended.txt")
    repo.write("untracked.txt", "untracked\n")
    repo.write("__pycache__/ignored.pyc", "ignored\n")


def entries(repo: Git) -> set[str]:
    """The index's entries, with their flags."""
    return set(repo("ls-files", "--stage", "--debug").replace("\n  ", " ").splitlines())


def stages(repo: Git) -> set[str]:
    return set(repo("ls-files", "--stage", "-t").splitlines())


def test_only_the_card_is_committed(dvc_repo: DvcRepo, server: Server) -> None:
    """Other work, however staged, stays as it was; the commit's parent is the old HEAD, the tag names the commit."""
    repo, old = dvc_repo.git, dvc_repo.git.rev()
    add_work(repo)
    before, staged, status = snapshot(repo), stages(repo), repo("status", "--porcelain")
    card_release(server, repo)
    assert repo("rev-parse", "HEAD^") == old
    assert repo("diff", "--name-status", old, "HEAD") == f"A\t{MODEL_CARD}"
    assert repo.rev(f"{TAG}^{{commit}}") == repo.rev()
    assert repo("status", "--porcelain") == status
    assert stages(repo) - staged == {line for line in stages(repo) if line.endswith(MODEL_CARD)}
    assert staged - stages(repo) == set()
    assert changed(before, snapshot(repo)) == {
        f"file {MODEL_CARD}",
        f"ref refs/tags/{TAG}",
        "ref refs/heads/main",
        ".git/index",
    }
    assert check_card(repo, TAG) == (repo.path / MODEL_CARD).read_text()
    fsck(repo)


def test_a_card_that_is_there_is_replaced(dvc_repo: DvcRepo, server: Server) -> None:
    """The second version changes the card of the first, keeps its mode, and a release without change makes none."""
    repo = dvc_repo.git
    card_release(server, repo)
    (repo.path / MODEL_CARD).chmod(0o755)
    repo("update-index", "--chmod=+x", MODEL_CARD)
    dvc_repo.fake_train(9)
    card_release(server, repo)
    assert repo("diff", "--name-status", "HEAD^", "HEAD") == f"M\t{MODEL_CARD}"
    text = check_card(repo, "churn@v0.2.0")
    assert (repo.path / MODEL_CARD).read_text() == text
    assert f"base=v0.1.0 base-commit={repo.rev(f'{TAG}^{{commit}}')} -->" in text
    assert repo("ls-tree", "HEAD", MODEL_CARD).startswith("100755")
    head = repo.rev()
    card_release(server, repo)
    assert repo.rev() == head
    assert len(tags_of(repo)) == 2


def test_pictures_go_with_the_card(dvc_repo: DvcRepo, server: Server) -> None:
    """A plot is committed together with the card that shows it, and the one that it replaces goes."""
    repo = dvc_repo.git
    with_plots(dvc_repo)
    card_release(server, repo)
    first = pictures(repo)
    assert len(first) == 1
    check_card(repo, TAG)
    dvc_repo.fake_train(9)
    with_plots(dvc_repo, "1,2\n2,9\n")
    add_work(repo)
    status = repo("status", "--porcelain")
    card_release(server, repo)
    assert len(pictures(repo)) == 1
    assert pictures(repo).isdisjoint(first)
    check_card(repo, "churn@v0.2.0")
    assert repo("status", "--porcelain") == status
    assert not any((repo.path / name).exists() for name in first)


def test_a_picture_in_the_way(dvc_repo: DvcRepo, server: Server) -> None:
    """A file that Git does not keep, where a plot is to be: 3, and it stays."""
    repo = dvc_repo.git
    with_plots(dvc_repo)
    card_release(server, repo)
    dvc_repo.fake_train(9)
    with_plots(dvc_repo, "1,2\n2,9\n")
    plan = json.loads(server(repo, "release", "churn", "--prepare", "--dry-run", "--json").out)
    (name,) = (step["target"] for step in plan["steps"] if step["do"] == "write" and step["target"] != MODEL_CARD)
    repo.write(name, "my own drawing\n")
    before = snapshot(repo)
    for more in ((), ("--prepare",)):
        assert name in card_release(server, repo, *more, code=3)
        assert snapshot(repo) == before


def test_what_people_wrote_stays_as_they_wrote_it(dvc_repo: DvcRepo, server: Server) -> None:
    """Committed words, line ends and keys around our blocks are in the next version's card, byte for byte."""
    repo = dvc_repo.git
    card_release(server, repo)
    path = repo.path / MODEL_CARD
    text = path.read_text()
    theirs = text.replace("[More Information Needed]", "For the *retention* team \u2014 & nobody else.  ", 1)
    theirs = theirs.replace("---\n", "---\nlicense:   mit   # ours\n", 1) + "\nThe end, without a line's end"
    assert len(theirs) > len(text) + 60
    dvc_repo.fake_train(9)
    repo.commit("Words", {MODEL_CARD: theirs})
    card_release(server, repo)
    now = check_card(repo, "churn@v0.2.0")
    assert _by_people(now) == _by_people(theirs)
    assert now != theirs


def _by_people(text: str) -> list[str]:
    """The card without what stands between our marks."""
    lines, ours = [], False
    for line in text.split("\n"):
        begins, ends = ("# modelver:begin", "<!-- modelver:begin"), ("# modelver:end", "<!-- modelver:end")
        ours = ours or line.startswith(begins)
        if not ours:
            lines.append(line)
        ours = ours and not line.startswith(ends)
    return lines


def test_a_card_that_is_current_is_tagged_in_place(dvc_repo: DvcRepo, server: Server) -> None:
    """Where the commit has the card already no commit is made, and the record has the card's blob all the same."""
    repo = dvc_repo.git
    server(repo, "release", "churn", "--prepare")
    head = repo.commit("The card, by hand")
    before = snapshot(repo)
    card_release(server, repo)
    assert repo.rev() == head == repo.rev(f"{TAG}^{{commit}}")
    assert changed(before, snapshot(repo)) == {f"ref refs/tags/{TAG}"}
    check_card(repo, TAG)


def test_a_current_card_that_was_edited_by_hand_is_refused(dvc_repo: DvcRepo, server: Server) -> None:
    """A number that a person has improved within a block: 3, the line is named, and nothing has changed."""
    repo = dvc_repo.git
    server(repo, "release", "churn", "--prepare")
    path = repo.path / MODEL_CARD
    repo.commit("A better number", {MODEL_CARD: path.read_text().replace("| auc | 0.8 |", "| auc | 0.99 |")})
    before = snapshot(repo)
    assert "metrics" in card_release(server, repo, code=3)
    assert snapshot(repo) == before


def test_a_marker_in_a_fence_is_text(dvc_repo: DvcRepo, server: Server) -> None:
    """What a person quotes in fenced code names no number: neither is it taken, nor does it hinder."""
    repo = dvc_repo.git
    card_release(server, repo)
    quoted = "```html\n<!-- modelver:begin summary sha256=0123456789abcdef version=v9.9.9 -->\n```\n\n# Model card"
    text = (repo.path / MODEL_CARD).read_text()
    dvc_repo.fake_train(9)
    repo.commit("How we write cards", {MODEL_CARD: text.replace("# Model card", quoted, 1)})
    card_release(server, repo)
    assert sorted(tags_of(repo)) == [TAG, "churn@v0.2.0"]
    assert quoted in repo("show", f"churn@v0.2.0:{MODEL_CARD}")


def test_no_card_tags_the_commit_itself(dvc_repo: DvcRepo, server: Server) -> None:
    """`--no-card` makes no commit, also where there would be a card."""
    head = dvc_repo.git.rev()
    card_release(server, dvc_repo.git, "--no-card")
    assert dvc_repo.git.rev() == head == dvc_repo.git.rev(f"{TAG}^{{commit}}")
    assert record_of(dvc_repo.git, TAG).card is None


def test_the_users_hooks_run(dvc_repo: DvcRepo, server: Server, tmp_path: Path) -> None:
    """All of a commit's hooks, in the work tree, and their pathspecs may have wildcards."""
    log = tmp_path / "log"
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"):
        hook(dvc_repo.path / ".git", name, f"echo {name} $(git diff --cached --name-only -- '*.md') >>{log}")
    card_release(server, dvc_repo.git)
    assert log.read_text().splitlines() == [
        f"pre-commit {MODEL_CARD}",
        f"prepare-commit-msg {MODEL_CARD}",
        f"commit-msg {MODEL_CARD}",
        "post-commit",
    ]


HOOKS = {
    "refuses": ("pre-commit", "echo no cards on Fridays; exit 1", "no cards on Fridays"),
    "refuses the message": ("commit-msg", "echo no ticket >&2; exit 1", "no ticket"),
    "alters the card": ("pre-commit", f"echo more >>{MODEL_CARD}; git add {MODEL_CARD}", "altered"),
    "adds another file": ("pre-commit", "git add untracked.txt", "untracked.txt"),
    "adds a changed file": ("pre-commit", "git add README.md", "README.md"),
    "drops a file": ("pre-commit", "git rm -q --cached params.yaml", "params.yaml"),
    "commits once more": (
        "post-commit",
        "git update-ref HEAD $(git commit-tree -p HEAD -m more HEAD^{tree})",
        "another parent",
    ),
}


@pytest.mark.parametrize("which", HOOKS)
@pytest.mark.parametrize("state", ["new", "changed", "pictures"])
def test_a_hook_that_meddles(dvc_repo: DvcRepo, server: Server, which: str, state: str) -> None:
    """Refused with the hook's words, and branch, index, card, pictures and other work are as before to the byte."""
    repo, first = dvc_repo.git, state == "new"
    if state == "pictures":
        with_plots(dvc_repo)
    if not first:
        card_release(server, repo)
        dvc_repo.fake_train(9)
    if state == "pictures":
        with_plots(dvc_repo, "1,2\n2,9\n")
    add_work(repo)
    name, script, words = HOOKS[which]
    hook(repo.path / ".git", name, script)
    before = snapshot(repo)
    assert words in card_release(server, repo, code=3)
    assert snapshot(repo) == before
    assert litter(repo) == []
    assert not journal(repo)
    fsck(repo)
    # And without the hook the same command works.
    (repo.path / ".git" / "hooks" / name).unlink()
    card_release(server, repo)
    assert len(tags_of(repo)) == (1 if first else 2)
    check_card(repo, TAG if first else "churn@v0.2.0")


def test_a_card_that_is_not_as_committed(dvc_repo: DvcRepo, server: Server) -> None:
    """A person's unsaved words in the card are never overwritten."""
    repo = dvc_repo.git
    repo.write(MODEL_CARD, "my own words\n")
    before = snapshot(repo)
    assert "model_cards" in card_release(server, repo, code=3)
    assert snapshot(repo) == before


def test_another_file_beside_the_card(dvc_repo: DvcRepo, server: Server) -> None:
    """Where only another file lies untracked in the folder of cards, that is nobody's business."""
    repo = dvc_repo.git
    repo.write("model_cards/notes.txt", "mine\n")
    card_release(server, repo)
    check_card(repo, TAG)
    assert repo("status", "--porcelain") == "?? model_cards/notes.txt"


def test_a_card_that_is_ignored(dvc_repo: DvcRepo, server: Server) -> None:
    """An ignored file in the card's place is somebody's only copy: refused, and kept."""
    repo = dvc_repo.git
    repo.commit("Ignore", {".gitignore": "model_cards/\n__pycache__/\n"})
    repo.write(MODEL_CARD, "my own words\n")
    before = snapshot(repo)
    card_release(server, repo, code=3)
    assert snapshot(repo) == before


def test_a_card_behind_a_link_out_of_the_tree(dvc_repo: DvcRepo, server: Server, tmp_path: Path) -> None:
    """A folder of cards that is a symbolic link is not followed."""
    repo, outside = dvc_repo.git, tmp_path / "outside"
    outside.mkdir()
    (repo.path / "model_cards").symlink_to(outside)
    repo.commit("A link")
    before = snapshot(repo)
    card_release(server, repo, code=3)
    assert snapshot(repo) == before
    assert list(outside.iterdir()) == []


def test_a_detached_head_needs_a_branch(dvc_repo: DvcRepo, server: Server) -> None:
    """A card that needs a commit is refused on a detached HEAD; without a card the commit is tagged in place."""
    repo = dvc_repo.git
    repo("switch", "-q", "--detach")
    before = snapshot(repo)
    assert "--push-to" in card_release(server, repo, code=3)
    assert snapshot(repo) == before
    card_release(server, repo, "--no-card")
    assert repo.rev(f"{TAG}^{{commit}}") == repo.rev()


def test_a_current_card_needs_no_branch(two_clones: Clones, server: Server) -> None:
    """On a detached HEAD whose commit has the card that commit is tagged; with `--push` only the tag goes."""
    repo = two_clones.ada.git
    server(repo, "release", "churn", "--prepare")
    head = repo.commit("The card")
    repo("switch", "-q", "--detach")
    main, before = two_clones.hub.rev("main"), snapshot(repo)
    card_release(server, repo, "--push")
    assert changed(before, snapshot(repo)) == {f"ref refs/tags/{TAG}"}
    assert two_clones.hub.rev("main") == main
    assert two_clones.hub.rev(f"{TAG}^{{commit}}") == head == repo.rev()
    check_card(repo, TAG)


def test_a_detached_head_publishes_to_a_branch(two_clones: Clones, server: Server) -> None:
    """`--push-to BRANCH` publishes the card's commit there, from a detached HEAD that stays where it is."""
    repo = two_clones.ada.git
    repo("switch", "-q", "--detach")
    before = snapshot(repo)
    card_release(server, repo, "--push-to", "main")
    assert two_clones.hub.rev("main") == repo.rev(f"{TAG}^{{commit}}")
    assert two_clones.hub("rev-parse", "main^") == repo.rev()
    check_card(repo, TAG)
    assert changed(before, snapshot(repo)) <= {
        f"ref refs/tags/{TAG}",
        "ref refs/remotes/origin/main",
        "ref refs/remotes/origin/HEAD",
    }


def test_a_detached_head_never_erases(two_clones: Clones, server: Server) -> None:
    """`--push-to` a branch that has moved on loses with 4: the colleague's commit stays."""
    repo, bao = two_clones.ada.git, two_clones.bao.git
    repo("switch", "-q", "--detach")
    theirs = bao.commit("By Bao", {"notes.txt": "x\n"})
    bao("push", "-q", "origin", "main")
    before = snapshot(repo)
    assert "git pull, then run it again" in card_release(server, repo, "--push-to", "main", code=4)
    assert snapshot(repo) == before
    assert two_clones.hub.rev("main") == theirs
    assert tags_of(two_clones.hub) == {}


@pytest.mark.parametrize("how", ["--rev", "--exp"])
def test_another_commit_gets_a_child(dvc_repo: DvcRepo, server: Server, how: str) -> None:
    """With `--rev` and `--exp` the version is a child commit that adds the card, on no branch; nothing else moves."""
    repo = dvc_repo.git
    chosen = repo.rev()
    repo("update-ref", "refs/exps/ab/cdef/wild-fox", chosen)
    repo.commit("Later", {"notes.txt": "x\n"})
    add_work(repo)
    before = snapshot(repo)
    card_release(server, repo, how, chosen if how == "--rev" else "wild-fox")
    commit = repo.rev(f"{TAG}^{{commit}}")
    assert repo("rev-parse", f"{commit}^") == chosen
    assert repo("diff", "--name-status", chosen, commit) == f"A\t{MODEL_CARD}"
    assert repo("branch", "--all", "--contains", commit) == ""
    check_card(repo, TAG)
    assert changed(before, snapshot(repo)) == {f"ref refs/tags/{TAG}"}
    fsck(repo)


def test_the_loser_has_its_commit_undone(two_clones: Clones, server: Server) -> None:
    """The branch has moved on the remote: 4, and branch, index, card and other work are as before to the byte."""
    repo, bao = two_clones.ada.git, two_clones.bao.git
    bao.commit("By Bao", {"notes.txt": "x\n"})
    bao("push", "-q", "origin", "main")
    add_work(repo)
    before = snapshot(repo)
    card_release(server, repo, "--push", code=4)
    assert snapshot(repo) == before
    assert not journal(repo)
    fsck(repo)


def test_bytes_that_cannot_be_pushed_undo_the_commit(two_clones: Clones, server: Server) -> None:
    """The DVC remote fails after the card was committed: the commit is undone, and nothing is published."""
    ada = two_clones.ada
    ada.fake_train(9, push=False)
    store = ada.store.with_name("elsewhere")
    ada.store.rename(store)
    ada.store.write_text("no directory any more")
    before, hub = snapshot(ada.git), two_clones.hub.refs()
    answer = server(ada.git, "release", "churn", "--push", code=None)
    assert answer.code != 0
    assert "cannot be written" in answer.err
    assert snapshot(ada.git) == before
    assert two_clones.hub.refs() == hub
    assert not journal(ada.git)


def test_two_models_share_one_commit(dvc_repo: DvcRepo, server: Server) -> None:
    """Both cards are in one commit, and each record names its own card's blob."""
    repo = dvc_repo.git
    text = (repo.path / "dvc.yaml").read_text()
    more = "  scores:\n    path: metrics.json\n    type: model\n"
    repo.commit("Two models", {"dvc.yaml": text + more})
    old = repo.rev()
    server(repo, "release", "churn", "scores")
    assert repo("rev-parse", "HEAD^") == old
    assert repo("diff", "--name-only", old, "HEAD").splitlines() == ["model_cards/churn.md", "model_cards/scores.md"]
    for name in ("churn", "scores"):
        card = record_of(repo, f"{name}@v0.1.0").card
        assert card is not None
        assert (card.path, card.oid) == (CARD.format(name=name), repo.rev(f"HEAD:model_cards/{name}.md"))
        check_blocks(repo("show", f"HEAD:model_cards/{name}.md"), name, "v0.1.0")


def test_one_of_two_cards_is_current(dvc_repo: DvcRepo, server: Server) -> None:
    """The commit has only the card that changed, and both records have their card's blob."""
    repo = dvc_repo.git
    text = (repo.path / "dvc.yaml").read_text()
    repo.commit("Two models", {"dvc.yaml": text + "  scores:\n    path: metrics.json\n    type: model\n"})
    server(repo, "release", "churn", "--prepare")
    repo.commit("One card")
    server(repo, "release", "churn", "scores")
    assert repo("diff", "--name-only", "HEAD^", "HEAD") == CARD.format(name="scores")
    for name in ("churn", "scores"):
        assert repo.rev(f"{name}@v0.1.0^{{commit}}") == repo.rev()
        card = record_of(repo, f"{name}@v0.1.0").card
        assert card is not None
        assert (card.path, card.oid) == (CARD.format(name=name), repo.rev(f"HEAD:model_cards/{name}.md"))


def test_a_killed_release_never_undoes_a_persons_commit(dvc_repo: DvcRepo, server: Server) -> None:
    """Who commits on top of an interrupted release keeps everything; the release then goes on from there."""
    repo = dvc_repo.git
    interrupt(server, repo)
    theirs = repo.commit("By a person", {"work.txt": "hours of it\n"})
    card_release(server, repo)
    assert repo("merge-base", "--is-ancestor", theirs, "HEAD") == ""
    assert (repo.path / "work.txt").read_text() == "hours of it\n"
    assert "work.txt" in repo("ls-tree", "--name-only", "HEAD").splitlines()
    assert not journal(repo)
    # The interrupted commit is history by now, and its card is current: nothing is left to commit.
    assert repo.rev(f"{TAG}^{{commit}}") == theirs == repo.rev()
    check_card(repo, TAG, committed=False)


def test_a_killed_release_leaves_other_branches_alone(dvc_repo: DvcRepo, server: Server) -> None:
    """Who switches to another branch after an interrupted release finds that branch where it was."""
    repo = dvc_repo.git
    repo("branch", "other")
    repo.commit("Later", {"notes.txt": "x\n"})
    interrupt(server, repo)
    repo("switch", "-q", "other")
    other, main = repo.rev(), repo.rev("main")
    server(repo, "doctor", "--recover", code=None)
    assert (repo.rev("other"), repo.rev("main"), repo("symbolic-ref", "HEAD")) == (other, main, "refs/heads/other")
    assert repo("status", "--porcelain") == ""


def test_a_killed_release_keeps_a_persons_edit_of_the_card(dvc_repo: DvcRepo, server: Server) -> None:
    """Who edits the card that an interrupted release left finds the edit after the undo."""
    repo = dvc_repo.git
    old = repo.rev()
    interrupt(server, repo)
    repo.write(MODEL_CARD, "my own words\n")
    server(repo, "doctor", "--recover", code=None)
    assert repo.rev() == old
    assert (repo.path / MODEL_CARD).read_text() == "my own words\n"


def interrupt(server: Server, repo: Git) -> None:
    """A release that is killed right after its card's commit."""
    hook(repo.path / ".git", "post-commit", "kill -9 $(ps -o ppid= -p $PPID)")
    answer = server(repo, "release", "churn", code=None)
    assert answer.code == KILLED
    assert journal(repo)
    (repo.path / ".git" / "hooks" / "post-commit").unlink()


def test_a_branch_that_tracks_another_goes_where_git_would_push_it(two_clones: Clones, server: Server) -> None:
    """The card's commit of `work`, which tracks `main`: to `work`, and to `main` if `push.default` says upstream.

    The plan names the branch that is pushed.
    """
    repo = two_clones.ada.git
    repo("switch", "-q", "-c", "work", "--track", "origin/main")
    for setting, to in (("upstream", "main"), ("simple", "work")):
        repo("config", "push.default", setting)
        planned = json.loads(server(repo, "release", "churn", "--push", "--dry-run", "--json").out)["steps"]
        version = planned[-1]["target"]
        assert {"do": "git push", "target": f"origin: {version}, {to}"} in planned
        server(repo, "release", "churn", "--push")
        assert two_clones.hub.rev(to) == repo.rev() == two_clones.hub.rev(f"{version}^{{commit}}")
        two_clones.ada.fake_train(9)
    assert sorted(two_clones.hub.refs("refs/heads/")) == ["refs/heads/main", "refs/heads/work"]


@pytest.mark.parametrize("name", ["main", "refs/heads/main"])
def test_the_branch_to_push_to_may_be_named_on_a_branch(two_clones: Clones, server: Server, name: str) -> None:
    """`--push-to` counts when a branch is checked out too, by its short or its full name."""
    repo = two_clones.ada.git
    repo("switch", "-q", "-c", "work")
    card_release(server, repo, "--push-to", name)
    assert two_clones.hub.refs("refs/heads/") == {"refs/heads/main": repo.rev("work")}
    assert two_clones.hub.rev(f"{TAG}^{{commit}}") == repo.rev("work")


@pytest.mark.parametrize("name", ["", "a b", "-x", "x:y", "HEAD", "main~1", "refs/heads/"])
def test_no_name_for_a_branch_to_push_to(two_clones: Clones, server: Server, name: str) -> None:
    """2, and nothing has changed; so with `--no-push`, which contradicts it."""
    repo = two_clones.ada.git
    before, hub = snapshot(repo), two_clones.hub.refs()
    card_release(server, repo, f"--push-to={name}", code=2)
    card_release(server, repo, "--push-to=main", "--no-push", code=2)
    assert snapshot(repo) == before
    assert two_clones.hub.refs() == hub
