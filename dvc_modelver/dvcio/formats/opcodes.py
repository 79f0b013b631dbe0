"""A pickle's opcodes, protocols 0 to 5 (CPython's `Lib/pickletools.py`), and the walk through them."""

from __future__ import annotations

import struct

from dvc_modelver.dvcio.formats.cursor import Cursor
from dvc_modelver.dvcio.formats.machine import Handlers, Machine, Walked
from dvc_modelver.dvcio.formats.source import Malformed
from dvc_modelver.dvcio.formats.symbols import Blob, Made


def walk(cursor: Cursor, walked: Walked | None = None) -> Walked:
    """Walk up to the pickle's end; a `problem` is noted, and the root is then what had been begun.

    Args:
        walked: what an earlier pickle of the same file gave: imports are added to it, opcodes counted on.
    """
    found = walked if walked is not None else Walked()
    machine = Machine(cursor, found, _HANDLERS)
    try:
        found.root = machine.run()
    except Malformed as problem:
        found.problem = problem
        found.root = machine.unwound()
    return found


def _double(machine: Machine) -> None:
    machine.push(struct.unpack(">d", machine.cursor.take(8))[0])


_HANDLERS: Handlers = {
    ord(code): handler
    for code, handler in {
        # values
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "K": lambda m: m.push(m.cursor.byte()),
        "M": lambda m: m.push(m.number(2)),
        "J": lambda m: m.push(m.number(4, signed=True)),
        "\x8a": lambda m: m.long(m.cursor.byte()),
        "\x8b": lambda m: m.long(m.number(4, signed=True)),
        "G": _double,
        "I": Machine.push_decimal,
        "L": Machine.push_decimal,
        "F": Machine.push_float,
        "S": Machine.push_quoted,
        "V": Machine.push_unicode,
        "\x8c": lambda m: m.text(m.cursor.byte()),
        "X": lambda m: m.text(m.number(4)),
        "\x8d": lambda m: m.text(m.number(8)),
        "U": lambda m: m.text(m.cursor.byte()),
        "T": lambda m: m.text(m.number(4, signed=True)),
        "C": lambda m: m.data(m.cursor.byte()),
        "B": lambda m: m.data(m.number(4)),
        "\x8e": lambda m: m.data(m.number(8)),
        "\x96": lambda m: m.data(m.number(8)),
        "\x97": lambda m: m.push(Blob(0)),
        "\x98": lambda m: None,
        # containers
        "]": lambda m: m.push([]),
        "}": lambda m: m.push({}),
        ")": lambda m: m.push(()),
        "\x8f": lambda m: m.push([]),
        "l": lambda m: m.push(m.pop_mark()),
        "t": lambda m: m.push(tuple(m.pop_mark())),
        "\x91": lambda m: m.push(m.pop_mark()),
        "d": Machine.marked_dict,
        "\x85": lambda m: m.tuple(1),
        "\x86": lambda m: m.tuple(2),
        "\x87": lambda m: m.tuple(3),
        "a": lambda m: m.fill_one(1),
        "s": lambda m: m.fill_one(2),
        "e": Machine.fill_marked,
        "u": Machine.fill_marked,
        "\x90": Machine.fill_marked,
        # stack and memo
        "(": Machine.mark,
        "0": Machine.drop,
        "1": Machine.pop_mark,
        "2": lambda m: m.push(m.top()),
        "q": lambda m: m.remember(m.cursor.byte()),
        "r": lambda m: m.remember(m.number(4)),
        "p": lambda m: m.remember(m.decimal()),
        "\x94": lambda m: m.remember(len(m.memo)),
        "h": lambda m: m.recall(m.cursor.byte()),
        "j": lambda m: m.recall(m.number(4)),
        "g": lambda m: m.recall(m.decimal()),
        # names, calls, state
        "c": Machine.push_global,
        "\x93": Machine.push_stack_global,
        "i": Machine.make_named,
        "o": Machine.make_marked,
        "R": Machine.reduce,
        "\x81": Machine.new_object,
        "\x92": Machine.new_object_with_keywords,
        "b": Machine.build,
        "\x82": lambda m: m.push_extension(1),
        "\x83": lambda m: m.push_extension(2),
        "\x84": lambda m: m.push_extension(4),
        "P": lambda m: m.push(Made("persistent", (m.line(),))),
        "Q": lambda m: m.push(Made("persistent", m.pop())),
        # framing
        "\x80": lambda m: m.cursor.byte(),
        "\x95": lambda m: m.cursor.take(8),
    }.items()
}
