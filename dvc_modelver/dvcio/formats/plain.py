"""Formats that are told from their first bytes alone, and the kind of those that are not known."""

from __future__ import annotations

import re

from dvc_modelver.dvcio.formats.description import ModelDescription, Status, clip
from dvc_modelver.dvcio.formats.source import Malformed, Source

_KINDS = (
    (b"%PDF", "pdf"),
    (b"\x89PNG", "png"),
    (b"\x7fELF", "executable"),
    (b"MZ", "executable"),
    (b"SQLite format 3\0", "sqlite"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"#!", "script"),
    (b"version https://git-lfs.github.com", "git-lfs pointer"),
)
_DTYPE = re.compile(r"'descr':\s*'([^']{1,40})'")
_SHAPE = re.compile(r"'shape':\s*(\([\d, ]{0,100}\))")


def recognised(head: bytes) -> ModelDescription | None:
    """TensorFlow Lite and PMML, by their first bytes; None for anything else."""
    if head[4:8] == b"TFL3":
        return ModelDescription(format="tflite", status=Status.NO_CODE_FORMAT, library="tensorflow")
    if b"<PMML" in head[:512]:
        return ModelDescription(format="pmml", status=Status.NO_CODE_FORMAT, library="pmml")
    return None


def describe_npy(source: Source) -> ModelDescription:
    """A `.npy` array; one of objects holds a pickle (numpy.lib.format)."""
    head = source.exactly(0, 12)
    wide = head[6] >= 2
    length = int.from_bytes(head[8:12] if wide else head[8:10], "little")
    text = source.at(12 if wide else 10, min(length, 4096)).decode("latin-1")
    shape = _SHAPE.search(text)
    if shape is None:
        raise Malformed("an array without a shape")
    dtype = _DTYPE.search(text)
    objects = dtype is None or "O" in dtype[1]
    return ModelDescription(
        format="numpy",
        status=Status.CODE_CAPABLE if objects else Status.NO_CODE_FORMAT,
        library="numpy",
        details={"dtype": clip(dtype[1]) if dtype is not None else "structured", "shape": shape[1]},
    )


def kind_of(head: bytes, name: str) -> str:
    """What the first bytes of an unknown file look like."""
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return kind
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"[") and _is_text(head):
        return "json"
    if start[:1] == b"<" and _is_text(head):
        return "xml"
    return "text" if _is_text(head) else "binary"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two at the end of what was read.
        return error.start >= len(head) - 3 and len(head) > 3
    return True
