"""A repository with one model of given bytes in two versions, in Git and real DVC, for rows that move or hash bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BLOCK = 1 << 20


def build(path: Path, env: Mapping[str, str], *, files: int, size: int, differ: float, link: str) -> None:
    """`bench@v0.1.0` and `bench@v0.2.0`, the latter at HEAD; the cache has both.

    Args:
        files: 1 gives a model that is a file, more a directory of so many.
        size: bytes of each file.
        differ: share of the files that differ between the two.
        link: DVC's `cache.type`.
    """
    path.mkdir(parents=True)
    for words in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(words, cwd=path, env=env, check=True)
    (path / ".dvc/config").write_text(f"[core]\n    analytics = false\n[cache]\n    type = {link}\n")
    (path / "dvc.yaml").write_text("artifacts:\n  bench:\n    path: models/bench\n    type: model\n")
    (path / "models").mkdir()
    (path / "models/.gitignore").write_text("/bench\n")
    draw = random.Random(7)
    changed = set(draw.sample(range(files), max(1, round(files * differ))))
    seeds = [[n, n] for n in range(files)]
    for n in changed:
        seeds[n][1] = files + n
    for number in (0, 1):
        _version(path, [pair[number] for pair in seeds], size)
        subprocess.run(["git", "add", "-A"], cwd=path, env=env, check=True)
        subprocess.run(["git", "commit", "-q", "-m", f"Bytes {number + 1}"], cwd=path, env=env, check=True)
        tag = f"bench@v0.{number + 1}.0"
        subprocess.run(["git", "tag", "-a", "-m", tag, tag], cwd=path, env=env, check=True)
    place(path, link)


def _version(path: Path, seeds: list[int], size: int) -> None:
    rows = [(f"{n:05}.bin", _object(path, seed, size)) for n, seed in enumerate(seeds)]
    if len(rows) == 1:
        digest, extra = rows[0][1], ""
    else:
        listing = json.dumps([{"md5": md5, "relpath": name} for name, md5 in rows]).encode()
        digest = f"{hashlib.md5(listing).hexdigest()}.dir"
        _keep(path, digest, listing)
        extra = f"  nfiles: {len(rows)}\n"
    text = f"outs:\n- md5: {digest}\n  size: {size * len(rows)}\n{extra}  hash: md5\n  path: bench\n"
    (path / "models/bench.dvc").write_text(text)


def _object(path: Path, seed: int, size: int) -> str:
    """An object of `size` bytes that `seed` decides."""
    block = random.Random(seed).randbytes(min(BLOCK, size))
    whole, rest = divmod(size, len(block)) if block else (0, 0)
    hasher = hashlib.md5()
    scratch = path / ".dvc/tmp/object"
    scratch.parent.mkdir(exist_ok=True)
    with open(scratch, "wb") as out:
        for part in (*[block] * whole, block[:rest]):
            hasher.update(part)
            out.write(part)
    digest = hasher.hexdigest()
    place = _place(path, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(scratch, place)
    place.chmod(0o444)
    return digest


def _keep(path: Path, digest: str, data: bytes) -> None:
    place = _place(path, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(0o444)


def _place(path: Path, digest: str) -> Path:
    return path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def model(path: Path) -> str:
    """The digest that the work tree's `.dvc` file names."""
    lines = (path / "models/bench.dvc").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "md5: " in line)


def place(path: Path, link: str) -> None:
    """Put the bytes that HEAD names into the work tree, all anew."""
    target, digest = path / "models/bench", model(path)
    shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink(missing_ok=True)
    rows = [("", digest)]
    if digest.endswith(".dir"):
        target.mkdir()
        rows = [(row["relpath"], row["md5"]) for row in json.loads(_place(path, digest).read_bytes())]
    for name, md5 in rows:
        where = target / name if name else target
        if link == "hardlink":
            os.link(_place(path, md5), where)
        else:
            shutil.copyfile(_place(path, md5), where)


def object_of(path: Path) -> Path:
    """The object of the model that HEAD names."""
    return _place(path, model(path))
