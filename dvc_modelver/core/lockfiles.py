"""The names of files that pin packages."""

LOCK_FILES = (
    *("uv.lock", "poetry.lock", "pdm.lock", "pixi.lock", "Pipfile.lock", "pylock.toml", "conda-lock.yml"),
    *("requirements.lock", "requirements.txt", "environment.yml"),
)
"""The most exact first."""
