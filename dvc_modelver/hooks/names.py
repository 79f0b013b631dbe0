"""Which files may be models, by their names alone."""

from __future__ import annotations

TEXT_SUFFIXES = (
    *(".py", ".pyi", ".ipynb", ".r", ".sh", ".sql", ".c", ".h", ".cpp", ".rs", ".go", ".js", ".ts", ".java"),
    *(".md", ".rst", ".txt", ".tex", ".html", ".htm", ".css", ".xml", ".svg", ".csv", ".tsv", ".log"),
    *(".yaml", ".yml", ".json", ".jsonl", ".toml", ".ini", ".cfg", ".conf", ".lock", ".dvc", ".properties"),
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".pdf", ".ttf", ".woff", ".woff2", ".parquet", ".arrow"),
    *(".gitignore", ".gitattributes", ".gitmodules", ".dvcignore", ".gitkeep"),
)
"""Endings of files that no library loads as code, so a commit of such files alone is not looked into."""


def may_be_model(name: str) -> bool:
    """Whether a file of this name is worth a look into its bytes."""
    return not name.lower().endswith(TEXT_SUFFIXES)
