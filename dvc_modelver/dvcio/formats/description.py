"""How text from a model file gets into its description (`core.descriptions`)."""

from __future__ import annotations

from collections.abc import Iterable

from dvc_modelver.core.descriptions import Feature, ModelDescription, Scalar, Signature, Status
from dvc_modelver.core.text import one_line, safe

__all__ = [
    "MAX_DETAILS",
    "MAX_FEATURES",
    "MAX_IMPORTS",
    "Feature",
    "ModelDescription",
    "Scalar",
    "Signature",
    "Status",
    "clip",
    "features",
    "listed",
    "names",
    "scalar",
    "signature",
]

MAX_TEXT = 200
"""Characters of a value or name that are kept."""
MAX_FEATURES = 2000
"""Features or classes that a signature keeps; `details` says how many there are."""
MAX_IMPORTS = 200
MAX_DETAILS = 100


def clip(value: object, limit: int = MAX_TEXT) -> str:
    """Text of a file on one line, visible and cut."""
    return one_line(str(value)[: 4 * limit], limit)


def scalar(value: object) -> Scalar | None:
    """A plain value as a detail: numbers as they are, text cut; None for what is none."""
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else "(a large number)"
    return clip(value) if isinstance(value, str) else None


def names(values: Iterable[object], limit: int = MAX_FEATURES) -> tuple[str, ...]:
    """Names of features or classes as the file has them, control characters made visible, cut."""
    kept: list[str] = []
    for value in values:
        if len(kept) == limit:
            break
        kept.append(safe(str(value)[:MAX_TEXT]) if isinstance(value, (str, int, float)) else "?")
    return tuple(kept)


def features(values: Iterable[object], types: Iterable[object] = ()) -> tuple[Feature, ...]:
    """Features by name, with the types that go with them as far as there are any."""
    known = [clip(t) if isinstance(t, str) and t else None for t in types]
    found = names(values)
    return tuple(Feature(name=name, type=known[i] if i < len(known) else None) for i, name in enumerate(found))


def signature(
    inputs: tuple[Feature, ...] = (), outputs: tuple[Feature, ...] = (), classes: tuple[str, ...] = (), source: str = ""
) -> Signature | None:
    """The signature, None when nothing is known."""
    if not (inputs or outputs or classes):
        return None
    return Signature(inputs=inputs, outputs=outputs, classes=classes, source=source or "model")


def listed(words: Iterable[str], limit: int = 12) -> str:
    """Words in a detail: the first ones, and how many more."""
    all_words = list(words)
    more = f" and {len(all_words) - limit} more" if len(all_words) > limit else ""
    return ", ".join(all_words[:limit]) + more
