"""Many objects at a time: what has to look at every version waits for git once in 64, not at each."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.objects import Objects
from dvc_modelver.gitio.process import GitProcess

_TOGETHER = 64


class BulkObjects(Objects):
    """`many` at once; a context manager as its base is."""

    def many(self, oids: Collection[str], most: int) -> Iterator[tuple[str, str, bytes]]:
        """(id, type, bytes) of those that can be read; ends early, without an error, after `most` bytes of them.

        What git cannot read ends its process, and the answers: whoever needs the others asks for them one by one.
        """
        wanted, total = list(dict.fromkeys(oids)), 0
        for start in range(0, len(wanted), _TOGETHER):
            some = wanted[start : start + _TOGETHER]
            try:
                answers = self._ask(some)
            except EnvironmentProblem:
                return
            for oid, answer in zip(some, answers, strict=True):
                if answer is not None:
                    total += len(answer[2])
                    yield oid, answer[1], answer[2]
            if total > most:
                return


def commits_among(git: GitProcess, oids: Collection[str]) -> list[str]:
    """Those of `oids` that are commits here, each once: one process, which looks at headers alone."""
    words = "".join(f"{oid}\n" for oid in dict.fromkeys(oids))
    if not words:
        return []
    rows = git.complete("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=words.encode()).stdout
    return [row[7:].decode("ascii") for row in rows.splitlines() if row.startswith(b"commit ")]
