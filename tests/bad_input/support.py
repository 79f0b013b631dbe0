"""What the tests of bad input share: a repository with two versions, and the one way to check a refusal."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.support import DvcRepo, Git, Modelver, Result, Templates, snapshot

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_LINE = re.compile(r"(error|hint|note|warning): \S")


def refused(modelver: Modelver, repo: Git, *args: str, code: int, env: dict[str, str] | None = None) -> Result:
    """Run a command that must fail with `code`, say so in two lines, and change nothing."""
    before = snapshot(repo)
    result = modelver(*args, cwd=repo, env=env, code=code)
    well_said(result)
    assert snapshot(repo) == before, f"something changed: {result}"
    return result


def well_said(result: Result) -> Result:
    """One `error:` line, one `hint:` line, nothing that is neither, and nothing hidden in any of them."""
    lines = result.err.splitlines()
    assert [line[:6] for line in lines if line.startswith(("error:", "hint:"))] == ["error:", "hint: "], result
    assert all(_LINE.match(line) for line in lines), result
    assert "Traceback" not in result.err + result.out, result
    assert not _HIDDEN.search(result.err), result
    return result


def build_released(templates: Templates, modelver: Modelver, dest: Path) -> DvcRepo:
    """A repository with churn@v0.1.0 (in `prod`) and churn@v0.2.0 at HEAD, published nowhere."""
    repo = templates.dvc(dest)
    for command in (("release", "churn"), ("promote", "churn@v0.1.0", "prod")):
        modelver(*command, cwd=repo.git)
    repo.fake_train(7)
    modelver("release", "churn", "--bump", "minor", cwd=repo.git)
    return repo


def copy_repo(template: DvcRepo, dest: Path) -> DvcRepo:
    """A fresh copy of a built repository with its DVC remote, at `dest`/repo."""
    shutil.copytree(template.path.parent, dest, symlinks=True, dirs_exist_ok=True)
    git = Git(dest / "repo", template.git.home)
    git.clock.tick(36_000)  # after all that the template did
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, dest / "store")


def alter(place: Path) -> bytes:
    """Flip a bit of an object, leaving it as read-only as DVC does; the bytes that are there now."""
    place.chmod(0o644)
    data = place.read_bytes()
    place.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    place.chmod(0o444)
    return place.read_bytes()


def model_digest(repo: DvcRepo) -> str:
    """The MD5 by which HEAD's dvc.lock names the model."""
    lock = (repo.path / "dvc.lock").read_text()
    found = re.search(rf"- path: {repo.MODEL}\n      hash: md5\n      md5: '?([0-9a-f]+)", lock)
    assert found is not None, lock
    return found[1]


def uncached(repo: DvcRepo) -> None:
    """Let the pipeline keep the model out of DVC's cache."""
    out = "    - models/churn.bin"
    edit(repo.path / "dvc.yaml", f"{out}\n  evaluate", f"{out}:\n        cache: false\n  evaluate")


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that must be there."""
    text = path.read_text()
    assert old in text, text
    path.write_text(text.replace(old, new))
