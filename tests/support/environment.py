"""An environment in which nothing of this machine's user, Git, DVC or CI is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# What a developer's shell, a Git hook or a CI server sets, and the code under test would obey.
_FOREIGN = ("GIT_", "DVC_", "MODELVER_", "GTO_", "XDG_", "GITHUB_", "GITLAB_", "GPG_", "SSH_", "PYTEST_XDIST")
_FOREIGN_NAMES = frozenset({"CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "EDITOR", "VISUAL", "PAGER"})

_GITCONFIG = """\
[init]
	defaultBranch = main
[user]
	name = Ada Byron
	email = ada@example.com
[gc]
	auto = 0
[maintenance]
	auto = false
[advice]
	detachedHead = false
"""


def prepare_home(home: Path) -> Path:
    """Write the empty home directory that `isolated_env` points to; doing it again changes nothing."""
    (home / "git-template" / "info").mkdir(parents=True, exist_ok=True)
    (home / "git-template" / "info" / "exclude").touch()
    (home / "git-template" / "hooks").mkdir(exist_ok=True)
    config = home / ".gitconfig"
    if not config.exists():
        config.write_text(_GITCONFIG)
    return home


def isolated_env(home: Path, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return a whole environment for child processes whose only home is `home`.

    `python` on PATH is the interpreter that runs the tests, so pipelines can say `python`.
    """
    env = {k: v for k, v in base.items() if not k.startswith(_FOREIGN) and k not in _FOREIGN_NAMES}
    scripts = str(Path(sys.executable).parent)
    path = [part for part in env.get("PATH", os.defpath).split(os.pathsep) if part != scripts]
    root = str(Path(__file__).resolve().parents[2])
    pythonpath = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part not in ("", root)]
    return env | {
        "HOME": str(home),
        "PATH": os.pathsep.join([scripts, *path]),
        # A child process tests the same code as this one: the checkout, not what was installed some time ago.
        "PYTHONPATH": os.pathsep.join([root, *pythonpath]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_TEMPLATE_DIR": str(home / "git-template"),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file",
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc-global"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "dvc-system"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc-site-cache"),
    }
