"""The configuration as it is staged."""

from __future__ import annotations

from collections.abc import Mapping

from dvc_modelver.core.config import Config, parse_config
from dvc_modelver.errors import BadInput
from dvc_modelver.hooks.staged import Staged

CONFIG_FILE = ".modelver.yaml"
PYPROJECT = "pyproject.toml"


def read_config(staged: Staged, key: str) -> Config:
    """From `.modelver.yaml` or `[tool.modelver]`, then `MODELVER_*`; the defaults where neither speaks of `key`.

    Raises `BadInput` when it is broken, or when there are both.
    """
    own = staged.tree.read(CONFIG_FILE)
    shared = staged.tree.read(PYPROJECT)
    word = key.encode("ascii")
    # Reading YAML or TOML is half of a hook's time.
    section = _section(shared) if shared is not None and b"modelver" in shared and word in shared else None
    if own is not None and section is not None:
        raise BadInput(f"both {CONFIG_FILE} and {PYPROJECT} configure modelver", hint="keep one of them")
    if own is not None and word in own:
        from dvc_modelver.dvcio.yaml12 import load_yaml

        return parse_config(load_yaml(own, name=CONFIG_FILE), staged.env, CONFIG_FILE)
    return parse_config(section, staged.env, f"{PYPROJECT} [tool.modelver]")


def read_whole_config(staged: Staged) -> Config:
    """All of it, as `read_config`: what a card is held against is spread over the keys."""
    return read_config(staged, "")


def _section(data: bytes) -> object:
    from dvc_modelver.dvcio.values import read_values

    values = read_values(data, path=PYPROJECT)
    tool = values.get("tool") if isinstance(values, Mapping) else None
    return tool.get("modelver") if isinstance(tool, Mapping) else None
