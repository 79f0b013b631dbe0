"""Reading the configuration: `.modelver.yaml`, or `[tool.modelver]` in `pyproject.toml`, then `MODELVER_*`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dvc_modelver.core.config import Config, parse_config
from dvc_modelver.errors import BadInput

CONFIG_FILE = ".modelver.yaml"


def read_config_files(root: Path | None, env: Mapping[str, str]) -> Config:
    """The configuration of the work tree at `root` (None: of a bare repository, which has no file)."""
    own = _read(root / CONFIG_FILE) if root is not None else None
    shared = _read(root / "pyproject.toml") if root is not None else None
    # Many a pyproject.toml only depends on us: what it says is known when it is parsed, and only then.
    section = _tool_section(shared) if shared is not None and b"modelver" in shared else None
    if own is not None and section is not None:
        raise BadInput(
            f"both {CONFIG_FILE} and [tool.modelver] in pyproject.toml configure modelver", hint="keep one of them"
        )
    if own is not None:
        from dvc_modelver.dvcio.yaml12 import load_yaml

        return parse_config(load_yaml(own, name=CONFIG_FILE), env, CONFIG_FILE)
    if section is not None:
        return parse_config(section, env, "pyproject.toml [tool.modelver]")
    return parse_config({}, env, "environment")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"cannot read {path.name}: {error.strerror}") from error


def _tool_section(data: bytes) -> object:
    from dvc_modelver.dvcio.values import read_values

    values = read_values(data, path="pyproject.toml")
    tool = values.get("tool") if isinstance(values, Mapping) else None
    return tool.get("modelver") if isinstance(tool, Mapping) else None
