"""A zip's list of members, and their bytes within caps (PKWARE's APPNOTE.TXT); `zipfile` has no caps of its own."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dvc_modelver.dvcio.formats.cursor import DEFLATE, Cursor, FileCursor, InflatedCursor
from dvc_modelver.dvcio.formats.source import Capped, Malformed, Source

MAX_MEMBERS = 30_000
_MAX_LISTING = 8 * 1024 * 1024
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of the archive."""

    name: str
    size: int
    stored: int
    """Bytes in the archive."""
    method: int
    offset: int
    encrypted: bool


def members(source: Source) -> tuple[Member, ...]:
    """What the archive's directory lists.  Raises `Malformed` for a broken or too large one."""
    count, size, offset = _directory(source)
    if count > MAX_MEMBERS or size > _MAX_LISTING:
        raise Capped("a zip with too many members")
    listing = source.exactly(offset, size)
    found: list[Member] = []
    at = 0
    while at + 46 <= len(listing) and listing[at : at + 4] == b"PK\x01\x02":
        if len(found) == MAX_MEMBERS:
            raise Capped("a zip with too many members")
        member, at = _member(listing, at)
        found.append(member)
    return tuple(found)


def _directory(source: Source) -> tuple[int, int, int]:
    """(members, bytes of the directory, where it begins)."""
    tail = source.tail(22 + 65535 + 20)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        raise Malformed("a zip without its directory")
    count, size, offset = struct.unpack("<HII", tail[at + 10 : at + 20])
    if 0xFFFF in (count,) or 0xFFFF_FFFF in (size, offset) or (tail[at - 20 : at - 16] == b"PK\x06\x07" and at >= 20):
        count, size, offset = _directory64(source, tail, at)
    return count, size, offset


def _directory64(source: Source, tail: bytes, at: int) -> tuple[int, int, int]:
    if at < 20 or tail[at - 20 : at - 16] != b"PK\x06\x07":
        raise Malformed("a zip without its directory")
    record = source.exactly(struct.unpack("<Q", tail[at - 12 : at - 4])[0], 56)
    if record[:4] != b"PK\x06\x06":
        raise Malformed("a zip without its directory")
    count, size, offset = struct.unpack("<QQQ", record[32:56])
    return count, size, offset


def _member(listing: bytes, at: int) -> tuple[Member, int]:
    flags, method = struct.unpack("<HH", listing[at + 8 : at + 12])
    stored, size, name_length, extra_length, comment_length = struct.unpack("<IIHHH", listing[at + 20 : at + 34])
    offset = struct.unpack("<I", listing[at + 42 : at + 46])[0]
    name = listing[at + 46 : at + 46 + name_length]
    extra = listing[at + 46 + name_length : at + 46 + name_length + extra_length]
    size, stored, offset = _wide(extra, size, stored, offset)
    member = Member(
        name=name.decode("utf-8" if flags & 0x800 else "cp437", "replace"),
        size=size,
        stored=stored,
        method=method,
        offset=offset,
        encrypted=bool(flags & 1),
    )
    return member, at + 46 + name_length + extra_length + comment_length


def _wide(extra: bytes, *numbers: int) -> tuple[int, int, int]:
    """The numbers with those that did not fit into 32 bits taken from the zip64 field."""
    wide: list[int] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            body = extra[at + 4 : at + 4 + length]
            wide = list(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
        at += 4 + length
    size, stored, offset = (wide.pop(0) if number == 0xFFFF_FFFF and wide else number for number in numbers)
    return size, stored, offset


def reader(source: Source, member: Member) -> Cursor:
    """A member's bytes.  Raises `Malformed` when it cannot be read."""
    head = source.exactly(member.offset, 30)
    if head[:4] != b"PK\x03\x04" or member.encrypted:
        raise Malformed(f"{member.name[:80]} in the zip cannot be read")
    name_length, extra_length = struct.unpack("<HH", head[26:30])
    start = member.offset + 30 + name_length + extra_length
    if member.method == _STORED:
        return FileCursor(source, start, start + member.stored)
    if member.method == _DEFLATED:
        return InflatedCursor(source, DEFLATE, start, start + member.stored)
    raise Malformed(f"{member.name[:80]} in the zip is compressed in a way that is not known")


def content(source: Source, member: Member, limit: int) -> bytes:
    """All of a member.  Raises `Capped` when it is larger than `limit`."""
    if member.size > limit:
        raise Capped(f"{member.name[:80]} in the zip has {member.size} bytes")
    return reader(source, member).take(member.size)
