"""pre-push through real git: what leaves a clone, and what does not."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.records import Record
from dvc_modelver.core.tags import parse_tag_name
from dvc_modelver.gitio.objects import Objects
from dvc_modelver.gitio.process import GitProcess, scrubbed
from dvc_modelver.hooks.pushed import PushedTag, parse_rows
from dvc_modelver.hooks.soundtags import PushedTags
from tests.support import Clock, Clones, DvcRepo, Git, Modelver, Templates

ZERO = "0" * 40


@pytest.fixture(scope="module")
def built(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> Clones:
    """Built once, for `clones` to copy: the hooks installed, one version released, the branch pushed."""
    clones = templates.clones(tmp_path_factory.mktemp("built"))
    modelver("hooks", "install", cwd=clones.ada.git)
    modelver("release", "churn", "--no-card", cwd=clones.ada.git)
    clones.ada.git("push", "-q", "origin", "main")
    return clones


@pytest.fixture
def hub(built: Clones, tmp_path: Path) -> Git:
    """The bare repository that `ada` pushes to."""
    shutil.copytree(built.hub.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Git(tmp_path / built.hub.path.name, built.hub.home)


@pytest.fixture
def ada(built: Clones, hub: Git) -> DvcRepo:
    """Ada's clone with the hooks installed and one released version, its branch pushed."""
    top, old = hub.path.parent, built.hub.path.parent
    config = top / "ada" / ".git" / "config"
    config.write_text(config.read_text().replace(str(old), str(top)))
    git = Git(top / "ada", hub.home, Clock(built.ada.git.clock.seconds))
    return DvcRepo(git, top / built.ada.store.name)


def push(repo: Git, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """`git push`, its exit code and what was said."""
    done = repo.run("push", *words, check=False, env=env)
    return done.returncode, done.stderr.decode()


def refused(repo: Git, *words: str) -> str:
    """A push that the hook stops: the remote's refs are as before; what was said."""
    before = repo("ls-remote", "origin")
    code, said = push(repo, *words)
    assert code != 0, said
    assert "error: modelver refuses this push" in said
    assert repo("ls-remote", "origin") == before
    return said


def test_a_sound_version_goes_out(ada: DvcRepo, hub: Git) -> None:
    """A version whose record, commit and bytes are right is pushed without a word of ours."""
    code, said = push(ada.git, "origin", "churn@v0.1.0")
    assert (code, "modelver" in said) == (0, False)
    assert hub.tags() == ["churn@v0.1.0"]


def test_a_release_with_push_passes_its_own_hook(ada: DvcRepo, hub: Git, modelver: Modelver) -> None:
    """`release --push` pushes an object that no ref names yet, and the hook finds it sound."""
    ada.fake_train(9, push=False)
    modelver("release", "churn", "--stage", "prod", "--push", cwd=ada.git)
    assert set(hub.tags()) == {"churn@v0.2.0", "churn#prod#1"}


def test_a_lightweight_tag(ada: DvcRepo) -> None:
    """A lightweight tag of a model's version is refused, and what to do is said."""
    ada.git.tag("churn@v3.0.0", message=None)
    said = refused(ada.git, "origin", "churn@v3.0.0")
    assert "churn@v3.0.0: it is a lightweight tag" in said
    assert "git tag -d -- 'churn@v3.0.0'" in said


def test_malformed_names(ada: DvcRepo) -> None:
    """Tags that were meant as versions of a model that is declared, and are none, are refused."""
    names = ["churn@v1", "churn@1.0.0", "churn@v01.0.0", "churn#prod#x"]
    for name in names:
        ada.git.tag(name)
    said = refused(ada.git, "origin", *names)
    assert all(f"  {name}: that is no name of a version or a stage" in said for name in names)


def test_tags_of_other_tools_pass(ada: DvcRepo) -> None:
    """Tags that speak of no declared artifact are somebody else's, whatever they look like; deleting them too."""
    names = ["package@1.2.3", "package@v1.2.3", "issue#12", "v1.0.0", "release-1"]
    for name in names:
        ada.git.tag(name)
        ada.git.tag(f"{name}0", message=None)
    every = [f"refs/tags/{name}{end}" for name in names for end in ("", "0")]
    assert push(ada.git, "origin", *every)[0] == 0
    ada.git("tag", "-f", names[1], "HEAD~1")
    assert push(ada.git, "--force", "origin", names[1])[0] == 0
    assert push(ada.git, "origin", *(f":{name}" for name in every))[0] == 0


def test_another_inner_name(ada: DvcRepo) -> None:
    """A good tag object under another version's name is refused."""
    ada.git("update-ref", "refs/tags/churn@v0.9.0", ada.git.rev("refs/tags/churn@v0.1.0"))
    assert "the tag object was made as churn@v0.1.0" in refused(ada.git, "origin", "refs/tags/churn@v0.9.0")


RECORDS = [
    ("Model: churn", "Model: other", "its record is of other"),
    ("Version: v0.1.0", "Version: v0.3.0", "its record is of version v0.3.0, not"),
    ("Event: release", "Event: retire", "its record is of event retire, not release"),
    ("Digest: md5:.{4}", "Digest: md5:ffff", "its record says md5:ffff"),
    ("Blob: .{4}", "Blob: ffff", "should be ffff"),
    ("(Blob: .*)", r"\1\nModelver-Card: " + "1" * 40 + " model_cards/churn.md", "its card is not as its record says"),
    ("Modelver-Event: release\n", "", "its record cannot be read"),
]
"""What to change in a sound record, and what is then said."""


def test_records_that_disagree(ada: DvcRepo) -> None:
    """A record of another model, version, event, bytes, files or card than its commit's is refused."""
    message = ada.git("for-each-ref", "--format=%(contents)", "refs/tags/churn@v0.1.0")
    names = [f"churn@v4.{number}.0" for number in range(len(RECORDS))]
    for name, (old, new, _) in zip(names, RECORDS, strict=True):
        assert re.search(old, message)
        text = re.sub(old, new, message, count=1).replace("Version: v0.1.0", f"Version: {name[6:]}")
        ada.git.tag(name, text)
    said = refused(ada.git, "origin", *names)
    for name, (_, _, words) in zip(names, RECORDS, strict=True):
        assert re.search(rf"^  {re.escape(name)}: .*{re.escape(words)}", said, re.MULTILINE), said
    sound = message.replace("Version: v0.1.0", "Version: v4.9.0")
    ada.git.tag("churn@v4.9.0", sound)
    assert push(ada.git, "origin", "churn@v4.9.0")[0] == 0


def test_moved_and_deleted(ada: DvcRepo, modelver: Modelver) -> None:
    """A published version or stage is neither moved nor deleted, and what to do instead is said."""
    modelver("promote", "churn", "prod", cwd=ada.git)
    assert push(ada.git, "origin", "churn@v0.1.0", "churn#prod#1")[0] == 0
    said = refused(ada.git, "origin", ":refs/tags/churn@v0.1.0", ":refs/tags/churn#prod#1")
    assert "modelver withdraw churn@v0.1.0 -m WHY" in said
    assert "modelver withdraw churn#prod " in said
    ada.git("tag", "-f", "-a", "-m", "moved", "churn@v0.1.0", "HEAD~1")
    assert "it would be moved: origin has it as" in refused(ada.git, "--force", "origin", "churn@v0.1.0")


def test_exit_codes(ada: DvcRepo, modelver: Modelver) -> None:
    """The hook itself ends with 3 for a refusal and 5 for bytes that are missing."""
    oid = ada.git.rev("refs/tags/churn@v0.1.0")

    def ends(rows: str) -> int:
        script = ada.path / ".git/hooks/pre-push"
        done = subprocess.run(
            [script, "origin", "url"], cwd=ada.path, env=ada.git.env, input=rows.encode(), capture_output=True
        )
        return done.returncode

    assert ends(f"(delete) {ZERO} refs/tags/churn@v0.1.0 {oid}\n") == 3
    assert ends(f"refs/tags/churn@v0.1.0 {oid} refs/tags/churn@v0.1.0 {ZERO}\n") == 0
    shutil.rmtree(ada.store / "files")
    assert ends(f"refs/tags/churn@v0.1.0 {oid} refs/tags/churn@v0.1.0 {ZERO}\n") == 5
    assert ends("") == 0


def test_branches_are_not_our_business(ada: DvcRepo) -> None:
    """Branches are pushed, forced and deleted as ever, and Python is not even started for them."""
    script = ada.path / ".git/hooks/pre-push"
    script.write_text(re.sub("^python=.*$", "python=/bin/false", script.read_text(), flags=re.MULTILINE))
    ada.git.commit("More")
    for words in (["main"], ["main:side"], ["--force", "HEAD~2:side"], [":side"]):
        assert push(ada.git, "origin", *words)[0] == 0
    assert push(ada.git, "origin", "churn@v0.1.0")[0] != 0


def test_missing_bytes(ada: DvcRepo, modelver: Modelver) -> None:
    """A version whose bytes the DVC remote lacks stays here, until they are there."""
    ada.fake_train(9, push=False)
    modelver("release", "churn", "--no-card", cwd=ada.git)
    said = refused(ada.git, "origin", "churn@v0.2.0")
    assert "churn@v0.2.0: models/churn.bin is not in the DVC remote store; dvc push" in said
    ada.dvc(["push", "-q"])
    assert push(ada.git, "origin", "churn@v0.2.0")[0] == 0


def test_half_a_copy_is_missing(ada: DvcRepo) -> None:
    """An object of another size than ours in the remote counts as missing."""
    for place in (ada.store / "files").rglob("*"):
        if place.is_file():
            place.chmod(0o644)
            place.write_bytes(b"")
    assert "is not in the DVC remote" in refused(ada.git, "origin", "churn@v0.1.0")


def test_hooks_push_uploads(ada: DvcRepo, modelver: Modelver) -> None:
    """With `hooks.push: true` the bytes are uploaded first, and the version goes out."""
    ada.git.commit("Upload", {".modelver.yaml": "hooks: {push: true}\n"})
    ada.fake_train(9, push=False)
    modelver("release", "churn", "--no-card", cwd=ada.git)
    code, said = push(ada.git, "origin", "churn@v0.2.0")
    assert (code, "modelver: uploaded models/churn.bin to the DVC remote" in said) == (0, True)
    shutil.rmtree(ada.store / "files")
    shutil.rmtree(ada.path / ".dvc/cache")
    ada.git("push", "-q", "--no-verify", "origin", "main")
    ada.git.tag("churn@v9.0.0", rev="HEAD")
    assert "missing from the DVC cache" in refused(ada.git, "origin", "churn@v9.0.0")


def test_the_dvc_remote_cannot_be_reached(ada: DvcRepo) -> None:
    """A DVC remote that does not answer, or is not configured, refuses the push and says what to check."""
    config = ada.path / ".dvc/config"
    plain = config.read_text()
    config.write_text(plain.replace("../store", "../unmounted"))
    assert "the DVC remote store has no directory" in refused(ada.git, "origin", "churn@v0.1.0")
    config.write_text(plain.replace("../store", "http://127.0.0.1:9/none"))
    assert "DVC remote" in refused(ada.git, "origin", "churn@v0.1.0")
    config.write_text("")
    assert "no default DVC remote is configured; dvc remote add" in refused(ada.git, "origin", "churn@v0.1.0")


def test_every_problem_is_named(ada: DvcRepo, modelver: Modelver) -> None:
    """Several bad tags in one push have a line each, and nothing of the push lands."""
    ada.fake_train(9, push=False)
    modelver("release", "churn", "--no-card", cwd=ada.git)
    ada.git.tag("churn@v5.0.0", message=None)
    ada.git.tag("churn@v5")
    said = refused(ada.git, "origin", "main", "--tags")
    assert "3 of its tags" in said
    for line in ("churn@v0.2.0: models/churn.bin is not in", "churn@v5.0.0: it is a light", "churn@v5: that is no"):
        assert f"\n  {line}" in said


def test_a_tag_that_gto_made(ada: DvcRepo) -> None:
    """A version without a record has its bytes from its commit: it passes when they are in the remote."""
    ada.git.tag("churn@v4.0.0")
    ada.git.tag("churn#dev#1")
    assert push(ada.git, "origin", "churn@v4.0.0", "churn#dev#1")[0] == 0


def test_from_a_linked_worktree_and_a_directory(ada: DvcRepo, tmp_path: Path) -> None:
    """In a linked worktree git exports GIT_DIR; the hook still finds the right repository and its DVC remote."""
    ada.git("worktree", "add", "-q", "--detach", tmp_path / "deep" / "side")
    side = ada.git.at(tmp_path / "deep" / "side")
    (side.path / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {ada.store}\n")
    side.tag("churn@v6.0.0", message=None)
    assert "lightweight" in refused(side, "origin", "churn@v6.0.0")
    assert push(side.at("src"), "origin", "churn@v0.1.0")[0] == 0


def test_the_interpreter_is_gone(ada: DvcRepo) -> None:
    """A guard that cannot look refuses tags, and says how to go on; branches still go."""
    script = ada.path / ".git/hooks/pre-push"
    script.write_text(re.sub("^python=.*$", "python=/nowhere/python", script.read_text(), flags=re.MULTILINE))
    code, said = push(ada.git, "origin", "churn@v0.1.0")
    assert code != 0
    assert "there is no modelver in /nowhere/python" in said
    assert "modelver hooks install" in said
    assert "git push --no-verify" in said
    assert push(ada.git, "origin", "HEAD:refs/heads/side")[0] == 0


def test_the_interpreter_does_not_start(ada: DvcRepo, tmp_path: Path) -> None:
    """One that is there and cannot be started, as after an upgrade of the system, is told as one that is gone."""
    python = tmp_path / "python"
    python.write_text("#!/nowhere/python3.9\n")
    python.chmod(0o755)
    script = ada.path / ".git/hooks/pre-push"
    script.write_text(re.sub("^python=.*$", f"python={python}", script.read_text(), flags=re.MULTILINE))
    code, said = push(ada.git, "origin", "churn@v0.1.0")
    assert (code != 0, f"there is no modelver in {python}" in said) == (True, True)


def test_a_library_is_gone(ada: DvcRepo, tmp_path: Path) -> None:
    """When what modelver needs was taken from its environment, that is said, and where; no word of a bug."""
    (tmp_path / "yaml.py").write_text("raise ModuleNotFoundError(\"No module named 'yaml'\")\n")
    code, said = push(ada.git, "origin", "churn@v0.1.0", env={"PYTHONPATH": f"{tmp_path}:{ada.git.env['PYTHONPATH']}"})
    assert code != 0
    assert "error: this modelver is not whole: No module named 'yaml'" in said
    assert f"install it anew in {sys.prefix}" in said


def test_a_branch_without_dvc(ada: DvcRepo) -> None:
    """From a branch that has no `.dvc`, such as one of pages, nobody is told to configure a remote anew."""
    ada.git("checkout", "-q", "--orphan", "pages")
    ada.git("rm", "-q", "-r", "-f", ".")
    shutil.rmtree(ada.path / ".dvc")
    ada.git.commit("Pages", {"index.html": "x"})
    said = refused(ada.git, "origin", "churn@v0.1.0")
    assert "no .dvc is checked out to name the DVC remote; push from a branch" in said


def test_the_package_is_gone(ada: DvcRepo, tmp_path: Path) -> None:
    """An interpreter without modelver refuses with the same words, without a traceback."""
    (tmp_path / "empty" / "dvc_modelver").mkdir(parents=True)
    (tmp_path / "empty" / "dvc_modelver" / "__init__.py").write_text("")
    env = {"PYTHONPATH": str(tmp_path / "empty")}
    code, said = push(ada.git, "origin", "churn@v0.1.0", env=env)
    assert (code != 0, "there is no modelver in" in said, "Traceback" in said) == (True, True, False)


def test_a_repository_cannot_lend_us_its_code(ada: DvcRepo, tmp_path: Path) -> None:
    """A `dvc_modelver` or `json.py` at the root of a repository is not run by its hooks."""
    canary = tmp_path / "canary"
    evil = f"open({str(canary)!r}, 'w').write('x')\n"
    ada.git.commit("Evil", {"dvc_modelver/__init__.py": evil, "json.py": evil, "yaml.py": evil, "gc.py": evil})
    ada.git.tag("churn@v7.0.0")
    assert push(ada.git, "origin", "churn@v7.0.0")[0] == 0
    assert not canary.exists()


def test_names_are_made_safe(ada: DvcRepo) -> None:
    """A terminal escape in a path of the commit is shown as text."""
    lock = (ada.path / "dvc.yaml").read_text().replace("models/churn.bin\n    type", '"models/\\e[31m.bin"\n    type')
    ada.git.commit("Hostile", {"dvc.yaml": lock})
    ada.git.tag("churn@v8.0.0")
    code, said = push(ada.git, "origin", "churn@v8.0.0")
    assert "\x1b[31m" not in said, code


def test_no_heavy_library(ada: DvcRepo) -> None:
    """pre-push on a version loads neither DVC nor pandas, scikit-learn, numpy or typer."""
    script = (
        "import sys, os\n"
        "from dvc_modelver.hooks.main import main\n"
        "code = main(['pre-push', 'origin', 'url'])\n"
        "print(code, sorted({'dvc', 'git', 'pandas', 'sklearn', 'numpy', 'typer', 'rich'} & set(sys.modules)))\n"
    )
    oid = ada.git.rev("refs/tags/churn@v0.1.0")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ada.path,
        env=ada.git.env,
        input=f"refs/tags/churn@v0.1.0 {oid} refs/tags/churn@v0.1.0 {ZERO}\n".encode(),
        capture_output=True,
    )
    assert done.stdout.decode() == "0 []\n", done.stderr.decode()


def pushed_tags(repo: Git, objects: Objects) -> tuple[PushedTags, list[PushedTag]]:
    """All tags of ours, as git names them in a push to a remote that has none."""
    listed = repo("for-each-ref", f"--format=%(refname) %(objectname) %(refname) {ZERO}", "refs/tags")
    rows = list(parse_rows(f"{listed}\n".encode()))
    return PushedTags(GitProcess(repo.path, scrubbed(repo.env)), objects, rows), rows


def test_tags_of_the_same_files_are_looked_at_together(ada: DvcRepo) -> None:
    """However the tags are named, each pair of `dvc.yaml` and `dvc.lock` comes once: what is parsed is kept so long."""
    text = (ada.path / "dvc.yaml").read_text()
    for number in range(6):
        ada.git.commit(f"Step {number}", {"dvc.yaml": f"{text}# {number % 2}\n", "notes.md": f"{number}\n"})
        ada.git.tag(f"churn@v1.{number}.0")
    with Objects(GitProcess(ada.path, scrubbed(ada.git.env))) as objects:
        tags, rows = pushed_tags(ada.git, objects)
        together = tags.grouped(rows)
    files = [ada.git.rev(f"{row.ref}^{{}}:dvc.yaml") for row in together]
    assert len([file for file, _ in itertools.groupby(files)]) == len(set(files)) == 3
    assert sorted(together, key=rows.index) == rows


def test_an_artifact_that_only_records_name(ada: DvcRepo) -> None:
    """Of two versions whose commits do not declare them, each has the bytes of its own record's path."""
    path = "metrics.json"
    ada.git.commit("Files in Git", {path: "{}\n", "other.json": "[]\n"})
    ada.git.tag("ghost@v1.0.0")
    commit = ada.git.rev("HEAD")
    with Objects(GitProcess(ada.path, scrubbed(ada.git.env))) as objects:
        tags, _ = pushed_tags(ada.git, objects)
        found = [
            tags.facts("ghost", commit, Record(event="release", model="ghost", path=place) if place else None).path
            for place in (path, "other.json", None, path)
        ]
    assert found == [path, "other.json", None, path]


oids = st.text("0123456789abcdef", min_size=40, max_size=40)


@given(
    st.lists(st.tuples(st.sampled_from(["main", "HEAD@{1 day ago}", "(delete)"]), oids, oids)), st.binary(max_size=40)
)
def test_rows_are_read_as_git_writes_them(rows: list[tuple[str, str, str]], noise: bytes) -> None:
    """Each row of a version's tag comes back with its ids, whatever the local ref is called; noise never raises."""
    raw = "".join(f"{local} {mine} refs/tags/a@v1.{n}.0 {theirs}\n" for n, (local, mine, theirs) in enumerate(rows))
    found = list(parse_rows(raw.encode()))
    assert [(row.ref, row.oid or ZERO, row.there or ZERO) for row in found] == [
        (f"a@v1.{n}.0", mine, theirs) for n, (_, mine, theirs) in enumerate(rows)
    ]
    assert all(row.name == parse_tag_name(row.ref) for row in found)
    list(parse_rows(noise + b" refs/tags/" + noise))
