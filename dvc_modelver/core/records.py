"""The record: the last paragraph of a tag's message, which says what exactly was released.  Pure.

    Modelver-Format: 1
    Modelver-Event: release
    Modelver-Model: churn
    ...

Values are percent-encoded outside printable ASCII, so a record is plain text whatever the names are.
Law: `parse_record(format_record(r)) == r`; keys of a later format are kept in `extra`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dvc_modelver.errors import BadInput

FORMAT = "1"
MAX_FILES = 32
_PREFIX = "Modelver-"
_line = re.compile(r"Modelver-([A-Za-z0-9][A-Za-z0-9-]*): ?(.*)").fullmatch
_escape = re.compile(rb"%([0-9A-Fa-f]{2})")
_signature = re.compile(r"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE)


def manifest_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """sha256 over the lines `sha256 size path` of (path, size, sha256) rows, sorted by path."""
    lines = (f"{sha256} {size} {path}\n" for path, size, sha256 in sorted(files))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class FileLine:
    """One file of the released bytes: sha256 in hex, size in bytes, path from the artifact (or its name)."""

    sha256: str
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class BlobLine:
    """One file of the commit that names the bytes (`dvc.lock`, `x.dvc`, the card): Git object id and path."""

    oid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a tag of ours says about its event.  Every field but `event` and `model` may be absent."""

    event: str
    model: str
    format: str = FORMAT
    version: str | None = None
    stage: str | None = None
    path: str | None = None
    digest: str | None = None
    """DVC's: `md5:HEX` or `md5:HEX.dir`."""
    sha256: str | None = None
    """Of the file, in hex; of a directory, its `manifest_digest`."""
    size: int | None = None
    count: int | None = None
    """Number of files of a directory."""
    files: tuple[FileLine, ...] = ()
    """At most `MAX_FILES`; more are covered by the manifest digest alone."""
    blobs: tuple[BlobLine, ...] = ()
    slice_digest: str | None = None
    card: BlobLine | None = None
    previous: str | None = None
    bump: str | None = None
    reason: str | None = None
    ends: tuple[str, ...] = ()
    """Tags of the events that this one ends (a withdrawal, a release that reopens a retired artifact)."""
    rolled_back_from: str | None = None
    renumbered_from: str | None = None
    """The version that this one was until its number was found to be taken: the card at its commit may name it."""
    extra: tuple[tuple[str, str], ...] = field(default=())
    """Keys that this format does not know, in order."""


_TEXT = {
    "Format": "format",
    "Event": "event",
    "Model": "model",
    "Version": "version",
    "Stage": "stage",
    "Path": "path",
    "Digest": "digest",
    "Sha256": "sha256",
    "Slice": "slice_digest",
    "Previous": "previous",
    "Bump": "bump",
    "Reason": "reason",
    "Rolled-Back-From": "rolled_back_from",
    "Renumbered-From": "renumbered_from",
}
_NUMBER = {"Size": "size", "Count": "count"}


def encode(value: str) -> str:
    """Percent-encode `%`, everything outside printable ASCII, and a space at either end."""
    # Surrogates are written as themselves: with `surrogateescape` two of them can come back as one other character.
    raw = value.encode("utf-8", "surrogatepass")
    out = [chr(b) if 0x20 <= b <= 0x7E and b != 0x25 else f"%{b:02X}" for b in raw]
    for end in (0, -1):
        if out and out[end] == " ":
            out[end] = "%20"
    return "".join(out)


def decode(value: str) -> str:
    """The inverse of `encode`; bytes that are no UTF-8, which others may have written, become surrogates."""
    if "%" not in value:
        return value
    raw = _escape.sub(lambda m: bytes.fromhex(m[1].decode()), value.encode("utf-8", "surrogatepass"))
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")


def format_record(record: Record) -> str:
    """The paragraph, without a final newline."""
    return "\n".join(f"{_PREFIX}{key}: {encode(value)}" for key, value in _pairs(record))


def _pairs(record: Record) -> Iterator[tuple[str, str]]:
    for key, attribute in (*_TEXT.items(), *_NUMBER.items()):
        value = getattr(record, attribute)
        if value is not None:
            yield key, str(value)
    for line in record.files:
        yield "File", f"{line.sha256} {line.size} {line.path}"
    for blob in record.blobs:
        yield "Blob", f"{blob.oid} {blob.path}"
    if record.card is not None:
        yield "Card", f"{record.card.oid} {record.card.path}"
    for tag in record.ends:
        yield "Ends", tag
    yield from record.extra


def split_message(message: str) -> tuple[str, str]:
    """A tag's message as (what people wrote, the record's paragraph or empty), any signature dropped."""
    signature = _signature.search(message)
    text = (message[: signature.start()] if signature else message).rstrip("\n")
    body, gap, last = text.rpartition("\n\n")
    if not gap:
        body, last = "", text
    lines = last.split("\n")
    if lines[0].startswith(f"{_PREFIX}Format:") and all(_line(line) for line in lines):
        return body.rstrip("\n"), last
    return text, ""


def is_signed(message: str) -> bool:
    """Whether the message carries a signature (which says nothing about whether it is good)."""
    return _signature.search(message) is not None


def parse_record(paragraph: str) -> Record | None:
    """The record in `paragraph`; None when there is none or it names no event and model."""
    found: dict[str, object] = {}
    files: list[FileLine] = []
    blobs: list[BlobLine] = []
    ends: list[str] = []
    extra: list[tuple[str, str]] = []
    for line in paragraph.split("\n") if paragraph else ():
        match = _line(line)
        if match is None:
            return None
        key, value = match[1], decode(match[2])
        if key in _TEXT:
            found.setdefault(_TEXT[key], value)
        elif key in _NUMBER and _is_number(value):
            found.setdefault(_NUMBER[key], int(value))
        elif key == "File" and (parsed := _parse_file(value)):
            files.append(parsed)
        elif key == "Blob" and (blob := _parse_blob(value)):
            blobs.append(blob)
        elif key == "Card" and (blob := _parse_blob(value)):
            found.setdefault("card", blob)
        elif key == "Ends":
            ends.append(value)
        else:
            extra.append((key, value))
    if "event" not in found or "model" not in found:
        return None
    lists = {"files": tuple(files), "blobs": tuple(blobs), "ends": tuple(ends), "extra": tuple(extra)}
    return Record(**found, **lists)  # type: ignore[arg-type]


def _is_number(text: str) -> bool:
    # Python raises on numbers of more than 4,300 digits.
    return text.isascii() and text.isdigit() and len(text) < 20


def _parse_file(value: str) -> FileLine | None:
    parts = value.split(" ", 2)
    if len(parts) != 3 or not _is_number(parts[1]):
        return None
    return FileLine(parts[0], int(parts[1]), parts[2])


def _parse_blob(value: str) -> BlobLine | None:
    oid, gap, path = value.partition(" ")
    return BlobLine(oid, path) if gap else None


def compose_message(subject: str, body: str, record: Record) -> str:
    """The whole message of a tag: subject, what the user wrote, the record.

    Raises `BadInput` when the user's text holds a line that would read as part of a record or a signature.
    """
    for line in body.splitlines():
        if line.startswith(_PREFIX) or line.startswith("-----BEGIN "):
            raise BadInput(f"a message cannot have a line that begins {line.split(':')[0][:40]!a}", hint="reword it")
    if "\0" in body:
        raise BadInput("a message cannot hold a NUL byte")
    text = f"\n\n{body.strip()}" if body.strip() else ""
    return f"{subject}{text}\n\n{format_record(record)}\n"
