#!/usr/bin/env python3
"""Measure `modelver` side by side with the cheapest plain tools and with GTO, as ratios.

    python tests/benchmarks/run.py                    # every row, at full size: up to half an hour, 10 GB of disk
    python tests/benchmarks/run.py list show --runs 9
    python tests/benchmarks/run.py --quick            # small sizes, a minute: does it still run?

Each number is the median over whole processes, the two sides run in turn (A B A B ...) after one run of each that
does not count, so a machine's mood hits both.  Both sides read the same generated repository (see make_repo.py).
`py+typer` is `python -c 'import typer'` in the same environment: what any command of this kind costs at least.
The exit code is 1 when a row is over its budget (never with --quick) or could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import bytes_repo, hook_rows, make_repo, precommit_rows  # noqa: E402
from tests.support.environment import isolated_env, prepare_home  # noqa: E402

MODELVER = (sys.executable, "-m", "dvc_modelver")
GTO = str(Path(sys.executable).with_name("gto"))
DVC = str(Path(sys.executable).with_name("dvc"))
MIB = 1 << 20
CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big the repositories are."""

    versions: int
    """Of each of ten models."""
    commits: int
    many: int
    """Versions of each of ten models in the repository that shows how time grows."""
    big_mb: int
    """The model that `get` fetches."""
    versions_with_cards: int
    """Of each of fifty models."""
    long: int
    """Commits of the history that shows how time grows."""


FULL = Sizes(versions=1000, commits=10_000, many=10_000, big_mb=1000, versions_with_cards=40, long=100_000)
QUICK = Sizes(versions=5, commits=60, many=15, big_mb=3, versions_with_cards=2, long=300)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one side took: seconds, and bytes of the largest process."""

    wall: float
    cpu: float
    rss: int


@dataclass(frozen=True, slots=True)
class Command:
    """One process of a side."""

    argv: Sequence[str]
    cwd: Path
    stdin: Path | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """Processes that run one after the other and are timed as one; `prepare` is not timed."""

    commands: Sequence[Command]
    prepare: Callable[[], object] = field(default=lambda: None)
    ok: tuple[int, ...] = (0,)
    """The exit codes that are an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of the table.

    With `faster` the budget is how many times faster ours must be, else how many times the other's time ours may take.
    """

    row: str
    work: str
    against: str
    ours: Side
    theirs: Side
    budget: float
    faster: bool = False
    once: bool = False
    """The other side takes minutes: it is measured once, without a run that does not count, ours three times."""
    max_mib: float | None = None
    """The most memory that ours may take, where the row has such a bound too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One line of the table that has a bound and no other side."""

    row: str
    work: str
    ours: Side
    max_mib: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line as printed."""

    row: str
    work: str
    against: str
    ours: str
    theirs: str
    ratio: str
    budget: str
    ok: bool
    failure: str = ""
    """Why nothing was measured."""


class Failed(Exception):
    """A process that should be measured did not end well."""


class Bench:
    """The repositories, built when first asked for, and the sides made of them."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder, self.sizes = folder, sizes
        self.env = isolated_env(prepare_home(folder / "home"))
        # Users have compiled modules; the first, uncounted run writes them.
        del self.env["PYTHONDONTWRITEBYTECODE"]
        self.work = folder / "work"

    def repository(self, name: str, *options: str | int) -> Path:
        """A generated repository; the same options give the same commits."""
        path = self.folder / name
        if not path.exists():
            print(f"building {name} ...", file=sys.stderr)
            # In a process of its own: a measured child starts as a copy of this one, so `ru_maxrss` is never below
            # this process's size, which must stay small.
            words = [sys.executable, make_repo.__file__, str(path), *map(str, options)]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        return path

    @functools.cached_property
    def large(self) -> Path:
        """Ten models of 1,000 versions and 2,000 stage tags, 40 pipeline stages in dvc.lock."""
        return self.repository(
            "large", "--models", 10, "--versions", self.sizes.versions, "--commits", self.sizes.commits, "--seed", 1
        )

    @functools.cached_property
    def larger(self) -> Path:
        """The same with ten times the versions."""
        return self.repository("larger", "--models", 10, "--versions", self.sizes.many, "--seed", 1)

    @functools.cached_property
    def releasable(self) -> Path:
        """`large` with one more model, `bench`: 1 MB of real bytes, changed since its version v0.1.0."""
        path = self.folder / "releasable"
        if not path.exists():
            shutil.copytree(self.large, path, symlinks=True)
            with open(path / "dvc.yaml", "a") as declared:  # its last section is `artifacts:`
                declared.write("  bench:\n    path: models/bench.bin\n    type: model\n")
            self._new_bytes(path, b"one")
            self._git(path, "tag", "-a", "-m", "bench v0.1.0", "bench@v0.1.0")
            self._new_bytes(path, b"two")
        return path

    def _new_bytes(self, repo: Path, seed: bytes) -> None:
        data = seed * (1_000_000 // len(seed))
        digest = make_repo.md5(data)
        cached = repo / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(data)
        (repo / "models").mkdir(exist_ok=True)
        (repo / "models" / "bench.bin").write_bytes(data)
        pointer = f"outs:\n- md5: {digest}\n  size: {len(data)}\n  hash: md5\n  path: bench.bin\n"
        (repo / "models" / "bench.bin.dvc").write_text(pointer)
        (repo / "models" / ".gitignore").write_text("/bench.bin\n")
        self._git(repo, "add", "-A")
        self._git(repo, "commit", "-q", "-m", f"Train bench on {seed.decode()}")

    def fresh(self, source: Path) -> None:
        """Make `work` an untouched copy, whose index knows the copied files (as in any repository in use)."""
        if not (source / ".git" / "modelver").exists():
            # Warm, as any clone in which a command has run before: what it remembers of the tags is there.
            subprocess.run([*MODELVER, "list"], cwd=source, env=self.env, stdout=subprocess.DEVNULL, check=True)
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(source, self.work, symlinks=True)
        self._git(self.work, "update-index", "-q", "--refresh")

    def _git(self, repo: Path, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=repo, env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"git {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def modelver(self, cwd: Path, *args: str) -> Command:
        return Command([*MODELVER, *args], cwd)

    def typer(self) -> Command:
        return Command([sys.executable, "-c", "import typer"], self.folder)

    # -- the rows --------------------------------------------------------

    def row_start(self) -> Iterator[Comparison]:
        repo = self.repository("ten", "--models", 1, "--versions", 10, "--assign-every", 0)
        for args, budget in ((("--version",), 1.5), (("list",), 2.0)):
            yield Comparison(
                row="start",
                work=f"modelver {args[0]}, 10 tags",
                against="py+typer",
                ours=Side([self.modelver(repo, *args)]),
                theirs=Side([self.typer()]),
                budget=budget,
            )

    def row_list(self) -> Iterator[Comparison]:
        ours = Side([self.modelver(self.large, "list", "--json")])
        work = f"modelver list --json, {10 * self.sizes.versions:,} versions"
        refs = ["git", "for-each-ref", "--format=%(refname) %(objecttype)", "refs/tags"]
        yield Comparison(
            row="list",
            work=work,
            against="py+typer, git for-each-ref",
            ours=ours,
            theirs=Side([self.typer(), Command(refs, self.large)]),
            budget=2,
        )
        yield Comparison(
            row="list",
            work=work,
            against="gto show --json",
            ours=ours,
            theirs=Side([Command([GTO, "show", "--json"], self.large)]),
            budget=500,
            faster=True,
            once=True,
        )
        yield Comparison(
            row="list",
            work=f"the same, {10 * self.sizes.many:,} versions",
            against=f"itself, {10 * self.sizes.versions:,} versions",
            ours=Side([self.modelver(self.larger, "list", "--json")]),
            theirs=ours,
            budget=11,
            max_mib=400,
        )

    def row_show(self) -> Iterator[Comparison]:
        repo = self.large
        ours = [self.modelver(repo, "show", "churn", "--json")]
        blobs = self._blobs(repo, "churn", "dvc.yaml", "dvc.lock")
        read = Command(["git", "cat-file", "--batch"], repo, stdin=blobs)
        yield Comparison(
            row="show",
            work=f"modelver show NAME --json, {self.sizes.versions:,} versions, cold",
            against="py+typer, git cat-file --batch",
            ours=Side(ours, prepare=functools.partial(self._forget, repo)),
            theirs=Side([self.typer(), read]),
            budget=4,
        )
        yield Comparison(
            row="show",
            work="the same, from the cache",
            against="modelver list there",
            ours=Side(ours),
            theirs=Side([self.modelver(repo, "list")]),
            budget=2,
        )

    def _blobs(self, repo: Path, name: str, *files: str) -> Path:
        """A file with the ids of the distinct blobs at these paths of a model's versions."""
        tags = self._git(repo, "for-each-ref", "--format=%(refname)", f"refs/tags/{name}@*").split()
        asked = "".join(f"{tag}^{{commit}}:{file}\n" for tag in tags for file in files)
        done = subprocess.run(
            ["git", "cat-file", "--batch-check=%(objectname)"],
            cwd=repo,
            env=self.env,
            input=asked,
            capture_output=True,
            text=True,
            check=True,
        )
        path = self.folder / f"{repo.name}-{name}-{len(files)}-blobs"
        path.write_text("\n".join(sorted(set(done.stdout.split()))) + "\n")
        return path

    @staticmethod
    def _forget(repo: Path) -> None:
        """Drop what an earlier run remembered, but for the log of seen refs, which is no cache."""
        for path in (repo / ".git" / "modelver").glob("*"):
            if path.name.startswith("seen"):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def row_facts(self) -> Iterator[Comparison]:
        yield Comparison(
            row="facts",
            work="modelver show NAME@V --json",
            against="py+typer",
            ours=Side([self.modelver(self.large, "show", "churn@latest", "--json")]),
            theirs=Side([self.typer()]),
            budget=2,
        )

    def row_release(self) -> Iterator[Comparison]:
        copy = functools.partial(self.fresh, self.releasable)
        ours = Side([self.modelver(self.work, "release", "bench", "--bump", "patch", "--offline")], copy)
        tags = f"{12 * self.sizes.versions:,} tags"
        yield Comparison(
            row="release",
            work=f"modelver release NAME, 1 MB, {tags}",
            against="git commit, git tag -a, py+typer",
            ours=ours,
            theirs=Side([self._commit(), self._tag(), self.typer()], self._fresh_with_a_change),
            budget=3,
        )
        yield Comparison(
            row="release",
            work="the same",
            against="gto register",
            ours=ours,
            theirs=Side([Command([GTO, "register", "bench"], self.work)], copy),
            budget=100,
            faster=True,
            once=True,
        )

    def row_promote(self) -> Iterator[Comparison]:
        copy = functools.partial(self.fresh, self.releasable)
        yield Comparison(
            row="promote",
            work=f"modelver promote, {12 * self.sizes.versions:,} tags",
            against="git tag -a, py+typer",
            ours=Side([self.modelver(self.work, "promote", "bench@v0.1.0", "prod", "--offline")], copy),
            theirs=Side([self._tag(), self.typer()], copy),
            budget=2.5,
        )

    def _fresh_with_a_change(self) -> None:
        self.fresh(self.releasable)
        (self.work / "README.md").write_text("# Changed\n")
        self._git(self.work, "add", "README.md")

    def _commit(self) -> Command:
        return Command(["git", "commit", "-q", "-m", "A card"], self.work)

    def _tag(self) -> Command:
        return Command(["git", "tag", "-a", "-m", "A version", "bench@v9.9.9"], self.work)

    def row_get(self) -> Iterator[Comparison]:
        options = ("--models", 1, "--versions", 2, "--with-cache", self.sizes.big_mb, "--seed", 5)
        repo = self.repository("big-model", *options)
        source = max((repo / ".dvc" / "cache").rglob("*"), key=lambda path: path.stat().st_size)
        out, copy = self.folder / "fetched.pkl", self.folder / "copied.pkl"

        def remove() -> None:
            for path in (out, copy):
                path.unlink(missing_ok=True)

        yield Comparison(
            row="get",
            work=f"modelver get, {self.sizes.big_mb:,} MB from the cache",
            against="sha256sum, cp",
            ours=Side([self.modelver(repo, "get", "churn@latest", "-o", str(out))], remove),
            theirs=Side(
                [
                    Command([*_sha256(), str(source)], self.folder),
                    Command(["cp", str(source), str(copy)], self.folder),
                ],
                remove,
            ),
            budget=1.3,
        )
        remove()

    # -- bytes -----------------------------------------------------------

    def bytes_repo(self, name: str, *, files: int, size: int, differ: float, link: str) -> Path:
        """See `bytes_repo.build`."""
        path = self.folder / name
        if not path.exists():
            print(f"building {name} ...", file=sys.stderr)
            bytes_repo.build(path, self.env, files=files, size=size, differ=differ, link=link)
        return path

    def _at_start(self, repo: Path, link: str, *, known: bool = False) -> None:
        """At v0.2.0 with its bytes put anew; nothing is remembered, unless `known`."""
        self._git(repo, "reset", "-q", "--hard", "bench@v0.2.0")
        bytes_repo.place(repo, link)
        if not known:
            self._forget(repo)

    def _touch_memory(self) -> None:
        """Virtual machines that give free memory back take seconds to have it again, now on one side, now the other."""
        size = 2 * self.sizes.big_mb * 1_000_000
        subprocess.run([sys.executable, "-c", f"bytearray({size})[::4096] = b'x' * -(-{size} // 4096)"], check=True)

    def row_rollback_1gb(self) -> Iterator[Comparison]:
        repo = self.bytes_repo("one-file", files=1, size=self.sizes.big_mb * 1_000_000, differ=1, link="copy")
        # As a rollback does: the new file is whole before it replaces the old one, so both need memory at once.
        copy, ready = self.folder / "copied.bin", self.folder / "copied.new"
        rename = Command(["mv", "-f", str(ready), str(copy)], self.folder)
        self._at_start(repo, "copy")

        def start() -> None:
            self._at_start(repo, "copy")
            self._touch_memory()

        source = str(bytes_repo.object_of(repo))
        back = self.modelver(repo, "rollback", "bench", "v0.1.0")
        hashing = [Command([*_sha256(), source], self.folder), Command(["cp", source, str(ready)], self.folder), rename]
        yield Comparison(
            row="rollback-1gb",
            work=f"modelver rollback, one file of {self.sizes.big_mb:,} MB, copied",
            against="sha256sum, cp, mv",
            ours=Side([back], start),
            theirs=Side(hashing, self._touch_memory),
            budget=1.3,
        )

        def again() -> None:
            self._at_start(repo, "copy", known=True)
            for version in ("v0.1.0", "v0.2.0"):
                subprocess.run(
                    [*MODELVER, "rollback", "bench", version],
                    cwd=repo,
                    env=self.env,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
            time.sleep(3)  # what was written just now is never taken for unchanged
            subprocess.run(
                [*MODELVER, "rollback", "bench", "--dry-run"],
                cwd=repo,
                env=self.env,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            self._touch_memory()

        dvc = Command([sys.executable, "-c", "import dvc.repo"], self.folder)
        cp = Command(["cp", "--reflink=auto", source, str(ready)], self.folder)
        yield Comparison(
            row="rollback-1gb",
            work="the same again",
            against="cp, mv, py+typer, import dvc.repo",
            ours=Side([back], again),
            theirs=Side([cp, rename, self.typer(), dvc], self._touch_memory),
            budget=1.5,
        )
        copy.unlink(missing_ok=True)

    def row_rollback_10k_files(self) -> Iterator[Comparison]:
        repo = self.bytes_repo("many-files", files=10 * self.sizes.versions, size=2000, differ=0.1, link="hardlink")
        start = functools.partial(self._at_start, repo, "hardlink")
        checkout = [Command(["git", "checkout", "-q", "bench@v0.1.0"], repo), Command([DVC, "checkout", "-q"], repo)]

        def theirs() -> None:
            self._git(repo, "checkout", "-q", "-f", "-B", "main")
            start()

        yield Comparison(
            row="rollback-10k-files",
            work=f"modelver rollback, {10 * self.sizes.versions:,} files, a tenth differs, hard links",
            against="git checkout TAG, dvc checkout",
            ours=Side([self.modelver(repo, "rollback", "bench", "v0.1.0")], theirs),
            theirs=Side(checkout, theirs),
            budget=1,
        )
        theirs()

    def row_verify(self) -> Iterator[Comparison]:
        size = 2 * self.sizes.big_mb * 1_000_000 // 20
        repo = self.bytes_repo("twenty-files", files=20, size=size, differ=0.05, link="hardlink")
        files = sorted(str(path) for path in (repo / "models/bench").iterdir())
        halves = [files[n::CORES] for n in range(CORES)]
        shell = " & ".join(f"{' '.join(_md5())} {' '.join(half)} >/dev/null" for half in halves)
        ours = self.modelver(repo, "verify", "bench@v0.2.0")
        yield Comparison(
            row="verify",
            work=f"modelver verify, {20 * size // 1_000_000:,} MB in 20 files",
            against="md5sum of all, on every core",
            ours=Side([ours], functools.partial(self._forget, repo)),
            theirs=Side([Command(["sh", "-c", f"{shell} & wait"], repo)]),
            budget=1.3,
        )
        stat = Command(["stat", *files], repo)
        yield Comparison(
            row="verify",
            work="the same again",
            against="py+typer, stat of all",
            ours=Side([ours]),
            theirs=Side([self.typer(), stat]),
            budget=3,
        )

    @functools.cached_property
    def carded(self) -> Path:
        """50 models of 40 versions, each with its card, all committed."""
        options = ("--models", 50, "--versions", self.sizes.versions_with_cards, "--seed", 1)
        path = self.repository("cards", *options)
        if not (path / "model_cards").exists():
            self._cards(path)
        return path

    @functools.cached_property
    def one_card(self) -> Path:
        """One model, whose bytes are in the cache, and its card."""
        path = self.repository("card", "--models", 1, "--versions", 2, "--with-cache", 1, "--seed", 5)
        if not (path / "model_cards").exists():
            self._cards(path)
        return path

    def _cards(self, repo: Path) -> None:
        subprocess.run([*MODELVER, "card", "update"], cwd=repo, env=self.env, stdout=subprocess.DEVNULL, check=True)
        self._git(repo, "add", "model_cards")
        self._git(repo, "commit", "-q", "-m", "Cards")

    def row_card_check(self) -> Iterator[Comparison]:
        yield Comparison(
            row="card-check",
            work=f"modelver card check, 50 models, {50 * self.sizes.versions_with_cards:,} versions",
            against="py+typer",
            ours=Side([self.modelver(self.carded, "card", "check", "-q")]),
            theirs=Side([self.typer()]),
            budget=3,
        )

    def row_card_update(self) -> Iterator[Comparison]:
        repo = self.one_card
        yield Comparison(
            row="card-update",
            work="modelver card update NAME, a new card",
            against="py+typer",
            ours=Side(
                [self.modelver(repo, "card", "update", "churn")],
                lambda: (repo / "model_cards" / "churn.md").unlink(missing_ok=True),
            ),
            theirs=Side([self.typer()]),
            budget=4,
        )

    def _references(self, repo: Path, name: str) -> list[str]:
        """Every version of a model, the oldest first."""
        tags = self._git(
            repo, "for-each-ref", "--sort=version:refname", "--format=%(refname:lstrip=2)", f"refs/tags/{name}@*"
        )
        return tags.split()

    def row_compare(self) -> Iterator[Comparison]:
        repo = self.large
        versions = self._references(repo, "churn")
        two = versions[-2:]
        yield Comparison(
            row="compare",
            work="modelver compare A B --json, 40 pipeline stages",
            against="dvc metrics diff, dvc params diff",
            ours=Side([self.modelver(repo, "compare", *two, "--json")]),
            theirs=Side([Command([DVC, what, "diff", *two, "--json"], repo) for what in ("metrics", "params")]),
            budget=10,
            faster=True,
        )
        blobs = self._blobs(repo, "churn", "dvc.yaml", "dvc.lock", "params.yaml", "metrics/churn.json")
        read = Command(["git", "cat-file", "--batch"], repo, stdin=blobs)
        pandas = Command([sys.executable, "-c", "import pandas"], self.folder)
        yield Comparison(
            row="compare",
            work=f"modelver compare --json, {len(versions):,} versions in one table",
            against="git cat-file --batch, py+typer, import pandas",
            ours=Side([self.modelver(repo, "compare", *versions, "--json")]),
            theirs=Side([read, self.typer(), pandas]),
            budget=5,
        )

    def row_lineage_cold(self) -> Iterator[Comparison]:
        def cold(repo: Path) -> Side:
            ours = self.modelver(repo, "lineage", "churn@latest", "--json")
            return Side([ours], prepare=functools.partial(self._forget, repo))

        log = ["git", "log", "-p", "--full-history", "--", "dvc.lock", "dvc.yaml"]
        yield Comparison(
            row="lineage-cold",
            work=f"modelver lineage NAME@V --json, {self.sizes.commits:,} commits, 40 pipeline stages",
            against="git log -p --full-history -- dvc.lock dvc.yaml",
            ours=cold(self.large),
            theirs=Side([Command(log, self.large)]),
            budget=5,
        )
        # Of one shape: the same models and versions in a history ten times as long.
        short, long = (
            self.repository(f"history-{n}", "--models", 10, "--versions", 5, "--commits", n, "--seed", 2)
            for n in (self.sizes.long // 10, self.sizes.long)
        )
        for repo in (short, long):
            # A version at the very end: both histories are walked in full.
            if "churn@v999.0.0" not in self._references(repo, "churn"):
                self._git(repo, "tag", "-a", "-m", "The last", "churn@v999.0.0", "main")
        yield Comparison(
            row="lineage-cold",
            work=f"the same, {self.sizes.long:,} commits",
            against=f"itself, {self.sizes.long // 10:,} commits",
            ours=cold(long),
            theirs=cold(short),
            budget=12,
            max_mib=600,
        )

    @functools.cached_property
    def later(self) -> Path:
        """`large` after the lineage of a version was asked for, ten commits and a new version later."""
        path = self.folder / "later"
        if not path.exists():
            subprocess.run(["git", "clone", "-q", "--local", self.large, path], env=self.env, check=True)
            for key, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
                self._git(path, "config", key, value)
            latest = self._references(path, "churn")[-1]
            self._git(path, "switch", "-q", "-C", "main", f"{latest}^{{commit}}")
            asked = [*MODELVER, "lineage", latest, "--json"]
            subprocess.run(asked, cwd=path, env=self.env, stdout=subprocess.DEVNULL, check=True)
            for number in range(10):
                self._retrain(path, number)
            self._git(path, "tag", "-a", "-m", "churn v999.0.0", "churn@v999.0.0")
            shutil.copytree(path / ".git" / "modelver", self.folder / "later-state")
        return path

    def _retrain(self, repo: Path, number: int) -> None:
        """A commit with another param, and what the pipeline stages made of it."""
        lock, params = (repo / "dvc.lock").read_text(), (repo / "params.yaml").read_text()
        for path in ("models/churn.pkl", "metrics/churn.json"):
            old = lock.partition(f"- path: {path}\n")[2].partition("md5: ")[2][:32]
            lock = lock.replace(old, make_repo.md5(f"{path} {number}".encode()))
        rate = params.partition("    lr: ")[2].partition("\n")[0]
        lock = lock.replace(f"churn.train.lr: {rate}\n", f"churn.train.lr: 0.{number}77\n")
        (repo / "dvc.lock").write_text(lock)
        (repo / "params.yaml").write_text(params.replace(f"    lr: {rate}\n", f"    lr: 0.{number}77\n", 1))
        self._git(repo, "commit", "-q", "-a", "-m", f"Retrain {number}")

    def _as_asked(self) -> None:
        """What is remembered is what the first question left: not what a run of the benchmark adds."""
        state = self.later / ".git" / "modelver"
        shutil.rmtree(state)
        shutil.copytree(self.folder / "later-state", state)

    def row_lineage_warm(self) -> Iterator[Comparison]:
        old, new = self._references(self.later, "churn")[-2:]
        for reference, what in ((old, "the version asked before"), (new, "a new version")):
            yield Comparison(
                row="lineage-warm",
                work=f"modelver lineage NAME@V --json, {self.sizes.commits:,} commits, 10 later, {what}",
                against="py+typer",
                ours=Side([self.modelver(self.later, "lineage", reference, "--json")], self._as_asked),
                theirs=Side([self.typer()]),
                budget=4,
            )

    def row_impact(self) -> Iterator[Comparison]:
        each = max(2, self.sizes.versions // 10)
        repo = self.repository(
            "thousand", "--models", 10, "--versions", each, "--commits", self.sizes.commits, "--seed", 1
        )
        yield Comparison(
            row="impact",
            work=f"modelver impact PATH --json of a raw data file, {10 * each:,} versions",
            against="modelver lineage there",
            # Listings of directories that nobody has (exit code 5) are an answer, too.
            ours=Side([self.modelver(repo, "impact", "data/churn/raw.csv", "--json")], ok=(0, 5)),
            theirs=Side([self.modelver(repo, "lineage", "churn@latest", "--json")]),
            budget=2,
        )

    def row_hook(self) -> Iterator[Comparison]:
        yield from precommit_rows.row_hook(self)

    def row_pre_push(self) -> Iterator[Comparison]:
        yield from hook_rows.row_pre_push(self)

    def row_memory(self) -> Iterator[Memory]:
        for args in (
            ("list",),
            ("show", "churn"),
            ("show", "churn@latest"),
            ("history",),
            ("history", "--at", "2023-01-01"),
            ("doctor",),
        ):
            yield Memory(
                row="memory",
                work=f"modelver {' '.join(args)}, {10 * self.sizes.versions:,} versions",
                # A check that says no (exit code 1) is an answer, too.
                ours=Side([self.modelver(self.large, *args, "--json")], ok=(0, 1)),
                max_mib=150,
            )

    # -- measuring -------------------------------------------------------

    def sample(self, side: Side) -> Sample:
        """Run one side once."""
        side.prepare()
        os.sync()  # what the preparation wrote must not be written out while the clock runs
        took = [self._run(command, side.ok) for command in side.commands]
        return Sample(sum(s.wall for s in took), sum(s.cpu for s in took), max(s.rss for s in took))

    def _run(self, command: Command, ok: tuple[int, ...]) -> Sample:
        with tempfile.TemporaryFile() as err, open(command.stdin or os.devnull, "rb") as stdin:
            began = time.perf_counter()
            process = subprocess.Popen(
                command.argv, cwd=command.cwd, env=self.env, stdin=stdin, stdout=subprocess.DEVNULL, stderr=err
            )
            # Not `wait`: only wait4 tells what this one child (with its own children) used.
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in ok:
                err.seek(0)
                words = " ".join(err.read().decode(errors="replace").split()) or "no message"
                raise Failed(f"{' '.join(command.argv[1:])} ended with {process.returncode}: {words[-300:]}")
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
        return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)

    def compare(self, line: Comparison, runs: int) -> Iterator[Line]:
        """Measure both sides in turn; gives one line, and one more where memory is bounded too."""
        ours, theirs = [], []
        self.sample(line.ours)
        if line.once:
            theirs.append(self.sample(line.theirs))
            ours = [self.sample(line.ours) for _ in range(min(runs, 3))]
        else:
            self.sample(line.theirs)
            for _ in range(runs):
                ours.append(self.sample(line.ours))
                theirs.append(self.sample(line.theirs))
        a, b = statistics.median(s.wall for s in ours), statistics.median(s.wall for s in theirs)
        ratio = b / a if line.faster else a / b
        yield Line(
            line.row,
            line.work,
            line.against,
            _seconds(ours),
            _seconds(theirs),
            f"{ratio:,.0f} times faster" if line.faster else f"{ratio:.2f}",
            f">= {line.budget:g} times faster" if line.faster else f"<= {line.budget:g}",
            ratio >= line.budget if line.faster else ratio <= line.budget,
        )
        if line.max_mib is not None:
            yield _memory_line(line.row, line.work, ours, line.max_mib, self._floor())

    def remember(self, line: Memory) -> Line:
        """Measure a side's memory."""
        samples = [self.sample(line.ours) for _ in range(2)]
        return _memory_line(line.row, line.work, samples, line.max_mib, self._floor())

    def _floor(self) -> int:
        """The least that can be measured: what a tiny process seems to use, since it starts as a copy of this one."""
        return self.sample(Side([Command(["git", "--version"], self.folder)])).rss


ROWS = (
    "start",
    "list",
    "show",
    "facts",
    "release",
    "promote",
    "get",
    "card-check",
    "card-update",
    "compare",
    "lineage-cold",
    "lineage-warm",
    "impact",
    "rollback-1gb",
    "rollback-10k-files",
    "verify",
    "hook",
    "pre-push",
    "memory",
)


def _sha256() -> list[str]:
    return ["sha256sum"] if shutil.which("sha256sum") else ["shasum", "-a", "256"]


def _md5() -> list[str]:
    return ["md5sum"] if shutil.which("md5sum") else ["md5", "-q"]


def _seconds(samples: Sequence[Sample]) -> str:
    wall, cpu = (statistics.median(getattr(s, name) for s in samples) for name in ("wall", "cpu"))
    return f"{wall:.3f} s ({cpu:.3f} CPU)"


def _memory_line(row: str, work: str, samples: Sequence[Sample], max_mib: float, floor: int) -> Line:
    used = max(s.rss for s in samples)
    shown = f"{'at most ' if used <= floor else ''}{used / MIB:.0f} MiB"
    return Line(row, work, "", shown, "", "", f"< {max_mib:g} MiB", used < max_mib * MIB)


def measure(bench: Bench, rows: Sequence[str], runs: int) -> Iterator[Line]:
    """Every line of these rows; one that cannot be measured says why and does not end the others."""
    for row in rows:
        try:
            for line in getattr(bench, f"row_{row.replace('-', '_')}")():
                try:
                    if isinstance(line, Memory):
                        yield bench.remember(line)
                    else:
                        yield from bench.compare(line, runs)
                except (Failed, OSError, subprocess.CalledProcessError) as problem:
                    against = line.against if isinstance(line, Comparison) else ""
                    yield Line(row, line.work, against, "failed", "", "", "", False, str(problem))
        except (Failed, OSError, subprocess.CalledProcessError) as problem:
            yield Line(row, "", "", "failed", "", "", "", False, str(problem))


def render(lines: Sequence[Line], markdown: bool, judge: bool) -> str:
    """The table, aligned for a terminal or in Markdown."""
    head = ("row", "work", "against", "ours", "theirs", "ratio", "budget", "ok")
    body = [
        (n.row, n.work, n.against, n.ours, n.theirs, n.ratio, n.budget, ("yes" if n.ok else "NO") if judge else "-")
        for n in lines
    ]
    widths = [max(len(cells[i]) for cells in (head, *body)) for i in range(len(head))]
    if not markdown:
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) for cells in (head, *body))
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(c.replace("|", r"\|").ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"
        for cells in (head, rule, *body)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the words, measure, print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--runs", type=int, default=7, help="of each side (default: 7)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--quick", action="store_true", help="small sizes, two runs, nothing is judged")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the repositories there, and use them again")
    options = parser.parse_args(argv)
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    sizes, runs = (QUICK, min(options.runs, 2)) if options.quick else (FULL, options.runs)
    with contextlib.ExitStack() as stack:
        if options.keep:
            folder = options.keep.resolve() / ("quick" if options.quick else "full")
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelver-bench-")))
        lines = list(measure(Bench(folder, sizes), options.rows or ROWS, runs))
    print(render(lines, options.markdown, judge=not options.quick))
    for line in lines:
        if line.failure:
            print(f"{line.row}: {line.failure}", file=sys.stderr)
    return 1 if any(line.failure or not (line.ok or options.quick) for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
