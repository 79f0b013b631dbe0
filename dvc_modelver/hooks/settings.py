"""What the repository's configuration says of hooks, read without the rest of the program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dvc_modelver.core.config import Config, HookSettings, parse_config
from dvc_modelver.errors import BadInput


def read_hook_settings(root: Path | None, env: Mapping[str, str]) -> HookSettings:
    """`hooks:` of `.modelver.yaml`, else of `[tool.modelver]`; the defaults where neither speaks of hooks.

    Files without the word are not parsed: reading YAML would be half of a hook's time.  Raises `BadInput`.
    """
    own, shared = (_read(root / name) if root is not None else b"" for name in (".modelver.yaml", "pyproject.toml"))
    if b"hooks" in own:
        from dvc_modelver.dvcio.yaml12 import load_yaml

        return _hooks(load_yaml(own, name=".modelver.yaml"), env, ".modelver.yaml")
    if b"modelver" in shared and b"hooks" in shared:
        from dvc_modelver.dvcio.values import read_values

        values = read_values(shared, path="pyproject.toml")
        tool = values.get("tool") if isinstance(values, Mapping) else None
        section = tool.get("modelver") if isinstance(tool, Mapping) else None
        return _hooks(section, env, "pyproject.toml [tool.modelver]")
    return HookSettings()


def _hooks(settings: object, env: Mapping[str, str], where: str) -> HookSettings:
    known: Config = parse_config(settings, env, where)
    return known.hooks


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadInput(f"cannot read {path.name}: {error.strerror}") from error
