"""The commits of a history in their order, and what they mention, as far as a later walk needs them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dvc_modelver.core.origins import Logged, gates
from dvc_modelver.dvcio.mentions import Noted


@dataclass(slots=True)
class Order:
    """The commits of a history in the order of its log, and what they mention."""

    width: int
    """Bytes of a commit's id."""
    commits: bytearray = field(default_factory=bytearray)
    gates: bytearray = field(default_factory=bytearray)
    """1 for each commit that divides the history, see `core.origins.gates`."""
    numbers: Sequence[int] = ()
    """Sorted."""
    folders: bool = False
    """Whether the trees of directories are among the numbers."""

    def __len__(self) -> int:
        return len(self.gates)

    def commit(self, position: int) -> str:
        """Its id."""
        return self.commits[position * self.width : (position + 1) * self.width].hex()

    def position(self, commit: str) -> int | None:
        """Of a commit; None for one of another history."""
        wanted = bytes.fromhex(commit)
        found = self.commits.rfind(wanted)
        while found >= 0 and found % self.width:
            found = self.commits.rfind(wanted, 0, found + self.width - 1)
        return found // self.width if found >= 0 else None

    def gate(self, position: int) -> int | None:
        """The last commit up to a position that divides the history."""
        found = self.gates.rfind(1, 0, position + 1)
        return found if found >= 0 else None

    def mentions(self, number: int) -> bool:
        """Whether what has that number may be mentioned; false when it certainly never was."""
        at = bisect_left(self.numbers, number)
        return at < len(self.numbers) and self.numbers[at] == number

    def first(self, count: int) -> Order:
        """The same up to a gate; the numbers stay: that there are too many only costs time."""
        return Order(self.width, self.commits[: count * self.width], self.gates[:count], self.numbers, self.folders)

    def shared(self, other: Order) -> int:
        """The last gate up to which both are the same; -1 when there is none."""
        at: int | None = min(len(self), len(other)) - 1
        while at is not None and at >= 0:
            at = self.gate(at)
            if at is not None and other.gates[at] and self.commit(at) == other.commit(at):
                return at
            at = None if at is None else at - 1
        return -1


class Walk:
    """Notes a history while it is walked."""

    def __init__(self, known: Order) -> None:
        """`known`: the order of what came before; empty for a walk over all of it."""
        self.order = known
        self.noted = Noted()
        self.positions: dict[str, int] = {}
        self._before = len(self.order)
        self._lowest: list[int] = []
        if self._before:
            self.positions[known.commit(self._before - 1)] = self._before - 1

    def follow(self, history: Iterable[Logged]) -> Iterator[Logged]:
        """The same history, noted as it goes by."""
        add = self.noted.digests.append
        for entry in history:
            position = self._before + len(self._lowest)
            self._lowest.append(min((self.positions.get(parent, -1) for parent in entry.parents), default=-1))
            self.positions[entry.commit] = position
            self.order.commits += bytes.fromhex(entry.commit)
            for _, blob in entry.changes:
                if blob is not None:
                    add(int(blob[:16], 16))
            yield entry

    def finish(self) -> Order:
        """The order, when all of the history went by."""
        before = self._before
        self.order.gates += gates([low - before for low in self._lowest])
        new = set(self.noted.digests)
        self.order.numbers = array("Q", sorted(new.union(self.order.numbers)))
        return self.order
