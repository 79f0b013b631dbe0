"""A pickle's virtual machine over symbols: it notes what would be made, and imports and calls nothing.

Arrays that lie between the opcodes are read as `joblib.numpy_pickle` writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dvc_modelver.dvcio.formats import arrays
from dvc_modelver.dvcio.formats.cursor import Cursor
from dvc_modelver.dvcio.formats.source import Capped, Malformed
from dvc_modelver.dvcio.formats.symbols import COMPUTED, Blob, Global, Made, key_of

MAX_OPS = 600_000
"""About half a second; a forest of 1,000 trees has 160,000."""
MAX_NAMES = 5000
MAX_KEPT_TEXT = 4096
MAX_KEPT_BYTES = 64 * 1024
_MAX_LINE = 64 * 1024
_MAX_NESTED = 4
_MEMO_LIMIT = 2**32
_MODULES = {"copy_reg": "copyreg", "__builtin__": "builtins"}
"""Python 2's names, which protocols 0 to 2 use."""


Handlers = Mapping[int, Callable[["Machine"], object]]


@dataclass(slots=True)
class Walked:
    """What a walk found, also when it had to end early."""

    root: object = None
    imports: dict[str, None] = field(default_factory=dict)
    """In the order of the file, each once."""
    joblib: bool = False
    ops: int = 0
    problem: Malformed | None = None


class Machine:
    """A pickle virtual machine over symbols."""

    def __init__(self, cursor: Cursor, walked: Walked, handlers: Handlers, depth: int = 0) -> None:
        self.cursor = cursor
        self.handlers = handlers
        self.walked = walked
        self.depth = depth
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        """Every opcode up to STOP."""
        handlers, byte, walked = self.handlers, self.cursor.byte, self.walked
        while True:
            walked.ops += 1
            if walked.ops > MAX_OPS:
                raise Capped("more opcodes than a description may walk through")
            op = byte()
            if op == 0x2E:
                return self.pop()
            handler = handlers.get(op)
            if handler is None:
                raise Malformed(f"byte {op:#04x} is no opcode")
            handler(self)

    def unwound(self) -> object:
        """The outermost thing that had been begun, with what was on its way into it."""
        while True:
            while len(self.stack) > 1 and isinstance(self.stack[-1], dict) and isinstance(self.stack[-2], Made):
                state = self.stack.pop()
                made = self.stack[-1]
                assert isinstance(made, Made)
                made.state = made.state or state
            if not self.marks:
                return self.stack[0] if self.stack else None
            items = self.stack
            self.stack = self.marks.pop()
            if self.stack:
                _fill(self.stack[-1], items)

    # The stack ----------------------------------------------------------------------------------------------------

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack:
            raise Malformed("the pickle takes from an empty stack")
        return self.stack.pop()

    def top(self) -> object:
        if not self.stack:
            raise Malformed("the pickle looks at an empty stack")
        return self.stack[-1]

    def pop_mark(self) -> list[object]:
        if not self.marks:
            raise Malformed("the pickle goes back to a mark that is not there")
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # Values -------------------------------------------------------------------------------------------------------

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.cursor.take(size), "little", signed=signed)

    def text(self, size: int) -> None:
        self.push(self.kept(size, MAX_KEPT_TEXT, lambda data: data.decode("utf-8", "backslashreplace")))

    def data(self, size: int) -> None:
        self.push(self.kept(size, MAX_KEPT_BYTES, bytes))

    def kept(self, size: int, limit: int, made: Callable[[bytes], object]) -> object:
        if size < 0:
            raise Malformed("a length below zero")
        if size <= limit:
            return made(self.cursor.take(size))
        self.cursor.skip(size)
        return Blob(size)

    def long(self, size: int) -> None:
        made: Callable[[bytes], object] = lambda data: int.from_bytes(data, "little", signed=True)  # noqa: E731
        self.push(self.kept(size, 128, made))

    def line(self) -> str:
        return self.cursor.line(_MAX_LINE).decode("utf-8", "backslashreplace")

    def decimal(self) -> int:
        return _decimal(self.line())

    def push_decimal(self) -> None:
        text = self.line().rstrip("L")
        self.push({"00": False, "01": True}[text] if text in ("00", "01") else _decimal(text))

    def push_float(self) -> None:
        try:
            self.push(float(self.line()))
        except ValueError:
            raise Malformed("not a number") from None

    def push_quoted(self) -> None:
        line = self.cursor.line(_MAX_LINE).strip(b" \r")
        self.push(line[1:-1].decode("unicode_escape", "replace")[:MAX_KEPT_TEXT])

    def push_unicode(self) -> None:
        self.push(self.cursor.line(_MAX_LINE).decode("raw_unicode_escape", "replace")[:MAX_KEPT_TEXT])

    # Names, calls, state ------------------------------------------------------------------------------------------

    def named(self, module: object, name: object) -> Global:
        known = isinstance(module, str) and isinstance(name, str)
        full = f"{_MODULES.get(str(module), module)}.{name}"[:MAX_KEPT_TEXT] if known else COMPUTED
        if len(self.walked.imports) >= MAX_NAMES and full not in self.walked.imports:
            raise Capped("more imports than a description names")
        self.walked.imports[full] = None
        return Global(full)

    def push_global(self) -> None:
        module = self.line()
        self.push(self.named(module, self.line()))

    def push_stack_global(self) -> None:
        name = self.pop()
        self.push(self.named(self.pop(), name))

    def push_extension(self, size: int) -> None:
        self.push(self.named("copyreg", f"extension {self.number(size)}"))

    def instance(self, function: object, args: object, keywords: object = None) -> None:
        name = function.name if isinstance(function, Global) else COMPUTED
        made = Made(name, args)
        if isinstance(keywords, dict):
            made.pairs.update(keywords)
        self.push(made)

    def reduce(self) -> None:
        args = self.pop()
        function = self.pop()
        # What copyreg calls is not the thing that is made.
        helper = isinstance(function, Global) and function.name in ("copyreg._reconstructor", "copyreg.__newobj__")
        if helper and isinstance(args, tuple) and args and isinstance(args[0], Global):
            function, args = args[0], args[1:]
        self.instance(function, args)

    def new_object(self) -> None:
        args = self.pop()
        self.instance(self.pop(), args)

    def new_object_with_keywords(self) -> None:
        keywords = self.pop()
        args = self.pop()
        self.instance(self.pop(), args, keywords)

    def make_named(self) -> None:
        args = tuple(self.pop_mark())
        module = self.line()
        self.instance(self.named(module, self.line()), args)

    def make_marked(self) -> None:
        items = self.pop_mark()
        self.instance(items[0] if items else None, tuple(items[1:]))

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if not isinstance(target, Made):
            return
        target.state = state
        if target.short == "NumpyArrayWrapper" and target.name.startswith("joblib."):
            self.walked.joblib = True
            self.stack[-1] = self.joblib_array(target)

    def joblib_array(self, wrapper: Made) -> object:
        """The array whose bytes follow the wrapper."""
        layout = arrays.joblib_layout(wrapper)
        if layout.dtype.kind == "O":
            if self.depth >= _MAX_NESTED:
                raise Capped("arrays inside arrays")
            inner = Machine(self.cursor, self.walked, self.handlers, self.depth + 1)
            return inner.run()
        if layout.aligned:
            self.cursor.skip(self.cursor.byte())
        data = self.kept(layout.nbytes, MAX_KEPT_BYTES, bytes)
        return arrays.Array(layout.dtype, layout.shape, data if isinstance(data, bytes) else None)

    # Containers and memo ------------------------------------------------------------------------------------------

    def tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise Malformed("the pickle takes from an empty stack")
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def drop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def fill_one(self, size: int) -> None:
        items = self.stack[-size:]
        del self.stack[-size:]
        _fill(self.top(), items)

    def fill_marked(self) -> None:
        items = self.pop_mark()
        _fill(self.top(), items)

    def marked_dict(self) -> None:
        made: dict[object, object] = {}
        _fill(made, self.pop_mark())
        self.push(made)

    def remember(self, index: int) -> None:
        if index < 0 or index > _MEMO_LIMIT:
            raise Malformed("a memo index out of range")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise Malformed("the pickle recalls what it has not kept")
        self.push(self.memo[index])


def _fill(target: object, items: list[object]) -> None:
    """Put items into a list, or key-value items into a dict; others ignore them."""
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, dict):
        _fill_dict(target, items)
    elif isinstance(target, Made):
        target.items.extend(items)
        _fill_dict(target.pairs, items)


def _fill_dict(target: dict[object, object], items: list[object]) -> None:
    for i in range(0, len(items) - 1, 2):
        fits, key = key_of(items[i])
        if fits:
            target[key] = items[i + 1]


def _decimal(text: str) -> int:
    if len(text) > 300:
        raise Malformed("a number is too long")
    try:
        return int(text)
    except ValueError:
        raise Malformed("not a number") from None
