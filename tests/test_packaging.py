"""What is installed is whole: the templates are found, from a wheel and from an editable install."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from dvc_modelver._version import __version__
from dvc_modelver.resources import template_path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "templates").rglob("*") if path.is_file())

# Without the libraries that it needs the package can be imported, and that takes seconds instead of minutes.
SCRIPT = """
import importlib.metadata, json, sys
from dvc_modelver import resources
root = resources.template_path()
print(json.dumps({
    "root": str(root),
    "files": sorted(  # pip compiles the demo's programs when it installs them
        "templates/" + p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc"
    ),
    "version": importlib.metadata.version("dvc-modelver"),
    "typed": (root.parent / "py.typed").exists() or (root.parent / "dvc_modelver" / "py.typed").exists(),
    "command": [e.value for e in importlib.metadata.entry_points(group="console_scripts", name="modelver")],
}))
"""


def test_template_of_the_checkout() -> None:
    """In a checkout the templates are the ones that one edits."""
    assert template_path() == ROOT / "templates"


def test_unknown_template_is_named() -> None:
    """A template that is not there is an error that says which."""
    with pytest.raises(FileNotFoundError, match=r"no such template: cards/none\.md"):
        template_path("cards", "none.md")


def test_version_is_one_that_python_packages_can_have() -> None:
    """The one place where the version stands holds a release or development version, as PEP 440 writes them."""
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|(a|b|rc)\d+)?", __version__)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to install from: builds leave files behind, and an editable install points to its source."""
    copy = tmp_path_factory.mktemp("source") / "modelver"
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist")
    shutil.copytree(ROOT, copy, ignore=ignored)
    return copy


@pytest.mark.long
def test_wheel_has_the_templates(checkout: Path, tmp_path: Path) -> None:
    """A wheel that was really built and installed carries every template, the version and the command."""
    _pip(sys.executable, "wheel", "--no-deps", "-w", tmp_path / "wheels", checkout)
    (wheel,) = (tmp_path / "wheels").glob("dvc_modelver-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith(("tests/", "templates/"))] == []
    found = _installed(tmp_path / "venv", wheel)
    assert found["files"] == TEMPLATES
    assert Path(str(found["root"])).is_relative_to(tmp_path / "venv")
    assert (found["version"], found["typed"]) == (__version__, True)
    assert found["command"] == ["dvc_modelver.__main__:start"]


@pytest.mark.long
def test_editable_install_reads_the_checkouts_templates(checkout: Path, tmp_path: Path) -> None:
    """An edited template is seen at once in an editable install: no copy of it is read."""
    found = _installed(tmp_path / "venv", "-e", checkout)
    assert (found["root"], found["files"]) == (str(checkout / "templates"), TEMPLATES)


def _installed(where: Path, *what: str | Path) -> dict[str, object]:
    """Install into a new environment and ask there, from a directory that is not the checkout."""
    venv.create(where, with_pip=True)
    python = where / "bin" / "python"
    _pip(python, "install", "--no-deps", *what)
    done = subprocess.run([python, "-c", SCRIPT], cwd=where, env=_env(), capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def _pip(python: str | Path, *args: str | Path) -> None:
    done = subprocess.run([python, "-m", "pip", "-q", *args], env=_env(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _env() -> dict[str, str]:
    """Without the checkout on the path, so that the installed package is tested; with the user's own pip settings."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return env | {"HOME": pwd.getpwuid(os.getuid()).pw_dir}
