"""`verify --gc` against the real `dvc gc`: the printed line keeps every version, the dangerous ones lose them."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import Clock, Clones, DvcRepo, Git, Modelver, Templates

DIRECTORY = """\
stages:
  pack:
    cmd: cp -r data/pages pages
    deps:
    - data/pages
    outs:
    - pages
artifacts:
  pages:
    path: pages
"""


@pytest.fixture(scope="module")
def released_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> DvcRepo:
    """Three versions on `main`, the first in a stage; one of another branch that is gone; a directory model."""
    repo = templates.dvc(tmp_path_factory.mktemp("gc"))
    git = repo.git

    def release(depth: int, *argv: str, message: str | None = None) -> None:
        repo.fake_train(depth, message)
        git.clock.tick(86_400)
        modelver("release", *argv, cwd=git)

    release(7, "churn", "--stage", "prod")
    git("switch", "-q", "-c", "side")
    release(8, "churn")
    git("switch", "-q", "main")
    git("branch", "-q", "-D", "side")
    release(9, "churn", "--no-card")
    for number in range(3):
        git.write(f"data/pages/{number}.txt", f"page {number}\n")
    git.write("text/dvc.yaml", DIRECTORY.replace("data/pages", "../data/pages"))
    repo.dvc(["add", "-q", "data/pages"], ["repro", "-q", "text/dvc.yaml"], ["push", "-q"])
    git.commit("Pages")
    modelver("release", "text:pages", cwd=git)
    git.write("data/pages/0.txt", "another page\n")
    repo.dvc(["add", "-q", "data/pages"], ["repro", "-q", "text/dvc.yaml"], ["push", "-q"])
    git.commit("Other pages")
    return repo


@pytest.fixture
def released(released_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A copy of it."""
    return copied(released_template, tmp_path)


def copied(template: DvcRepo, dest: Path) -> DvcRepo:
    """A fresh copy of a repository and its DVC remote."""
    shutil.copytree(template.path.parent, dest, symlinks=True, dirs_exist_ok=True)
    git = Git(dest / template.path.name, template.git.home, Clock(template.git.clock.seconds))
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, dest / template.store.name)


@dataclass(frozen=True)
class Kept:
    """Which versions' bytes can still be verified."""

    here: frozenset[str]
    remote: frozenset[str]


def kept(repo: DvcRepo, modelver: Modelver) -> Kept:
    """Every version whose own bytes are whole, in the cache and in the DVC remote."""
    places: dict[str, set[str]] = {"cache": set(), "remote": set()}
    for flags in ((), ("--remote",)):
        answer = modelver("verify", "--all", "--force", *flags, "--json", cwd=repo.git, code=None).json
        place = "remote" if flags else "cache"
        for version in answer["versions"]:
            checks = {check["check"]: check["ok"] for check in version["checks"]}
            if checks[place]:
                places[place].add(f"{version['name']}@{version['version']}")
    return Kept(frozenset(places["cache"]), frozenset(places["remote"]))


def run_line(repo: DvcRepo, command: str) -> None:
    """Run a printed command line with the real dvc, without its question."""
    words = shlex.split(command)
    assert words[:2] == ["dvc", "gc"]
    repo.dvc([*words[1:], "--force", "--quiet"])


def names(line: dict[str, object]) -> set[str]:
    return {f"{loss['name']}@{loss['version']}" for loss in line["loses"]}  # type: ignore[attr-defined]


ALL = frozenset({"churn@v0.1.0", "churn@v0.2.0", "churn@v0.3.0", "text:pages@v0.1.0"})


def test_the_printed_line_keeps_every_version(released: DvcRepo, modelver: Modelver) -> None:
    """After running it with the real dvc every version's bytes are still in the cache and in the remote."""
    answer = modelver("verify", "--gc", "--remote", "--json", cwd=released.git).json
    assert answer["ok"]
    assert answer["commands"] == ["dvc gc --all-branches --all-tags --cloud"]
    (released.cache / "ff").mkdir(exist_ok=True)
    unused = released.cache / "ff" / ("0" * 30)
    unused.write_bytes(b"nobody needs this")
    run_line(released, answer["commands"][0])
    assert not unused.exists(), "the line did collect"
    assert kept(released, modelver) == Kept(ALL, ALL)


@pytest.mark.parametrize("command", ["dvc gc --workspace", "dvc gc --all-branches", "dvc gc --workspace --cloud"])
def test_a_dangerous_line_really_loses_them(released: DvcRepo, modelver: Modelver, command: str) -> None:
    """The versions that are named lose bytes by the real dvc, and no others do; `--cloud` takes the remote's too."""
    flags = ["--remote"] if "--cloud" in command else []
    answer = modelver("verify", "--gc", *flags, "--json", cwd=released.git).json
    line = next(one for one in answer["lines"] if one["command"] == command)
    assert not line["safe"]
    assert names(line) == {"churn@v0.1.0", "churn@v0.2.0", "text:pages@v0.1.0"}
    run_line(released, command)
    lost = frozenset(names(line))
    left = kept(released, modelver)
    assert left.here == ALL - lost
    assert left.remote == (ALL - lost if "--cloud" in command else ALL)


@pytest.mark.parametrize("command", ["dvc gc --all-tags", "dvc gc --all-commits"])
def test_a_safe_line_is_safe(released: DvcRepo, modelver: Modelver, command: str) -> None:
    """What is called safe takes nothing from any version."""
    answer = modelver("verify", "--gc", "--json", cwd=released.git).json
    assert next(one for one in answer["lines"] if one["command"] == command)["safe"]
    run_line(released, command)
    assert kept(released, modelver).here == ALL


def test_keep_staged(released: DvcRepo, modelver: Modelver) -> None:
    """The line for versions that hold or held a stage keeps those, and frees others."""
    modelver("withdraw", "churn#prod", cwd=released.git)
    answer = modelver("verify", "--gc", "--keep", "staged", "--json", cwd=released.git).json
    (command,) = answer["commands"]
    assert "--all-tags" not in command
    run_line(released, command)
    left = kept(released, modelver).here
    assert "churn@v0.1.0" in left
    assert left < ALL


def test_keep_since(released: DvcRepo, modelver: Modelver) -> None:
    """The line for versions since a date keeps those, although their commits are older than their tags."""
    day = released.git("for-each-ref", "--format=%(taggerdate:short)", "refs/tags/churn@v0.2.0")
    answer = modelver("verify", "--gc", "--keep", f"since:{day}", "--json", cwd=released.git).json
    (command,) = answer["commands"]
    run_line(released, command)
    left = kept(released, modelver).here
    assert left == ALL - {"churn@v0.1.0"}


@pytest.mark.parametrize("keep", ["some", "since", "since:", "since:yesterday", "all:x", "staged:prod"])
def test_a_policy_that_is_none(dvc_repo: DvcRepo, modelver: Modelver, keep: str) -> None:
    """Anything but the three policies is bad input."""
    modelver("verify", "--gc", "--keep", keep, cwd=dvc_repo.git, code=2)


def test_what_the_git_remote_has_more(two_clones: Clones, modelver: Modelver) -> None:
    """With --remote a clone that lacks a colleague's version is warned: `--cloud` would take its bytes."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", "--push", cwd=ada.git)
    said = modelver("verify", "--gc", "--remote", cwd=bao.git).err
    assert "churn@v0.1.0" in said
    assert "git fetch --tags" in said


def test_imported_data_is_no_loss(dvc_repo: DvcRepo, modelver: Modelver, templates: Templates, tmp_path: Path) -> None:
    """DVC drops what `dvc import` brought whatever the line is; that is said, and the line for the rest stands."""
    other = templates.dvc(tmp_path / "other")
    dvc_repo.dvc(["import", "-q", str(other.path), "data/raw.csv", "-o", "more.csv"])
    dvc_repo.git.write("imported/dvc.yaml", "artifacts:\n  more:\n    path: ../more.csv\n    type: dataset\n")
    dvc_repo.git.commit("Import")
    modelver("release", "imported:more", cwd=dvc_repo.git)
    answer = modelver("verify", "--gc", cwd=dvc_repo.git)
    assert "more.csv is imported" in answer.err
    assert "LOSES" not in answer.out


def test_a_commit_that_is_not_here(released: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Where a version's commit is missing nothing is promised: 1, and it is named."""
    tag = released.git("cat-file", "tag", "refs/tags/churn@v0.1.0")
    absent = tag.replace(released.git.rev("churn@v0.1.0^{commit}"), "1" * 40).replace("v0.1.0", "v0.9.0")
    oid = released.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=absent + "\n")
    (released.path / ".git/refs/tags/churn@v0.9.0").write_text(oid + "\n")
    answer = modelver("verify", "--gc", cwd=released.git, code=1)
    assert "unknown: churn@v0.9.0" in answer.out
    assert "This keeps" not in answer.out


@pytest.fixture
def shared_cache(released: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A repository whose cache lies elsewhere."""
    moved = tmp_path / "shared"
    shutil.move(released.path / ".dvc" / "cache", moved)
    released.dvc(["cache", "dir", "-q", "--local", str(moved)])
    return released


def test_a_shared_cache_is_warned_of(shared_cache: DvcRepo, modelver: Modelver) -> None:
    """Other repositories may keep their objects in the same cache."""
    assert "--projects" in modelver("verify", "--gc", cwd=shared_cache.git).err


def test_a_dvc_repository_below_the_root(templates: Templates, tmp_path: Path, modelver: Modelver) -> None:
    """Each DVC repository of a monorepo has its own line, to be run inside it; it keeps that repository's versions."""
    plain = templates.plain(tmp_path)
    plain.write("team a/data.txt", "first\n")
    inside = plain.at("team a")
    store = tmp_path / "store"
    store.mkdir()
    team = DvcRepo(inside, store)
    team.dvc(["init", "-q", "--subdir"], ["remote", "add", "-q", "-d", "store", str(store)], ["add", "-q", "data.txt"])
    plain.write("team a/dvc.yaml", "artifacts:\n  data:\n    path: data.txt\n    type: data\n")
    (plain.path / "team a").rename(plain.path / "team")
    inside = plain.at("team")
    team = DvcRepo(inside, store)
    plain.commit("Data")
    modelver("release", "team:data", cwd=plain)
    plain.write("team/data.txt", "second\n")
    team.dvc(["add", "-q", "data.txt"])
    plain.commit("Other data")
    modelver("release", "team:data", cwd=plain)
    answer = modelver("verify", "--gc", "--json", cwd=plain).json
    assert answer["commands"] == ["cd team && dvc gc --all-branches --all-tags"]
    assert names(answer["lines"][0]) == {"team:data@v0.1.0"}
    team.dvc(["gc", "--all-branches", "--all-tags", "--force", "--quiet"])
    assert kept_here(plain, modelver) == {"v0.1.0", "v0.1.1"}
    team.dvc(["gc", "--workspace", "--force", "--quiet"])
    assert kept_here(plain, modelver) == {"v0.1.1"}


def kept_here(git: Git, modelver: Modelver) -> set[str]:
    """The versions whose bytes the cache has."""
    answer = modelver("verify", "--all", "--json", cwd=git, code=None).json
    return {version["version"] for version in answer["versions"] if version["ok"]}


@pytest.mark.parametrize("kind", ["lightweight", "tree", "blob"])
def test_odd_tags_beside_the_versions(released: DvcRepo, modelver: Modelver, kind: str) -> None:
    """Whatever tags there are besides, the printed line loses nothing; where dvc will not run it, a warning says so."""
    rev = {"lightweight": "HEAD", "tree": "HEAD^{tree}", "blob": "HEAD:params.yaml"}[kind]
    released.git.tag("odd", message=None if kind == "lightweight" else "odd", rev=rev)
    answer = modelver("verify", "--gc", "--json", cwd=released.git)
    (command,) = answer.json["commands"]
    if kind == "lightweight":
        run_line(released, command)
    else:
        assert "the tag odd names no commit" in answer.err
        with pytest.raises(AssertionError, match="failed with 255"):
            run_line(released, command)
    assert kept(released, modelver).here == ALL


def test_versions_that_were_seen_and_are_gone(released: DvcRepo, modelver: Modelver) -> None:
    """A version whose tag somebody deleted or moved is not kept by any line: that is said before anybody runs one."""
    modelver("list", cwd=released.git)
    assert "gone or were moved" not in modelver("verify", "--gc", cwd=released.git).err
    released.git("tag", "-d", "churn@v0.2.0")
    released.git("tag", "-f", "-a", "-m", "moved", "churn@v0.1.0", "churn@v0.3.0^{}")
    err = modelver("verify", "--gc", cwd=released.git).err
    assert "gone or were moved (churn@v0.1.0, churn@v0.2.0)" in err


def test_a_branch_whose_tip_still_names_the_bytes(released: DvcRepo, modelver: Modelver) -> None:
    """Bytes that a later commit of another branch names survive `--all-branches`, and not `--workspace`."""
    git = released.git
    git("switch", "-q", "-c", "keep", "churn@v0.2.0^{commit}")
    git.commit("Words alone", {"notes.txt": "words\n"})
    git("switch", "-q", "main")
    answer = modelver("verify", "--gc", "--json", cwd=git).json
    lost = {line["command"]: names(line) for line in answer["lines"]}
    assert "churn@v0.2.0" in lost["dvc gc --workspace"]
    assert lost["dvc gc --all-branches"] == {"churn@v0.1.0", "text:pages@v0.1.0"}
    run_line(released, "dvc gc --all-branches")
    assert kept(released, modelver).here == ALL - lost["dvc gc --all-branches"]


def test_bytes_that_only_the_remote_has(released: DvcRepo, modelver: Modelver) -> None:
    """With an empty cache nothing can be lost here, and everything in the remote; only --remote looks there."""
    shutil.rmtree(released.cache)
    here = modelver("verify", "--gc", "--json", cwd=released.git).json
    assert all(line["safe"] for line in here["lines"])
    there = modelver("verify", "--gc", "--remote", "--json", cwd=released.git).json
    lost = {line["command"]: line["loses"] for line in there["lines"]}
    assert lost["dvc gc --workspace"] == []
    assert {loss["places"][0] for loss in lost["dvc gc --workspace --cloud"]} == {"remote store"}


@pytest.mark.parametrize("rules", [".dvcignore", ".gitignore", "models/.dvcignore"])
def test_what_dvc_does_not_look_at_in_the_work_tree(
    dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path, rules: str
) -> None:
    """A `.dvc` file that the work tree's ignore files hide keeps nothing: no line counts on it."""
    git = dvc_repo.git
    git.write("models/old.bin", "old\n")
    dvc_repo.dvc(["add", "-q", "models/old.bin"])
    git.write("models/dvc.yaml", "artifacts:\n  old:\n    path: old.bin\n    type: model\n")
    git.commit("Old")
    modelver("release", "models:old", "--stage", "prod", cwd=git)
    before = (git.path / rules).read_text() if (git.path / rules).exists() else ""
    git.write(rules, before + ("*.dvc\n" if rules.startswith("models/") else "/models/*.dvc\n"))
    git.commit("Nobody shall look there any more")
    answer = modelver("verify", "--gc", "--keep", "staged", "--json", cwd=git).json
    assert names(answer["lines"][0]) == {"models:old@v0.1.0"}
    assert "--workspace" not in answer["commands"][0]
    run_line(dvc_repo, answer["commands"][0])
    assert kept_here(git, modelver) == {"v0.1.0"}
    run_line(dvc_repo, "dvc gc --workspace")
    assert kept_here(git, modelver) == set()


def test_a_dvc_repository_that_lay_elsewhere(templates: Templates, tmp_path: Path, modelver: Modelver) -> None:
    """DVC passes over commits where its repository lies elsewhere: no line is said to keep such versions."""
    plain = templates.plain(tmp_path)
    store = tmp_path / "store"
    store.mkdir()
    plain.write("team/data.txt", "first\n")
    team = DvcRepo(plain.at("team"), store)
    team.dvc(["init", "-q", "--subdir"], ["cache", "dir", "-q", str(tmp_path / "shared")], ["add", "-q", "data.txt"])
    plain.write("team/dvc.yaml", "artifacts:\n  data:\n    path: data.txt\n    type: data\n")
    plain.commit("Data")
    modelver("release", "team:data", cwd=plain)
    plain("mv", "team", "squad")
    plain.write("squad/data.txt", "second\n")
    squad = DvcRepo(plain.at("squad"), store)
    squad.dvc(["add", "-q", "data.txt"])
    plain.commit("The team is a squad")
    answer = modelver("verify", "--gc", "--json", cwd=plain, code=1)
    assert [(one["name"], one["version"]) for one in answer.json["unknown"]] == [("team:data", "v0.1.0")]
    assert "no DVC repository in team" in answer.json["unknown"][0]["problem"]
    assert "This keeps" not in modelver("verify", "--gc", cwd=plain, code=1).out
    first = next((tmp_path / "shared").rglob("260e9ae827821beceeed4104f0ad89"), None)
    assert first is not None
    squad.dvc(["gc", "--all-branches", "--all-tags", "--force", "--quiet"])
    assert not first.exists()
