"""Which artifacts a tree declares, and what is wrong with them."""

from __future__ import annotations

import time

import pytest

from dvc_modelver.dvcio.project import declared, declared_one
from dvc_modelver.errors import BadInput
from tests.dvcio.trees import MemoryTree


def _one(yaml: str, name: str = "m", **files: str) -> str | None:
    artifact = declared(MemoryTree({"dvc.yaml": yaml, **files})).get(name)
    assert artifact is not None
    return artifact.problem


def test_an_entry_is_read_in_full() -> None:
    """Path, type, description, labels and meta stand as written."""
    text = "artifacts:\n  m:\n    path: a/m.pkl\n    type: model\n    desc: d\n    labels: [x, y]\n    meta: {k: [1]}\n"
    (artifact,) = declared(MemoryTree({"dvc.yaml": text})).artifacts
    assert (artifact.name, artifact.file, artifact.path, artifact.type) == ("m", "dvc.yaml", "a/m.pkl", "model")
    assert (artifact.desc, artifact.labels, artifact.meta) == ("d", ("x", "y"), {"k": [1]})
    assert artifact.problem is None


def test_names_below_the_root_carry_their_directory() -> None:
    """An artifact of `path/to/dir/dvc.yaml` is `path/to/dir:name`; names are sorted; each file is read."""
    text = "artifacts: {m: {path: m.pkl}}\n"
    tree = MemoryTree({"dvc.yaml": text, "a/b/dvc.yaml": text, "c/dvc.yaml": text, "other.yaml": text})
    assert [artifact.name for artifact in declared(tree).artifacts] == ["a/b:m", "c:m", "m"]
    assert declared_one(tree, "a/b:m") == declared(tree).get("a/b:m")


def test_one_name_is_found_without_walking() -> None:
    """`declared_one` reads no other `dvc.yaml`."""
    tree = MemoryTree({"dvc.yaml": "a: [", "sub/dvc.yaml": "artifacts: {m: {path: m.pkl}}\n"})
    assert declared_one(tree, "sub:m") is not None
    assert "dvc.yaml" not in tree.asked
    assert declared_one(tree, "sub:other") is None
    assert declared_one(tree, "nowhere:m") is None
    with pytest.raises(BadInput, match=r"^dvc\.yaml: "):
        declared_one(tree, "m")


@pytest.mark.parametrize("text", ["", "stages: {}\n", "artifacts:\n", "artifacts: null\n", "artifacts: {}\n"])
def test_no_artifacts_is_no_problem(text: str) -> None:
    """A file without artifacts declares nothing."""
    found = declared(MemoryTree({"dvc.yaml": text}))
    assert (found.artifacts, found.problems) == ((), ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("artifacts: [1]\n", "dvc.yaml: artifacts is not a mapping of names"),
        ("artifacts: m\n", "dvc.yaml: artifacts is not a mapping of names"),
        ("[1]\n", "dvc.yaml: not a mapping"),
        ("a: [\n", "dvc.yaml: line 2: "),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n", "dvc.yaml: line 2: conflict markers"),
        ("a: !!python/object/apply:os.system [x]\n", "dvc.yaml: line 1: tag"),
        ("a: " + "[" * 20_000, "dvc.yaml: line 1: nested deeper"),
    ],
)
def test_a_broken_file_hides_no_other(text: str, problem: str) -> None:
    """A `dvc.yaml` that cannot be read is one problem; the artifacts of the others are there."""
    found = declared(MemoryTree({"dvc.yaml": text, "b/dvc.yaml": "artifacts: {m: {path: m.pkl}}\n"}))
    assert [artifact.name for artifact in found.artifacts] == ["b:m"]
    (fault,) = found.problems
    assert fault.file == "dvc.yaml"
    assert fault.problem.startswith(problem)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{path: 1}", "'path' is not text"),
        ("{type: model}", "it has no 'path'"),
        ("{path: m.pkl, type: [model]}", "'type' is not text"),
        ("{path: m.pkl, desc: 1}", "'desc' is not text"),
        ("{path: m.pkl, labels: x}", "'labels' is not a list of texts"),
        ("{path: m.pkl, labels: [1]}", "'labels' is not a list of texts"),
        ("{path: m.pkl, version: 1}", "unknown key 'version'"),
        ("m.pkl", "its entry is not a mapping"),
        ("null", "its entry is not a mapping"),
        ("{path: '${model}'}", "its path is a template; write the path itself"),
    ],
)
def test_an_entry_of_a_wrong_shape_is_listed_with_its_problem(entry: str, problem: str) -> None:
    """Wrong types cost the entry its release, not its place in the list."""
    assert _one(f"artifacts:\n  m: {entry}\n") == problem


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../../etc/passwd", "a/../../x", "..", ".", "", " ", "~", "~/x", "~root/x", "C:\\x", "c:x",
        "a\\..\\x", "file:///etc/passwd", "FILE://x", "javascript://x", ".git/config", ".GIT/hooks/x", "a/.git/x",
        "a/.Git", ".git. /x",
        "git~1/x", ".g\u200cit/config", ".git::$INDEX_ALLOCATION/x", ".dvc/config", "a\nb", "a\x00b", "\x1b[31m", "s3://b/\n",
    ],
)  # fmt: skip
def test_paths_that_lead_out_are_refused(path: str) -> None:
    """No path leaves the repository, reaches Git's or DVC's own files, or means something else elsewhere."""
    import json

    assert _one(f"artifacts:\n  m: {{path: {json.dumps(path)}}}\n") is not None


@pytest.mark.parametrize(
    "path",
    ["m.pkl", "./a/m.pkl", "a/b/../m.pkl", "a b/é.bin", "a/", "..a/x", ".github/x", "a.git/x", "s3://b/x", "gs://b/x",
     "azure://c/x", "https://h/x", "ssh://u:p@h/x", "hdfs://h/x", "remote://r/x"],
)  # fmt: skip
def test_paths_inside_and_urls_are_allowed(path: str) -> None:
    """Ordinary paths, and URLs of the places where DVC keeps data."""
    assert _one(f"artifacts:\n  m: {{path: '{path}'}}\n") is None


def test_a_path_may_leave_its_directory_but_not_the_repository() -> None:
    """`..` in a subdirectory reaches its neighbours."""
    tree = MemoryTree({"a/dvc.yaml": "artifacts: {m: {path: ../b/m.pkl}, n: {path: ../../n.pkl}}\n"})
    problems = {artifact.name: artifact.problem for artifact in declared(tree).artifacts}
    assert problems == {"a:m": None, "a:n": "the path leads out of the repository"}


@pytest.mark.parametrize(("path", "link"), [("link/m.pkl", "link"), ("a/m.pkl", "a/m.pkl"), ("a/in/x", "a/in")])
def test_paths_through_symbolic_links_are_refused(path: str, link: str) -> None:
    """A link on the way, or at the end, is named."""
    tree = MemoryTree({"dvc.yaml": f"artifacts: {{m: {{path: {path}}}}}\n", "a/file": ""}, links={link: "/etc"})
    (artifact,) = declared(tree).artifacts
    assert artifact.problem == f"the path leads through the symbolic link {link}"


@pytest.mark.parametrize(
    "name", ["-x", "a b", "a..b", "a~1", "a:b", "a//b", "/a", "a/", "é", "a.b", "a\x1b", "x\u202e"]
)
def test_names_that_cannot_be_tagged_are_listed_with_a_problem(name: str) -> None:
    """GTO's grammar decides; nothing is renamed."""
    import json

    problem = _one(f"artifacts:\n  {json.dumps(name)}: {{path: m.pkl}}\n", name)
    assert problem is not None
    assert "name" in problem


def test_a_name_that_is_no_text_is_listed() -> None:
    """A number as a name is shown as DVC would write it, with what to do."""
    assert _one("artifacts:\n  1: {path: m.pkl}\n", "1") == "its name is not text; quote it"


def test_a_directory_that_tags_cannot_name_is_a_problem() -> None:
    """The directory is part of the name, so its characters count."""
    (artifact,) = declared(MemoryTree({"a b/dvc.yaml": "artifacts: {m: {path: m.pkl}}\n"})).artifacts
    assert artifact.name == "a b:m"
    assert artifact.problem is not None


def test_gto_era_files_fill_in() -> None:
    """`artifacts.yaml` at the root declares what no `dvc.yaml` does; elsewhere it is not read."""
    tree = MemoryTree({
        "dvc.yaml": "artifacts: {m: {path: new.pkl}}\n",
        "artifacts.yaml": (
            "m: {path: old.pkl}\nn: {path: n.pkl, type: model, description: d, custom: {a: 1}}\nv: {}\n"
        ),
        "sub/artifacts.yaml": "x: {path: x.pkl}\n",
    })  # fmt: skip
    found = declared(tree)
    assert [(artifact.name, artifact.path, artifact.file) for artifact in found.artifacts] == [
        ("m", "new.pkl", "dvc.yaml"),
        ("n", "n.pkl", "artifacts.yaml"),
        ("v", None, "artifacts.yaml"),
    ]
    assert declared_one(tree, "n") == found.get("n")
    old = found.get("n")
    assert old is not None
    assert (old.desc, old.meta, old.problem) == ("d", {"a": 1}, None)


def test_ten_thousand_artifacts_are_read_in_linear_time() -> None:
    """A huge file is slow in proportion only."""
    text = "artifacts:\n" + "".join(f"  m{at}: {{path: models/m{at}.pkl}}\n" for at in range(10_000))
    began = time.perf_counter()
    assert len(declared(MemoryTree({"dvc.yaml": text})).artifacts) == 10_000
    assert time.perf_counter() - began < 10
