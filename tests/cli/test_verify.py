"""What `modelver verify` prints: a line a version, the faults below it with what to do, and JSON of its shape."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.shapes import GC, VERIFY, faults
from tests.support import Clock, DvcRepo, Git, Modelver, Templates


@pytest.fixture(scope="module")
def template(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> DvcRepo:
    """Two versions; the first is in prod, and its bytes are altered in the cache."""
    repo = templates.dvc(tmp_path_factory.mktemp("verify"))
    modelver("release", "churn", "--stage", "prod", cwd=repo.git)
    digest = repo.git("cat-file", "tag", "churn@v0.1.0").partition("md5:")[2].split()[0]
    repo.fake_train(9)
    modelver("release", "churn", cwd=repo.git)
    place = repo.object_path(digest)
    place.chmod(0o644)
    place.write_bytes(b"x" + place.read_bytes()[1:])
    return repo


@pytest.fixture
def repo(template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A copy of it."""
    shutil.copytree(template.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(tmp_path / template.path.name, template.git.home, Clock(template.git.clock.seconds))
    return DvcRepo(git, tmp_path / template.store.name)


def test_text(repo: DvcRepo, modelver: Modelver) -> None:
    """A line for each version; under a bad one each failed check, then what to do; the count last."""
    lines = modelver("verify", cwd=repo.git, code=1).out.splitlines()
    assert lines[0] == "ok      churn@v0.2.0"
    assert lines[1] == "FAILED  churn@v0.1.0  (prod)"
    assert lines[2].startswith("    cache: altered in the DVC cache: models/churn.bin (altered, md5 ")
    assert lines[3].startswith("        rm -f /")
    assert lines[4:] == ["1 of 2 versions failed."]


def test_text_when_all_is_well(repo: DvcRepo, modelver: Modelver) -> None:
    """Nothing but the versions and the count, and 0."""
    assert modelver("verify", "churn@v0.2.0", cwd=repo.git).out == "ok      churn@v0.2.0\n1 version verified.\n"


def test_json(repo: DvcRepo, modelver: Modelver) -> None:
    """The contract's shape, whether all is well or not, and the same bytes each time."""
    for words, code in (((), 1), (("churn@v0.2.0",), 0), (("--all", "--remote", "--signed"), 1)):
        first = modelver("verify", *words, "--json", cwd=repo.git, code=code)
        assert faults(first.json, VERIFY) == []
        assert first.json["ok"] == (code == 0)
        assert modelver("verify", *words, "--json", cwd=repo.git, code=code).out == first.out
        for version in first.json["versions"]:
            assert version["ok"] == all(check["ok"] for check in version["checks"])
            assert all(check["remedy"] for check in version["checks"] if not check["ok"])


def test_gc(repo: DvcRepo, modelver: Modelver) -> None:
    """`--gc` names what each usual line takes, prints the one that keeps all, and has JSON of its shape."""
    text = modelver("verify", "--gc", cwd=repo.git).out
    assert "LOSES   dvc gc --workspace  (bytes of 1 version, 11 B)\n    churn@v0.1.0: 1 object in the cache\n" in text
    assert text.endswith("This keeps every version:\n    dvc gc --all-branches --all-tags\n")
    answer = modelver("verify", "--gc", "--remote", "--json", cwd=repo.git).json
    assert faults(answer, GC) == []
    lost = next(one for one in answer["lines"] if one["command"] == "dvc gc --workspace --cloud")
    assert lost["loses"][0]["places"] == ["cache", "remote store"]


@pytest.mark.parametrize(
    "words",
    [
        ("churn", "--gc"),
        ("--gc", "--all"),
        ("--gc", "--signed"),
        ("--gc", "--force"),
        ("--gc", "--jobs", "2"),
        ("--keep", "all"),
        ("--jobs", "0"),
        ("churn", "--all"),
    ],
)
def test_words_that_do_not_go_together(repo: DvcRepo, modelver: Modelver, words: tuple[str, ...]) -> None:
    """Options that mean nothing together are refused rather than ignored."""
    modelver("verify", *words, cwd=repo.git, code=2)


def test_outside_a_repository(tmp_path: Path, modelver: Modelver) -> None:
    """Without a repository there is nothing to verify: 6."""
    modelver("verify", cwd=tmp_path, code=6)


def test_without_dvc(repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """On a machine without DVC all is verified, also a remote that is a directory; any other cannot be asked."""
    (tmp_path / "nodvc" / "dvc").mkdir(parents=True)
    (tmp_path / "nodvc" / "dvc" / "__init__.py").write_text("raise ImportError('no dvc here')\n")
    root = Path(__file__).resolve().parents[2]
    env = {"PYTHONPATH": f"{tmp_path / 'nodvc'}:{root}"}
    modelver.process("verify", "churn@v0.2.0", "--remote", cwd=repo.git, env=env)
    config = repo.path / ".dvc" / "config"
    config.write_text("[core]\n    remote = far\n['remote \"far\"']\n    url = s3://bucket/path\n")
    answer = modelver.process("verify", "churn@v0.2.0", "--remote", "--json", cwd=repo.git, env=env, code=1)
    (failed,) = [check for check in answer.json["versions"][0]["checks"] if not check["ok"]]
    assert failed["check"] == "remote"
    assert "dvc[s3]" in failed["remedy"]
