"""Where an artifact's bytes are, for every way in which a commit can say it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.dvcio.facts import artifact_facts
from dvc_modelver.dvcio.project import declared
from dvc_modelver.errors import BadInput
from tests.dvcio.trees import MemoryTree

A, B = "a" * 32, "b" * 32


def _entry(path: str, md5: str = A, extra: str = "") -> str:
    return f"    - path: {path}\n      hash: md5\n      md5: {md5}\n      size: 5\n{extra}"


def _lock(**outs: str) -> str:
    return "schema: '2.0'\nstages:\n" + "".join(
        f"  {name}:\n    cmd: x\n    outs:\n{text}" for name, text in outs.items()
    )


def _facts(path: str, files: Mapping[str, str | bytes], listing: Mapping[str, str] | None = None) -> ArtifactFacts:
    yaml = files.get("dvc.yaml", "")
    assert isinstance(yaml, str)
    tree = MemoryTree({**files, "dvc.yaml": f"artifacts: {{m: {{path: '{path}', type: model}}}}\n{yaml}"})
    artifact = declared(tree).get("m")
    return artifact_facts(tree, artifact, listing=None if listing is None else lambda output: listing)


def test_an_output_of_a_pipeline_stage() -> None:
    """The lock file beside the `dvc.yaml` names digest and size."""
    facts = _facts(
        "m.pkl", {"dvc.yaml": "stages: {s: {cmd: x, outs: [m.pkl]}}\n", "dvc.lock": _lock(s=_entry("m.pkl"))}
    )
    assert (facts.source, facts.kind, facts.digest, facts.size) == (Source.STAGE, "file", f"md5:{A}", 5)
    assert facts.files_read == ("dvc.yaml", "dvc.lock")
    assert (facts.type, facts.problem) == ("model", None)


@pytest.mark.parametrize("written", ["m", "m/", "./m"])
def test_an_output_directory(written: str) -> None:
    """A directory is recognised by its digest, with the number of its files, however the stage writes its path."""
    files = {
        "dvc.yaml": f"stages: {{s: {{cmd: x, outs: [{written}]}}}}\n",
        "dvc.lock": _lock(s=_entry(written, f"{A}.dir", "      nfiles: 3\n")),
    }
    facts = _facts("m", files)
    assert (facts.kind, facts.digest, facts.files) == ("directory", f"md5:{A}.dir", 3)


def test_the_flags_of_the_definition_count() -> None:
    """`remote` comes along; an output with `cache: false` is not cached, and Git's blob is named."""
    files = {
        "dvc.yaml": "stages: {s: {cmd: x, outs: [m.pkl: {cache: false, remote: r}]}}\n",
        "dvc.lock": _lock(s=_entry("m.pkl")),
        "m.pkl": "bytes",
    }
    facts = _facts("m.pkl", files)
    assert facts.output is not None
    assert (facts.source, facts.output.cached, facts.output.remote) == (Source.STAGE, False, "r")
    assert facts.blob is not None


@pytest.mark.parametrize(
    ("definition", "stage", "written"),
    [
        ("{cmd: x, wdir: sub, outs: [m.pkl]}", "s", "m.pkl"),
        ("{cmd: x, wdir: other, outs: [../sub/m.pkl]}", "s", "../sub/m.pkl"),
        ("{foreach: [a, b], do: {cmd: x, outs: ['sub/${item}.pkl']}}", "s@m", "sub/m.pkl"),
        ("{foreach: [m], do: {cmd: x, wdir: sub, outs: ['${item}.pkl']}}", "s@m", "m.pkl"),
        ("{foreach: [sub], do: {cmd: x, wdir: '${item}', outs: [m.pkl]}}", "s@sub", "m.pkl"),
        ("{matrix: {a: [m]}, cmd: x, outs: ['sub/${item.a}.${ext}']}", "s@m", "sub/m.pkl"),
    ],
)
def test_working_directories_and_groups(definition: str, stage: str, written: str) -> None:
    """Paths are relative to `wdir`; stages of a group are found by the lock file."""
    files = {"dvc.yaml": f"stages:\n  s: {definition}\n", "dvc.lock": _lock(**{stage: _entry(written)})}
    assert _facts("sub/m.pkl", files).digest == f"md5:{A}"


@pytest.mark.parametrize(
    "definition", ["{cmd: x, outs: [other.pkl]}", "{cmd: x, wdir: sub, outs: [m.pkl]}", "{foreach: [a], do: {cmd: x}}"]
)
def test_a_stale_lock_entry_is_not_believed(definition: str) -> None:
    """What the definition no longer writes, or writes elsewhere, is not found, as in DVC."""
    files = {"dvc.yaml": f"stages:\n  s: {definition}\n", "dvc.lock": _lock(s=_entry("m.pkl"))}
    assert _facts("m.pkl", files).source is Source.MISSING


def test_a_stage_that_has_not_run_says_so() -> None:
    """Without a lock entry the problem names the stage and the command."""
    facts = _facts("m.pkl", {"dvc.yaml": "stages: {train: {cmd: x, outs: [m.pkl]}}\n"})
    assert facts.source is Source.MISSING
    assert facts.problem == "pipeline stage train has not run: run dvc repro"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("d/m.pkl.dvc", f"outs:\n- md5: {A}\n  size: 5\n  hash: md5\n  path: m.pkl\n"),
        ("elsewhere/any.dvc", f"wdir: ../d\nouts:\n- md5: {A}\n  size: 5\n  hash: md5\n  path: m.pkl\n"),
        ("root.dvc", f"outs:\n- md5: {A}\n  size: 5\n  hash: md5\n  path: d/m.pkl\n"),
    ],
)
def test_outputs_of_dvc_files(file: str, text: str) -> None:
    """A `.dvc` file beside the path, or anywhere with `wdir` or a longer path."""
    facts = _facts("d/m.pkl", {file: text})
    assert (facts.source, facts.digest, facts.size, facts.files_read) == (Source.DVC, f"md5:{A}", 5, ("dvc.yaml", file))


def test_files_that_dvc_2_wrote() -> None:
    """Without `hash:` the digest is of the text with Unix line ends, and lies elsewhere in the cache."""
    facts = _facts("m.pkl", {"m.pkl.dvc": f"outs:\n- md5: {A}\n  size: 5\n  path: m.pkl\n"})
    assert facts.output is not None
    assert facts.output.hash_name == "md5-dos2unix"


def test_imports_are_outputs() -> None:
    """`dvc import` and `dvc import-url` are read as `.dvc` files; one without bytes yet says so."""
    outs = f"outs:\n- md5: {A}\n  hash: md5\n  path: m.pkl\n"
    repo = "frozen: true\ndeps:\n- path: x\n  repo: {url: u, rev_lock: c}\n"
    assert _facts("m.pkl", {"m.pkl.dvc": repo + outs}).digest == f"md5:{A}"
    empty = "frozen: true\ndeps:\n- etag: e\n  path: s3://b/x\nouts:\n- hash: md5\n  path: m.pkl\n"
    facts = _facts("m.pkl", {"m.pkl.dvc": empty})
    assert (facts.source, facts.digest) == (Source.DVC, None)
    assert facts.problem is not None


_DIRECTORY = f"outs:\n- md5: {A}.dir\n  size: 9\n  nfiles: 3\n  hash: md5\n  path: m\n"


def test_a_file_inside_a_tracked_directory() -> None:
    """Its digest comes from the listing; without one the problem says what to do."""
    known = _facts("m/deep/x.bin", {"m.dvc": _DIRECTORY}, listing={"deep/x.bin": B, "y": A})
    assert (known.source, known.kind, known.digest, known.inside) == (Source.DVC, "file", f"md5:{B}", "deep/x.bin")
    assert known.output is not None
    assert (known.output.path, known.output.digest) == ("m", f"md5:{A}.dir")
    unknown = _facts("m/deep/x.bin", {"m.dvc": _DIRECTORY})
    assert (unknown.source, unknown.digest, unknown.inside) == (Source.DVC, None, "deep/x.bin")
    assert unknown.problem == "the listing of m is not at hand: run dvc fetch"


def test_a_folder_inside_a_tracked_directory() -> None:
    """A folder has the digest that DVC would give it as a directory of its own."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    facts = _facts("m/deep", {"m.dvc": _DIRECTORY}, listing={"deep/x": B, "deep/a/y": A, "deeper": A})
    theirs: Any = Tree()  # type: ignore[no-untyped-call]
    theirs.add(("x",), None, HashInfo("md5", B))
    theirs.add(("a", "y"), None, HashInfo("md5", A))
    theirs.digest()
    assert (facts.kind, facts.files, facts.digest) == ("directory", 2, f"md5:{theirs.hash_info.value}")


def test_a_file_that_the_directory_does_not_hold_is_missing() -> None:
    """A listing without the path ends the search."""
    facts = _facts("m/none", {"m.dvc": _DIRECTORY}, listing={"x": B})
    assert (facts.source, facts.problem) == (Source.MISSING, "m holds no none")


def test_listings_in_the_dvc_file_itself() -> None:
    """With cloud versioning the `.dvc` file lists the files: no other listing is needed."""
    files = f"  - {{relpath: x, md5: {B}, size: 2}}\n  - {{relpath: a/y, md5: {A}, size: 3}}\n"
    text = f"outs:\n- path: m\n  hash: md5\n  files:\n{files}"
    facts = _facts("m", {"m.dvc": text})
    assert (facts.kind, facts.files, facts.size) == ("directory", 2, 5)
    assert _facts("m/a/y", {"m.dvc": text}).digest == f"md5:{A}"


def test_files_and_directories_in_git() -> None:
    """Git's blob or tree is named; a file is hashed and measured."""
    facts = _facts("m.pkl", {"m.pkl": b"bytes"})
    assert (facts.source, facts.kind, facts.size) == (Source.GIT, "file", 5)
    assert facts.digest == f"md5:{hashlib.md5(b'bytes').hexdigest()}"
    assert facts.blob is not None
    folder = _facts("d", {"d/x": b"1"})
    assert (folder.source, folder.kind, folder.digest) == (Source.GIT, "directory", None)
    assert folder.blob is not None


def test_git_lfs_pointers_are_seen_through() -> None:
    """The pointer is not taken for the model: size and sha256 are those of the file it stands for."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'c' * 64}\nsize 12345\n"
    facts = _facts("m.pkl", {"m.pkl": pointer})
    assert (facts.source, facts.size, facts.lfs, facts.digest) == (Source.GIT, 12345, "c" * 64, None)


def test_urls_stay_urls() -> None:
    """A URL is its own source, unless a `.dvc` file or stage names its digest."""
    facts = _facts("s3://b/m.pkl", {})
    assert (facts.source, facts.path, facts.digest) == (Source.URL, "s3://b/m.pkl", None)
    external = {"x.dvc": "outs:\n- etag: abc\n  size: 3\n  path: s3://b/m.pkl\n"}
    assert _facts("s3://b/m.pkl", external).digest == "etag:abc"


def test_nothing_there_is_missing() -> None:
    """The problem says where it was looked for."""
    facts = _facts("m.pkl", {})
    assert facts.source is Source.MISSING
    assert facts.problem == "no pipeline stage, .dvc file or file in Git at m.pkl"


def test_a_commit_that_does_not_declare_it() -> None:
    """A tag can be older than the declaration: missing, with a problem, no exception."""
    facts = artifact_facts(MemoryTree({}), None)
    assert (facts.source, facts.path) == (Source.MISSING, None)
    assert facts.problem == "this commit does not declare the artifact"


@pytest.mark.parametrize("path", ["../x", ".git/config", "/etc/passwd", "a/../../x"])
def test_paths_that_lead_out_are_never_looked_up(path: str) -> None:
    """The tree is not asked for a path outside of it."""
    tree = MemoryTree({"dvc.yaml": f"artifacts: {{m: {{path: '{path}'}}}}\n"})
    facts = artifact_facts(tree, declared(tree).get("m"))
    assert (facts.source, facts.path) == (Source.MISSING, None)
    assert not [asked for asked in tree.asked if ".." in asked or asked.startswith(("/", ".git"))]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", ".git/config", "~/x"])
def test_outputs_that_lead_out_are_left_out(path: str) -> None:
    """Neither a lock entry nor a `.dvc` file can name bytes outside of the tree."""
    files = {
        "dvc.yaml": f"stages: {{s: {{cmd: x, outs: ['{path}']}}}}\n",
        "dvc.lock": _lock(s=_entry(f"'{path}'")),
        "x.dvc": f"wdir: ../..\nouts:\n- md5: {A}\n  path: m.pkl\n",
        "y.dvc": f"outs:\n- md5: {A}\n  path: '{path}'\n",
    }
    assert _facts("m.pkl", files).source is Source.MISSING


@pytest.mark.parametrize("digest", ["../../etc/passwd", "xyz", "12"])
def test_digests_that_are_not_hex_are_refused(digest: str) -> None:
    """A `.dvc` file with a path for a digest is bad input, not a path."""
    with pytest.raises(BadInput, match="not an md5 digest"):
        _facts("m.pkl", {"m.pkl.dvc": f"outs:\n- md5: {digest}\n  path: m.pkl\n"})


@pytest.mark.parametrize(
    "text", ["- 1\n", "outs: 1\n", "outs: [1]\n", "outs: [{md5: a}]\n", "<<<<<<< HEAD\nouts:\n", ""]
)
def test_broken_dvc_files_are_bad_input(text: str) -> None:
    """The file that names the bytes must be readable; the message names it."""
    with pytest.raises(BadInput, match=r"^m\.pkl\.dvc: "):
        _facts("m.pkl", {"m.pkl.dvc": text})


def test_broken_files_elsewhere_do_no_harm() -> None:
    """Only the files that matter are believed or blamed."""
    files = {
        "z/dvc.yaml": "a: [",
        "z/dvc.lock": "x",
        "z.dvc": "- 1",
        "w/any.dvc": f"outs: [{{md5: {A}, path: ../m.pkl}}]",
    }
    assert _facts("m.pkl", {**files, "q/any.dvc": f"wdir: ..\nouts: [{{md5: {A}, path: m.pkl}}]"}).digest == f"md5:{A}"


def test_subrepositories_own_what_lies_below() -> None:
    """Outputs below a directory with its own `.dvc` belong to that DVC repository."""
    tree = MemoryTree({
        "sub/.dvc/config": "",
        "sub/dvc.yaml": "artifacts: {m: {path: deep/m.pkl}}\n",
        "sub/deep/m.pkl.dvc": f"outs: [{{md5: {A}, path: m.pkl}}]",
    })  # fmt: skip
    facts = artifact_facts(tree, declared(tree).get("sub:m"))
    assert facts.path == "sub/deep/m.pkl"
    assert facts.output == Output(path="sub/deep/m.pkl", digest=f"md5:{A}", hash_name="md5-dos2unix", root="sub")


def test_the_model_of_a_stage_elsewhere() -> None:
    """The artifact may be declared in one `dvc.yaml` and made by another."""
    files = {"pipe/dvc.yaml": "stages: {s: {cmd: x, outs: [../m.pkl]}}\n", "pipe/dvc.lock": _lock(s=_entry("../m.pkl"))}
    facts = _facts("m.pkl", files)
    assert facts.files_read == ("dvc.yaml", "pipe/dvc.yaml", "pipe/dvc.lock")


def test_the_usual_case_does_not_walk_the_tree() -> None:
    """What the artifact's own lock file says is found without listing files: 1,000 versions stay cheap."""

    class NoWalk(MemoryTree):
        def files(self, *names: str):  # type: ignore[no-untyped-def]
            raise AssertionError("walked")

    tree = MemoryTree({
        "dvc.yaml": "artifacts: {m: {path: m.pkl}}\nstages: {s: {cmd: x, outs: [m.pkl]}}\n",
        "dvc.lock": _lock(s=_entry("m.pkl")),
    })  # fmt: skip
    (artifact,) = declared(tree).artifacts
    assert artifact_facts(NoWalk(tree.data), artifact).digest == f"md5:{A}"
