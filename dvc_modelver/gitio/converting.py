"""Files as Git puts them into a work tree: line ends, encodings and filters (LFS) applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dvc_modelver.core.overlay import Files
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.process import GitProcess

_ATTRIBUTES = ("text", "eol", "crlf", "filter", "ident", "working-tree-encoding")


def as_checked_out(git: GitProcess, files: Files) -> Files:
    """The blobs `files` as `git checkout` would write them at their paths; those that nothing converts as they are."""
    blobs = {path: data for path, data in files.items() if data is not None and "\n" not in path}
    wanted = blobs if _converts_all(git) else {path: blobs[path] for path in _with_attributes(git, blobs)}
    return {**files, **_converted(git, wanted)} if wanted else files


def cleaned_blob(git: GitProcess, path: str, data: bytes) -> str:
    """The id of the blob that `git add` would make of `data` at `path`."""
    return git.run("hash-object", "--stdin", f"--path={path}", stdin=data).decode("ascii").strip()


def _converts_all(git: GitProcess) -> bool:
    return git.config.get("core.autocrlf", "").lower() in ("true", "yes", "on", "1")


def _with_attributes(git: GitProcess, paths: Iterable[str]) -> set[str]:
    names = "\0".join(paths).encode("utf-8", "surrogateescape")
    fields = git.text("check-attr", "-z", "--stdin", *_ATTRIBUTES, stdin=names).split("\0")
    rows = zip(fields[0::3], fields[2::3], strict=False)
    return {path for path, value in rows if value not in ("unspecified", "unset")}


def _converted(git: GitProcess, blobs: Mapping[str, bytes]) -> dict[str, bytes]:
    """By git itself, through an index of their own, so that one process does all of them."""
    with scratch("convert") as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        raw = [_put(folder / str(number), data) for number, data in enumerate(blobs.values())]
        listed = "\n".join(map(str, raw)).encode("utf-8", "surrogateescape")
        oids = git.text("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed).split()
        rows = "".join(f"100644 {oid}\t{path}\0" for oid, path in zip(oids, blobs, strict=True))
        git.run("update-index", "-z", "--index-info", stdin=rows.encode("utf-8", "surrogateescape"), env=env)
        git.run("checkout-index", "--all", "--quiet", f"--prefix={folder}/out/", env=env)
        return {path: (folder / "out" / path).read_bytes() for path in blobs}


def _put(place: Path, data: bytes) -> Path:
    place.write_bytes(data)
    return place
