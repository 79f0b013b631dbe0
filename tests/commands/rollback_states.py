"""Small projects given file by file, for rollbacks: a state is written, committed and tagged in milliseconds."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc_modelver.core.facts import Slice
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.dvcio.slices import slice_of
from tests.dvcio.trees import MemoryTree
from tests.support import Git, Modelver, Result
from tests.support.repos import md5, put_object
from tests.support.snapshot import snapshot

Data = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A pipeline stage as it last ran: an entry of `dvc.lock`.  Paths are from the root."""

    name: str
    deps: tuple[str, ...] = ()
    outs: Data = field(default_factory=dict)
    """Path -> its bytes; of a directory `PATH/NAME`, with `PATH` in `folders`."""
    folders: tuple[str, ...] = ()
    in_git: tuple[str, ...] = ()
    """Outputs with `cache: false`, which stand in the state's files."""
    params: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    cmd: str = "make"
    at: str = ""
    """Folder of its `dvc.yaml`."""
    wdir: str = ""
    """Its working directory, from the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that a commit holds: Git's files, what ran, what `.dvc` files track."""

    files: Mapping[str, str | bytes]
    runs: tuple[Run, ...] = ()
    added: Data = field(default_factory=dict)
    """Path -> bytes, each with a `.dvc` file of its own."""
    imported: Data = field(default_factory=dict)
    """Path -> bytes, whose `.dvc` files stand in `files`."""
    executable: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, str]:
        """Every file that DVC keeps."""
        found = {**self.added, **self.imported}
        for run in self.runs:
            found |= run.outs
        return found

    def everything(self) -> dict[str, bytes]:
        """Git's files and DVC's."""
        both = {**self.files, **self.outputs}
        return {path: text.encode() if isinstance(text, str) else text for path, text in both.items()}


class Case:
    """A repository whose commits are states."""

    def __init__(self, git: Git, modelver: Modelver) -> None:
        self.git = git
        self.path = git.path
        self._modelver = modelver
        self._before: State | None = None

    def save(self, state: State, *tags: str) -> str:
        """Make the work tree that state, commit and tag it; gives the commit."""
        for path in [] if self._before is None else [*self._before.everything(), *self._before.links]:
            (self.path / path).unlink(missing_ok=True)
            self._remove_empty(path)
        for old in list(self.path.rglob("*.dvc")) + list(self.path.rglob(".gitignore")):
            if old.is_file() and ".dvc" not in old.parent.parts:
                old.unlink()
        files: dict[str, str | bytes] = {".dvc/config": "", ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n"}
        files |= dict(state.files)
        files |= dict(_locks(state)) | dict(_ignored(state)) | dict(_dvc_files(state))
        for path, text in state.outputs.items():
            self.git.write(path, text)
            put_object(self.cache, text.encode())
        for listing in _listings(state):
            digest = hashlib.md5(listing).hexdigest()
            put_object(self.cache, listing).rename(self.cache / digest[:2] / f"{digest[2:]}.dir")
        for path, text in files.items():
            self.git.write(path, text)
            (self.path / path).chmod(0o755 if path in state.executable else 0o644)
        for path, to in state.links.items():
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).symlink_to(to)
        if self._before is not None and state.outputs:
            # What Git has tracked it goes on to track, ignored or not.
            self.git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", *state.outputs)
        self._before = state
        commit = self.git.commit("A state")
        for tag in tags:
            self.git.tag(tag)
        return commit

    def _remove_empty(self, path: str) -> None:
        for above in (self.path / path).parents:
            if above == self.path or any(above.iterdir()):
                return
            above.rmdir()

    @property
    def cache(self) -> Path:
        """DVC's, by MD5."""
        return self.path / ".dvc/cache/files/md5"

    def run(self, *words: str, code: int = 0) -> Result:
        """`modelver rollback`."""
        self.git.clock.tick()
        return self._modelver("rollback", *words, cwd=self.git, code=code)

    def refused(self, *words: str, code: int = 3) -> str:
        """The error of a rollback that changes nothing."""
        before = snapshot(self.git)
        said = self.run(*words, code=code).err
        after = snapshot(self.git)
        assert {k: v for k, v in before.items() if "modelver/" not in k} == {
            k: v for k, v in after.items() if "modelver/" not in k
        }
        return said

    def tree(self, rev: str = "HEAD") -> MemoryTree:
        """A commit's files."""
        archive = self.git.run("archive", "--format=tar", rev).stdout
        files: dict[str, bytes | str] = {}
        links: dict[str, str] = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                if member.issym():
                    links[member.name] = member.linkname
                elif member.isfile():
                    found = tar.extractfile(member)
                    files[member.name] = found.read() if found is not None else b""
        return MemoryTree(files, links)

    def slice(self, name: str, rev: str = "HEAD") -> Slice:
        """A model's slice at a commit."""
        tree = self.tree(rev)
        declared = declared_one(tree, name)
        assert declared is not None, f"{rev} does not declare {name}"
        return slice_of(tree, declared)

    def show(self, path: str, rev: str = "HEAD") -> str:
        """A file of a commit, to its last byte."""
        return self.git.run("show", f"{rev}:{path}").stdout.decode()

    def has(self, path: str) -> bool:
        """Whether HEAD has the file."""
        return self.tree().entry(path) is not None

    def back(self, name: str = "churn", version: str = "v0.1.0", *words: str) -> Result:
        """Roll one model back, and check that it is what that version was."""
        result = self.run(name, version, *words)
        self.same(name, version)
        return result

    def same(self, name: str, version: str) -> None:
        """HEAD's slice is the version's, the work tree holds its bytes, and all is clean."""
        tag = f"{name}@{version}" if ":" not in name else name.replace(":", "=") + f"@{version}"
        then = self.slice(name, f"refs/tags/{tag}")
        now = self.slice(name)
        assert now.parts == then.parts
        for output in then.outputs:
            assert output.digest is not None
            assert digest_at(self.path / output.path) == output.digest, output.path
        assert self.git("status", "--porcelain") == ""

    def back_and_forth(self, name: str = "churn", *words: str, exact: bool = True) -> None:
        """To v0.1.0 and back to v0.2.0, twice: each time the same bytes, and with `exact` those of the first commit."""
        first = self.git("rev-parse", "HEAD^{tree}")
        seen: dict[str, str] = {"v0.2.0": first} if exact else {}
        for version in ("v0.1.0", "v0.2.0", "v0.1.0", "v0.2.0"):
            self.back(name, version, *words)
            tree = self.git("rev-parse", "HEAD^{tree}")
            assert seen.setdefault(version, tree) == tree, self.git("diff", seen[version], tree)


def digest_at(path: Path) -> str | None:
    """As DVC would name what lies there; None when nothing does."""
    if path.is_dir():
        listing = _listing({p.relative_to(path).as_posix(): p.read_text() for p in path.rglob("*") if p.is_file()})
        return f"md5:{hashlib.md5(listing).hexdigest()}.dir"
    return f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}" if path.is_file() else None


# What DVC would write ---------------------------------------------------------------------------------------------


def _listing(files: Data) -> bytes:
    rows = [{"md5": hashlib.md5(files[name].encode()).hexdigest(), "relpath": name} for name in sorted(files)]
    return json.dumps(rows, sort_keys=True).encode()


def _below(state: State, path: str) -> dict[str, str]:
    found = state.everything()
    return {name.removeprefix(f"{path}/"): found[name].decode() for name in found if name.startswith(f"{path}/")}


def _listings(state: State) -> Iterator[bytes]:
    for run in state.runs:
        yield from (_listing(_below(state, path)) for path in run.folders)


def _item(state: State, path: str, wdir: str) -> str:
    written = (
        path.removeprefix(f"{wdir}/")
        if wdir and path.startswith(f"{wdir}/")
        else ("../" * wdir.count("/") + "../" + path if wdir else path)
    )
    data = state.everything().get(path)
    if data is not None:
        return f"    - path: {written}\n      hash: md5\n      md5: {md5(data)}\n      size: {len(data)}\n"
    below = _below(state, path)
    assert below, f"nothing lies at {path}"
    digest = hashlib.md5(_listing(below)).hexdigest()
    size = sum(len(text.encode()) for text in below.values())
    named = f"    - path: {written}\n      hash: md5\n      md5: {digest}.dir\n"
    return f"{named}      size: {size}\n      nfiles: {len(below)}\n"


def _locks(state: State) -> Iterator[tuple[str, str]]:
    for at in dict.fromkeys(run.at for run in state.runs):
        text = "schema: '2.0'\nstages:\n"
        for run in state.runs:
            text += _entry(state, run) if run.at == at else ""
        yield f"{at}/dvc.lock" if at else "dvc.lock", text


def _entry(state: State, run: Run) -> str:
    wdir = run.wdir or run.at
    text = f"  {run.name}:\n    cmd: {run.cmd}\n"
    if run.deps:
        text += "    deps:\n" + "".join(_item(state, path, wdir) for path in run.deps)
    if run.params:
        text += "    params:\n"
        for file, values in run.params.items():
            text += f"      {file}:\n" + "".join(f"        {key}: {value}\n" for key, value in values.items())
    outs = [path for path in run.outs if not any(path.startswith(f"{folder}/") for folder in run.folders)]
    text += "    outs:\n" + "".join(_item(state, path, wdir) for path in sorted([*outs, *run.folders, *run.in_git]))
    return text


def _ignored(state: State) -> Iterator[tuple[str, str]]:
    folders: dict[str, list[str]] = {}
    for path in [*(p for run in state.runs for p in [*run.outs, *run.folders]), *state.added, *state.imported]:
        if not any(path.startswith(f"{folder}/") for run in state.runs for folder in run.folders):
            at, _, name = path.rpartition("/")
            folders.setdefault(at, []).append(f"/{name}\n")
    for at, lines in folders.items():
        yield f"{at}/.gitignore" if at else ".gitignore", "".join(sorted(lines))


def _dvc_files(state: State) -> Iterator[tuple[str, str]]:
    for path, text in state.added.items():
        name, data = path.rpartition("/")[2], text.encode()
        yield f"{path}.dvc", f"outs:\n- md5: {md5(data)}\n  size: {len(data)}\n  hash: md5\n  path: {name}\n"
