"""`verify` of many versions: the same answers as of one at a time, with few questions to git."""

from __future__ import annotations

import zlib

import pytest

from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.verification import verify as verifying
from dvc_modelver.commands.verification.verify import Options, verify
from dvc_modelver.core.verification import Verified
from dvc_modelver.gitio.bulk import BulkObjects, commits_among
from dvc_modelver.gitio.objects import Objects
from tests.support import DvcRepo, Git, Modelver

MANY = 300


def tag_many(git: Git, name: str, commits: list[str]) -> None:
    """Annotated tags NAME@v1.N.0, on the commits in turn."""
    who = "tagger Ada Byron <ada@example.com> 1700000000 +0000"
    stream = "".join(
        f"tag {name}@v1.{n}.0\nfrom {commits[n % len(commits)]}\n{who}\ndata 2\nx\n\n" for n in range(MANY)
    )
    git("fast-import", "--quiet", input=stream)


@pytest.fixture
def many(dvc_repo: DvcRepo, modelver: Modelver) -> DvcRepo:
    """Hundreds of versions, of records and without, on a few commits."""
    modelver("release", "churn", "--stage", "prod", cwd=dvc_repo.git)
    dvc_repo.fake_train(7)
    modelver("release", "churn", cwd=dvc_repo.git)
    tag_many(dvc_repo.git, "churn", dvc_repo.git("rev-list", "-3", "HEAD").split())
    return dvc_repo


def verified(repo: DvcRepo, text: str | None = None) -> tuple[Verified, ...]:
    with Project(Surroundings(directory=repo.path, env=repo.git.env)) as project:
        return verify(project, text, Options(), every=text is None).versions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many objects each round trip to git asked for."""
    found: list[int] = []
    real = Objects._ask

    def ask(self: Objects, names: list[str]) -> object:
        found.append(len(names))
        return real(self, names)

    monkeypatch.setattr(Objects, "_ask", ask)
    return found


def test_questions_do_not_grow_with_the_versions(many: DvcRepo, asked: list[int]) -> None:
    """Far fewer round trips than versions, at the first look and when everything is remembered."""
    for _ in range(2):
        asked.clear()
        rows = verified(many)
        assert len(rows) == MANY + 2
        assert all(row.ok for row in rows), [row.failed for row in rows if not row.ok][:2]
        assert len(asked) < MANY / 5


def test_together_and_alone_say_the_same(many: DvcRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ahead finds what reading one by one finds: with faults of each kind, in any number at a time."""
    git = many.git
    blob = git("hash-object", "-w", "--stdin", input="x")
    git("update-ref", "refs/tags/churn@v7.0.0", blob)
    git("update-ref", "refs/tags/churn@v7.1.0", git.rev("refs/tags/churn@v1.4.0"))
    (git.path / ".git" / "refs/tags/churn@v7.2.0").write_text("f" * 40 + "\n")
    together = verified(many)
    assert {str(row.version) for row in together if not row.ok} >= {"v7.0.0", "v7.1.0"}
    for at_once in (1, 7):
        monkeypatch.setattr(verifying, "_TOGETHER", at_once)
        monkeypatch.setattr(verifying, "_FRESH", 20)
        assert verified(many) == together
    monkeypatch.setattr(BulkObjects, "many", lambda *args: iter(()))
    assert verified(many) == together


@pytest.mark.parametrize("what", ["refs/tags/churn@v0.2.0", "churn@v0.2.0^{commit}:dvc.lock", "churn@v0.2.0^{commit}:"])
def test_altered_objects_are_seen(many: DvcRepo, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A tag, a file or a tree whose bytes a hand has replaced in Git's database: read ahead or not, it is named."""
    git = many.git
    oid = git.rev(what)
    place = git.path / ".git" / "objects" / oid[:2] / oid[2:]
    kind = git("cat-file", "-t", oid)
    data = git.run("cat-file", kind, oid).stdout
    other = data[:-1] + b" \n" if kind != "tree" else data.replace(b"100644 ", b"100755 ", 1)
    made = zlib.compress(b"%s %d\0" % (kind.encode(), len(other)) + other)
    place.chmod(0o644)
    place.write_bytes(made)
    together = verified(many)
    wrong = {str(row.version): [check.detail for check in row.failed] for row in together if not row.ok}
    assert any("altered" in detail for detail in wrong["v0.2.0"])
    assert "v0.1.0" not in wrong
    monkeypatch.setattr(BulkObjects, "many", lambda *args: iter(()))
    assert verified(many) == together


@pytest.mark.parametrize("kind", ["commit", "tree"])
def test_hand_made_objects_cost_only_themselves(many: DvcRepo, kind: str) -> None:
    """A commit that names no tree, and a tree that is none, are faults of their version alone."""
    git = many.git
    raw = b"no tree here\n" if kind == "commit" else b"100644 name without an id"
    oid = git("hash-object", "-w", "-t", kind, "--literally", "--stdin", input=raw)
    if kind == "tree":
        who = "Ada Byron <ada@example.com> 1700000000 +0000"
        text = f"tree {oid}\nauthor {who}\ncommitter {who}\n\nx\n"
        oid = git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", input=text)
    text = f"object {oid}\ntype commit\ntag churn@v8.0.0\ntagger Ada Byron <ada@example.com> 1700000000 +0000\n\nx\n"
    git(
        "update-ref",
        "refs/tags/churn@v8.0.0",
        git("hash-object", "-w", "-t", "tag", "--literally", "--stdin", input=text),
    )
    wrong = [str(row.version) for row in verified(many) if not row.ok]
    assert wrong == ["v8.0.0"]


def test_bulk_reading(many: DvcRepo) -> None:
    """Each object once, what is missing left out, an end when there is enough; headers tell the commits."""
    git = many.git
    heads = git("rev-list", "--all").split()
    tags = [git.rev(f"refs/tags/churn@v1.{n}.0") for n in range(70)]
    with (
        Project(Surroundings(directory=many.path, env=git.env)) as project,
        BulkObjects(project.repository.git) as bulk,
    ):
        found = list(bulk.many([*tags, "0" * 40, *heads, *tags], 10**9))
        assert [oid for oid, _, _ in found] == [*dict.fromkeys(tags), *heads]
        assert {kind for _, kind, _ in found} == {"tag", "commit"}
        assert len(list(bulk.many([*tags, *heads], 1))) == 64
        assert commits_among(project.repository.git, [*tags, *heads, "0" * 40]) == heads
        assert commits_among(project.repository.git, []) == []
