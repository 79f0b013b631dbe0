"""A small DVC repository with a directory as remote, and facts about it, for the tests about bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.dvcio.cache import Cache, ObjectId, object_id

BIG = 3 * (1 << 20) + 5
"""More than one block, and not a whole number of them."""


def md5(data: bytes) -> str:
    """The md5 of bytes, hexadecimal."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def run(*command: str, cwd: Path) -> str:
    """Run a command that must succeed; its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(*command: str, cwd: Path) -> str:
    """Run the real dvc."""
    return run(sys.executable, "-m", "dvc", *command, cwd=cwd)


@dataclass(frozen=True)
class Repo:
    """`model.bin` (over 3 MiB), `words/` (30 files in two folders), legacy `old.csv` and `olddir/`; all pushed."""

    base: Path

    @property
    def root(self) -> Path:
        return self.base / "repo"

    @property
    def cache(self) -> Cache:
        return Cache(self.root / ".dvc" / "cache")

    @property
    def remote(self) -> Cache:
        return Cache(self.base / "remote")

    def output(self, path: str) -> Output:
        """What the `.dvc` file of `path` says."""
        import yaml

        (out,) = yaml.safe_load((self.root / f"{path}.dvc").read_text())["outs"]
        name = out.get("hash", "md5-dos2unix")
        return Output(path=path, digest=f"md5:{out['md5']}", size=out.get("size"), hash_name=name)

    def oid(self, path: str) -> ObjectId:
        output = self.output(path)
        return object_id(output.digest or "", output.hash_name)

    def facts(self, path: str, inside: str | None = None) -> ArtifactFacts:
        output = self.output(path)
        whole = output.digest or ""
        kind = "directory" if whole.endswith(".dir") else "file"
        if inside:
            rows = {file.relpath: str(file.oid) for file in self.cache.read_listing(self.oid(path))}
            kind, whole = ("file", rows[inside]) if inside in rows else ("directory", "")
        size = output.size if inside is None else None
        full = f"{path}/{inside}" if inside else path
        return ArtifactFacts(
            path=full, kind=kind, digest=whole or None, size=size, source=Source.DVC, output=output, inside=inside
        )

    def listed(self, path: str, relpath: str) -> ObjectId:
        """The object of one file of a tracked directory."""
        return next(file.oid for file in self.cache.read_listing(self.oid(path)) if file.relpath == relpath)

    def without_cache(self) -> Repo:
        shutil.rmtree(self.cache.directory)
        return self


def corrupt(place: Path, how: str) -> None:
    """Alter, truncate or remove an object, leaving it as read-only as DVC does."""
    place.chmod(0o644)
    data = place.read_bytes()
    if how == "missing":
        place.unlink()
        return
    place.write_bytes(data[: len(data) // 2] if how == "truncated" else bytes([data[0] ^ 1]) + data[1:])
    place.chmod(0o444)


def snapshot(directory: Path) -> dict[str, str]:
    """Every file below a directory with the md5 of its bytes."""
    files = (file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory).as_posix(): md5(file.read_bytes()) for file in files}


def build(base: Path) -> Repo:
    """Build it with the real git and dvc."""
    root = base / "repo"
    root.mkdir(parents=True)
    (base / "remote").mkdir()
    run("git", "init", "-q", cwd=root)
    dvc("init", "-q", cwd=root)
    dvc("config", "core.analytics", "false", cwd=root)
    dvc("remote", "add", "-d", "storage", os.path.join("..", "remote"), cwd=root)
    random_bytes = random.Random(7).randbytes
    (root / "model.bin").write_bytes(random_bytes(BIG))
    for number in range(30):
        file = root / "words" / ("en" if number % 2 else "de") / f"{number:02}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"word {number}\n")
    dvc("add", "-q", "model.bin", "words", cwd=root)
    _add_legacy(root)
    dvc("push", "-q", cwd=root)
    return Repo(base)


def _add_legacy(root: Path) -> None:
    """Two outputs as DVC 2 left them: `.dvc` files without `hash:`, another layout, CRLF hashed as LF."""
    text, binary = b"a,b\r\n1,2\r\n" * 50, b"\x00\r\n\x01" * 9
    (root / "old.csv").write_bytes(text)
    _keep(root, "old.csv", md5(text.replace(b"\r\n", b"\n")), text)
    (root / "olddir").mkdir()
    rows = []
    for name, data, digest in (("a.txt", text, md5(text.replace(b"\r\n", b"\n"))), ("b.bin", binary, md5(binary))):
        (root / "olddir" / name).write_bytes(data)
        _store(root, digest, data)
        rows.append({"md5": digest, "relpath": name})
    listing = json.dumps(rows).encode()
    _keep(root, "olddir", f"{md5(listing)}.dir", listing)


def _keep(root: Path, path: str, value: str, data: bytes) -> None:
    _store(root, value, data)
    (root / f"{path}.dvc").write_text(f"outs:\n- md5: {value}\n  path: {path}\n")


def _store(root: Path, value: str, data: bytes) -> None:
    place = root / ".dvc" / "cache" / value[:2] / value[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.write_bytes(data)
        place.chmod(0o444)
