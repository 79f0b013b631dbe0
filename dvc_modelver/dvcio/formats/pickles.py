"""Pickles, bare and compressed, as scikit-learn and joblib write them: what loading would import, never the loading."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from dvc_modelver.dvcio.formats import estimators
from dvc_modelver.dvcio.formats.cursor import Cursor, FileCursor
from dvc_modelver.dvcio.formats.description import MAX_IMPORTS, ModelDescription, Status, clip
from dvc_modelver.dvcio.formats.machine import Walked
from dvc_modelver.dvcio.formats.opcodes import walk
from dvc_modelver.dvcio.formats.signs import PICKLE_STARTS, PROTO
from dvc_modelver.dvcio.formats.source import Source
from dvc_modelver.dvcio.formats.symbols import Made

_LIBRARIES = (
    *("sklearn", "xgboost", "lightgbm", "catboost", "statsmodels", "torch", "keras", "tensorflow", "spacy", "imblearn"),
    *("transformers", "prophet", "scipy", "numpy", "pandas"),
)
_NAMES = {"torch": "pytorch"}
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*\.[A-Za-z_]\w*\Z")


def describe_old_pickle(source: Source) -> ModelDescription | None:
    """What begins as a pickle without the mark of newer ones (`signs.PICKLE_STARTS`); None when it is none after all.

    A walk that fails counts as well once it has met an import: loading would have run it by then.
    """
    walked = walk(FileCursor(source))
    names = [name for name in walked.imports if _IDENTIFIER.match(name)]
    if walked.problem is not None and not names:
        return None
    return described(walked)


def describe_compressed(cursor: Cursor, compression: str) -> ModelDescription | None:
    """What is compressed, when it is a pickle; None for anything else."""
    first = cursor.peek()
    if first is None or (first != PROTO and first not in PICKLE_STARTS):
        return None
    walked = walk(cursor)
    if first != PROTO and walked.problem is not None and not walked.imports:
        return None
    found = described(walked)
    return replace(found, details={**found.details, "compression": compression})


def described(walked: Walked, form: str = "") -> ModelDescription:
    """The description that a walk amounts to."""
    root = walked.root
    estimator = isinstance(root, Made) and estimators.is_estimator(root)
    return ModelDescription(
        format=form or ("joblib" if walked.joblib else "pickle"),
        status=Status.CODE_CAPABLE,
        library=library_of(root, walked.imports),
        library_version=estimators.library_version(root) if isinstance(root, Made) else None,
        imports=imports_of(walked),
        details=estimators.details(root) if isinstance(root, Made) and estimator else _root(root),
        hyperparameters=estimators.hyperparameters(root) if isinstance(root, Made) and estimator else {},
        signature=estimators.read_signature(root) if isinstance(root, Made) else None,
        complete=walked.problem is None,
        problem=None if walked.problem is None else clip(walked.problem),
    )


def _root(root: object) -> dict[str, str | int | float | bool]:
    if isinstance(root, Made):
        return {"object": clip(root.name)}
    if isinstance(root, dict):
        return {"object": "dict", "keys": len(root)}
    return {"object": type(root).__name__} if isinstance(root, (list, tuple)) else {}


def imports_of(walked: Walked) -> tuple[str, ...]:
    """The names, sorted, at most `MAX_IMPORTS`: those of no known library first when some must go."""
    names = sorted(walked.imports, key=lambda name: (name.split(".")[0] in _LIBRARIES, name))
    return tuple(sorted(clip(name) for name in names[:MAX_IMPORTS]))


def library_of(root: object, imports: Iterable[str]) -> str | None:
    """The library of the outermost object, else the first known one that is imported."""
    own = root.name.split(".")[0] if isinstance(root, Made) else ""
    if own in _LIBRARIES:
        return _NAMES.get(own, own)
    used = {name.split(".")[0] for name in imports}
    found = next((name for name in _LIBRARIES if name in used), None)
    return _NAMES.get(found, found) if found is not None else None
