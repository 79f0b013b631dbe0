"""The configuration's files: `.modelver.yaml`, or `[tool.modelver]` in `pyproject.toml`, then `MODELVER_*`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dvc_modelver.core.config import Config, parse_config
from dvc_modelver.errors import BadInput

CONFIG_FILE = ".modelver.yaml"
PYPROJECT = "pyproject.toml"
_SECTION = f"[tool.modelver] in {PYPROJECT}"


def read_config_files(root: Path | None, env: Mapping[str, str], *, key: str = "") -> Config:
    """The configuration of the work tree at `root` (None: of a bare repository, which has no file).

    Args and errors are those of `parse_config_files`; `BadInput` also when a file cannot be read.
    """
    own, shared = (_read(root / name) if root is not None else None for name in (CONFIG_FILE, PYPROJECT))
    return parse_config_files(own, shared, env, key=key)


def parse_config_files(own: bytes | None, shared: bytes | None, env: Mapping[str, str], *, key: str = "") -> Config:
    """The configuration that these bytes of `.modelver.yaml` and `pyproject.toml` make; None: there is no such file.

    Args:
        key: what alone is wanted of it: a file without the word is not parsed, which would be half of a hook's time.

    Raises `BadInput` when a file is broken, or when both configure modelver.
    """
    word = key.encode("ascii")
    # Many a pyproject.toml only depends on us: what it says is known when it is parsed, and only then.
    section = _section(shared) if shared is not None and b"modelver" in shared and word in shared else None
    if own is not None and section is not None:
        raise BadInput(f"both {CONFIG_FILE} and {_SECTION} configure modelver", hint="keep one of them")
    if own is not None and word in own:
        from dvc_modelver.dvcio.yaml12 import load_yaml

        return parse_config(load_yaml(own, name=CONFIG_FILE), env, CONFIG_FILE)
    return parse_config(section, env, f"{PYPROJECT} [tool.modelver]")


def _section(data: bytes) -> object:
    from dvc_modelver.dvcio.values import read_values

    values = read_values(data, path=PYPROJECT)
    tool = values.get("tool") if isinstance(values, Mapping) else None
    return tool.get("modelver") if isinstance(tool, Mapping) else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"cannot read {path.name}: {error.strerror}") from error
