"""Where the files that are not code lie: `templates/` of the checkout, or its copy in the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def template_path(*parts: str) -> Path:
    """Return the path of a template, for example `template_path("cards", "default.md")`.

    Args:
        parts: the path's parts below `templates/`; none gives the folder itself.

    Raises:
        FileNotFoundError: no such template was installed.
    """
    # The wheel's copy exists only there, so a checkout (also an editable install) never reads a stale one.
    bundled = _PACKAGE / "_templates"
    root = bundled if bundled.is_dir() else _PACKAGE.parent / "templates"
    path = root.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"no such template: {'/'.join(parts) or root}")
    return path
