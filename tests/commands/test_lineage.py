"""Where a version comes from: the graph of its commit, and the origins that history gives."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.provenance.lineage import lineage
from dvc_modelver.core.lineage import EdgeKind, Lineage, Node, NodeKind
from dvc_modelver.core.origins import trace
from dvc_modelver.errors import DataError
from dvc_modelver.gitio.log import read_log
from dvc_modelver.gitio.process import GitProcess, scrubbed
from tests.support import DvcRepo, Git, Modelver
from tests.support.repos import put_object

MODEL = "models/churn.bin"


def graph(repo: DvcRepo | Git, text: str = "churn") -> Lineage:
    """The lineage that a command started in the repository would show."""
    git = repo.git if isinstance(repo, DvcRepo) else repo
    with Project(Surroundings(directory=git.path, env=git.env)) as project:
        return lineage(project, project.resolve(text))


def node(found: Lineage, kind: NodeKind, label: str) -> Node:
    """The one node of that kind with that label."""
    (only,) = [n for n in found.nodes if n.kind is kind and n.label == label]
    return only


def model(found: Lineage) -> Node:
    return node(found, NodeKind.ARTIFACT, f"churn ({MODEL})")


def origin(found: Node) -> str | None:
    return found.origin.commit if found.origin is not None else None


def causes(found: Lineage, effect: Node) -> set[tuple[str, str]]:
    """(edge, cause's kind and label)."""
    by_id = {n.id: n for n in found.nodes}
    sources = ((edge.kind, by_id[edge.source]) for edge in found.edges if edge.target == effect.id)
    return {(kind.value, f"{cause.kind.value} {cause.label}") for kind, cause in sources}


# The graph ------------------------------------------------------------------------------------------------------


def test_all_of_a_version(dvc_repo: DvcRepo) -> None:
    """Each thing on the way is a node, each edge leads from cause to effect, and what measured it is there too."""
    dvc_repo.git.tag("churn@v0.1.0")
    second = dvc_repo.fake_train(8)
    dvc_repo.git.tag("churn@v0.2.0")
    dvc_repo.git.tag("churn#prod#1")
    found = graph(dvc_repo)
    ids = {n.id for n in found.nodes}
    assert found.root == "version:churn@v0.2.0"
    assert "version:churn@v0.1.0" in ids
    assert "stage:churn#prod@1" in ids
    root = next(n for n in found.nodes if n.id == found.root)
    assert causes(found, root) == {("released", f"artifact churn ({MODEL})"), ("previous", "version churn@v0.1.0")}
    assert causes(found, node(found, NodeKind.STAGE, "churn#prod")) == {("promoted", "version churn@v0.2.0")}
    train = node(found, NodeKind.PIPELINE_STAGE, "train")
    assert causes(found, model(found)) == {("produced", "pipeline-stage train")}
    used = {"data data/prepared.csv", "code src/train.py", "params params.yaml"}
    assert causes(found, train) == {("used", cause) for cause in used}
    prepare = {"data data/raw.csv", "code src/prepare.py", "params params.yaml"}
    assert causes(found, node(found, NodeKind.PIPELINE_STAGE, "prepare")) == {("used", cause) for cause in prepare}
    assert causes(found, node(found, NodeKind.DATA, "metrics.json")) == {("produced", "pipeline-stage evaluate")}
    params = node(found, NodeKind.PARAMS, "params.yaml")
    assert dict(params.details) == {"prepare.keep": "30", "train.depth": "8", "train.lr": "1e-05"}
    assert (origin(params), origin(train), origin(model(found))) == (second, second, second)
    assert found.complete
    assert found.notes == ()


def test_pipeline_stages_are_those_of_dvc_dag(dvc_repo: DvcRepo) -> None:
    """Which pipeline stage feeds which is what `dvc dag` says."""
    dvc_repo.git.tag("churn@v0.1.0")
    found = graph(dvc_repo)
    ours = set()
    stages = {n.id: n.label for n in found.nodes if n.kind is NodeKind.PIPELINE_STAGE}
    made = {edge.target: edge.source for edge in found.edges if edge.kind is EdgeKind.PRODUCED}
    for edge in found.edges:
        if edge.kind is EdgeKind.USED and edge.target in stages and edge.source in made:
            ours.add((stages[made[edge.source]], stages[edge.target]))
    dag = dvc_repo.dvc(["dag", "--dot"])
    theirs = {pair for pair in re.findall(r'"([^"]+)" -> "([^"]+)"', dag) if not pair[0].endswith(".dvc")}
    assert ours == theirs
    assert ours


def test_secrets_are_hidden(dvc_repo: DvcRepo) -> None:
    """Neither params nor commands nor URLs show a password."""
    yaml, lock = dvc_repo.path / "dvc.yaml", dvc_repo.path / "dvc.lock"
    for file in (yaml, lock):
        file.write_text(
            file.read_text().replace("cmd: python src/train.py", "cmd: python src/train.py --token hunter2")
        )
    lock.write_text(lock.read_text().replace("        train:\n", "        api_key: hunter2\n        train:\n"))
    dvc_repo.git.commit("With a secret")
    dvc_repo.git.tag("churn@v0.1.0")
    found = graph(dvc_repo)
    assert "hunter2" not in repr(found)
    assert "***" in repr(found)


# Origins --------------------------------------------------------------------------------------------------------


def test_what_comes_back_keeps_its_first_origin(dvc_repo: DvcRepo) -> None:
    """A revert is no origin: the digest's first commit stays, and the commit of its return is named."""
    first = dvc_repo.git.rev()
    dvc_repo.fake_train(8)
    back = dvc_repo.fake_train(6)
    dvc_repo.git.tag("churn@v0.1.0")
    found = model(graph(dvc_repo))
    assert (origin(found), found.returned) == (first, (back,))


def test_params_are_as_old_as_their_values(dvc_repo: DvcRepo) -> None:
    """Other keys, comments, spelling and place of the file do not matter; the values that were used do."""
    git, file = dvc_repo.git, dvc_repo.path / "params.yaml"
    first = git.rev()
    changed = file.read_text()
    git.commit("Other", {"params.yaml": f"# Why\nnew: [1, 2]\n{changed}".replace("1e-05", "0.00001")})
    git.commit("Plain", {"params.yaml": f"other: {{a: 1}}\n{changed}"})
    git.tag("churn@v0.1.0")
    found = node(graph(dvc_repo), NodeKind.PARAMS, "params.yaml")
    assert (origin(found), found.returned) == (first, ())
    dvc_repo.fake_train(7)
    back = dvc_repo.fake_train(6)
    git.tag("churn@v0.2.0")
    found = node(graph(dvc_repo), NodeKind.PARAMS, "params.yaml")
    assert (origin(found), found.returned) == (first, (back,))


def test_an_environment(dvc_repo: DvcRepo) -> None:
    """What pins the packages was used by the model's own pipeline stage, and has its own origin."""
    pinned = dvc_repo.git.commit("Pin", {"requirements.txt": "numpy==2.0.0\n"})
    dvc_repo.git.commit("Later", {"x": "1"})
    dvc_repo.git.tag("churn@v0.1.0")
    found = graph(dvc_repo)
    assert origin(node(found, NodeKind.ENVIRONMENT, "requirements.txt")) == pinned
    assert ("used", "environment requirements.txt") in causes(found, node(found, NodeKind.PIPELINE_STAGE, "train"))


def test_renamed_files_and_pipeline_stages_keep_their_origin(dvc_repo: DvcRepo) -> None:
    """The digest is what counts; the path that it had then is told."""
    git = dvc_repo.git
    first = git.rev()
    git("mv", "src/train.py", "src/fit.py")
    for name in ("dvc.yaml", "dvc.lock"):
        file = dvc_repo.path / name
        text = file.read_text().replace("  train:\n    cmd", "  fit:\n    cmd").replace("src/train.py", "src/fit.py")
        file.write_text(text.replace(MODEL, "models/renamed.bin"))
    git.commit("Rename everything")
    git.tag("churn@v0.1.0")
    found = graph(dvc_repo)
    artifact, code = (
        node(found, NodeKind.ARTIFACT, "churn (models/renamed.bin)"),
        node(found, NodeKind.CODE, "src/fit.py"),
    )
    assert origin(artifact) == first == origin(code)
    assert artifact.origin is not None
    assert artifact.origin.path == MODEL
    assert code.origin is not None
    assert code.origin.path == "src/train.py"


def test_a_renamed_pipeline_stage_keeps_its_origin(dvc_repo: DvcRepo) -> None:
    """A lock entry under another name is the same entry."""
    first = dvc_repo.git.rev()
    for name in ("dvc.yaml", "dvc.lock"):
        file = dvc_repo.path / name
        file.write_text(file.read_text().replace("  train:\n    cmd", "  fit:\n    cmd"))
    dvc_repo.git.commit("Rename a stage")
    dvc_repo.git.tag("churn@v0.1.0")
    found = node(graph(dvc_repo), NodeKind.PIPELINE_STAGE, "fit")
    assert found.origin is not None
    assert (found.origin.commit, found.origin.path) == (first, "dvc.yaml:train")


def test_merges(dvc_repo: DvcRepo) -> None:
    """A merge that takes a side's model is no origin, an octopus neither; one that makes a new model is."""
    git = dvc_repo.git
    start = git.rev()
    git("switch", "-q", "-c", "side")
    side = dvc_repo.fake_train(8)
    git("switch", "-q", "-c", "other", start)
    git.commit("Elsewhere", {"other.txt": "1"})
    git("switch", "-q", "main")
    git.commit("Meanwhile", {"main.txt": "1"})
    git("merge", "-q", "--no-ff", "-m", "Octopus", "side", "other")
    assert len(git("rev-list", "--parents", "-1", "HEAD").split()) == 4
    git.tag("churn@v0.1.0")
    assert origin(model(graph(dvc_repo))) == side
    git("switch", "-q", "-c", "third")
    git.commit("More", {"third.txt": "1"})
    git("switch", "-q", "main")
    git("merge", "-q", "--no-ff", "--no-commit", "third")
    evil = dvc_repo.fake_train(9, "An evil merge")
    git.tag("churn@v0.2.0")
    assert len(git("rev-list", "--parents", "-1", evil).split()) == 3
    assert origin(model(graph(dvc_repo))) == evil


@pytest.mark.parametrize("skew", [3600, -3600])
def test_made_twice(dvc_repo: DvcRepo, skew: int) -> None:
    """Made on two branches independently, it is from the line of first parents, whatever the clocks say."""
    git = dvc_repo.git
    git("switch", "-q", "-c", "side")
    dvc_repo.fake_train(8)
    git("switch", "-q", "main")
    git.clock.tick(skew)
    here = dvc_repo.fake_train(8, "The same, here")
    git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    git.tag("churn@v0.1.0")
    assert origin(model(graph(dvc_repo))) == here


def test_clocks_are_not_believed(dvc_repo: DvcRepo) -> None:
    """A later commit that claims to be older is still later."""
    first = dvc_repo.fake_train(8)
    dvc_repo.git.clock.tick(-(10**7))
    dvc_repo.fake_train(7)
    dvc_repo.fake_train(8, "Back, ten months before")
    dvc_repo.git.tag("churn@v0.1.0")
    assert origin(model(graph(dvc_repo))) == first


def test_replacements_and_grafts_are_ignored(dvc_repo: DvcRepo) -> None:
    """The history is the one that was committed; that another one is pretended is said."""
    git = dvc_repo.git
    first = git.rev()
    git.commit("Between", {"x": "1"})
    last = git.commit("Last", {"x": "2"})
    git.tag("churn@v0.1.0")
    git("replace", "--graft", last)
    found = graph(dvc_repo)
    assert origin(model(found)) == first
    assert any("replacements" in note for note in found.notes)
    git("replace", "-d", last)
    (git.path / ".git" / "info" / "grafts").write_text(f"{last}\n")
    found = graph(dvc_repo)
    assert origin(model(found)) == first
    assert any("grafts" in note for note in found.notes)
    assert found.complete


def test_a_shallow_clone_says_where_history_ends(dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """What was there at the boundary has no origin; what came later has one."""
    git = dvc_repo.git
    dvc_repo.fake_train(8)
    boundary = git.commit("Between", {"x": "1"})
    last = dvc_repo.fake_train(9)
    git.tag("churn@v0.1.0")
    git("clone", "-q", "--depth=2", f"file://{git.path}", str(tmp_path / "shallow"))
    found = graph(git.at(tmp_path / "shallow"))
    assert origin(model(found)) == last
    assert origin(node(found, NodeKind.DATA, "data/raw.csv")) is None
    assert not found.complete
    assert any(boundary[:12] in note for note in found.notes)


def test_of_another_repository_by_url(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """A repository that is fetched one commit deep is fetched whole before anything is said of its origins."""
    first = dvc_repo.git.rev()
    dvc_repo.git.commit("Later", {"x": "1"})
    dvc_repo.git.tag("churn@v0.1.0")
    answer = modelver("lineage", "churn", "--repo", f"file://{dvc_repo.path}", "--json", cwd=tmp_path).json
    (found,) = [n for n in answer["nodes"] if n["kind"] == "artifact"]
    assert found["origin"]["commit"] == first
    assert answer["complete"]


def test_stale_code_is_what_the_stage_read(dvc_repo: DvcRepo) -> None:
    """Code that was changed after the last run: the node is the code that ran, and names the committed one."""
    first = dvc_repo.git.rev()
    dvc_repo.git.commit("Edit without a run", {"src/train.py": "print()\n"})
    dvc_repo.git.tag("churn@v0.1.0")
    found = node(graph(dvc_repo), NodeKind.CODE, "src/train.py")
    assert (found.digest or "").startswith("md5:")
    assert found.details["committed"].startswith("git:")
    assert origin(found) == first


def test_an_artifact_inside_a_directory(dvc_repo: DvcRepo) -> None:
    """A file of a tracked directory is older than the directory's last state; without the listing that is not known."""
    git = dvc_repo.git
    file, states = b"the model", []
    for extra in (b"one", b"two"):
        names = {"extra": extra, "model.bin": file}
        listed = [{"md5": hashlib.md5(data).hexdigest(), "relpath": name} for name, data in sorted(names.items())]
        listing = json.dumps(listed).encode()
        digest = hashlib.md5(listing).hexdigest()
        place = put_object(dvc_repo.cache, listing)
        place = place.rename(place.with_name(f"{place.name}.dir"))
        dvc = f"outs:\n- md5: {digest}.dir\n  size: 12\n  nfiles: 2\n  hash: md5\n  path: kept\n"
        yaml = "artifacts:\n  inner:\n    path: kept/model.bin\n    type: model\n"
        states.append((git.commit(extra.decode(), {"kept.dvc": dvc, "dvc.yaml": yaml}), place))
    git.tag("inner@v0.1.0")
    found = graph(dvc_repo, "inner")
    inner = node(found, NodeKind.ARTIFACT, "inner (kept/model.bin)")
    assert origin(inner) == states[0][0]
    assert found.complete
    os.remove(states[0][1])
    assert not graph(dvc_repo, "inner").complete


# Around it ------------------------------------------------------------------------------------------------------


def test_an_experiment(dvc_repo: DvcRepo) -> None:
    """The experiment that the commit is, or that our commit of the card stands on, is a cause; a stranger is not."""
    git = dvc_repo.git
    base = git.rev()
    exp = dvc_repo.fake_train(8)
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/deep-owl", exp)
    git.tag("churn@v0.1.0")
    git.commit("Card", {"model_cards/churn.md": "# Churn\n"})
    git.tag("churn@v0.2.0")
    git.commit("Other work", {"src/train.py": "print()\n"})
    git.tag("churn@v0.3.0")
    for version, there in (("v0.1.0", True), ("v0.2.0", True), ("v0.3.0", False)):
        found = graph(dvc_repo, f"churn@{version}")
        edge = (f"experiment:deep-owl@{exp}", found.root, EdgeKind.RELEASED)
        assert (edge in {(e.source, e.target, e.kind) for e in found.edges}) is there


def test_imports(dvc_repo: DvcRepo, tmp_path: Path, home: Path) -> None:
    """Data of a repository on this machine is followed into it; of any other it is named, without its password."""
    other = Git(tmp_path / "other", home).init()
    dvc = "outs:\n- md5: {0}\n  size: 4\n  hash: md5\n  path: raw.csv\n"
    digest = "0123456789abcdef0123456789abcdef"
    made = other.commit("Add", {"raw.csv.dvc": dvc.format(digest)})
    locked = other.commit("Later", {"x": "1"})

    def imported(url: str) -> Lineage:
        text = f"deps:\n- path: raw.csv\n  repo:\n    url: {url}\n    rev_lock: {locked}\n{dvc.format(digest)}"
        yaml = "artifacts:\n  given:\n    path: raw.csv\n    type: model\n"
        dvc_repo.git.commit("Import", {"raw.csv.dvc": f"{text}frozen: true\n", "dvc.yaml": yaml})
        dvc_repo.git("tag", "-f", "-a", "-m", "x", "given@v0.1.0")
        return graph(dvc_repo, "given")

    found = imported(str(other.path))
    there = next(n for n in found.nodes if n.kind is NodeKind.DATA)
    assert (origin(there), there.details["repository"], there.digest) == (made, str(other.path), f"md5:{digest}")
    kinds = [(e.source.partition(":")[0], e.target.partition(":")[0], e.kind.value) for e in found.edges]
    assert sorted(kinds) == [
        ("artifact", "version", "released"),
        ("data", "import", "used"),
        ("import", "artifact", "used"),
    ]
    assert found.complete
    away = imported("https://ada:hunter2@example.com/data.git")
    assert not away.complete
    assert "hunter2" not in repr(away)
    assert next(n for n in away.nodes if n.kind is NodeKind.IMPORT).details["rev_lock"] == locked


def test_an_unsound_tag_has_no_lineage(dvc_repo: DvcRepo) -> None:
    """Another tag's object under a version's name is refused."""
    oid = dvc_repo.git.tag("churn@v0.1.0")
    dvc_repo.git("update-ref", "refs/tags/churn@v0.2.0", oid)
    with pytest.raises(DataError):
        graph(dvc_repo, "churn@v0.2.0")


# Random histories -----------------------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 9), max_size=2), st.integers(0, 2)), max_size=8)


@settings(max_examples=12)
@given(STEPS)
def test_read_log_agrees_with_every_tree(
    tmp_path_factory: pytest.TempPathFactory, home: Path, steps: list[tuple[int, list[int], int]]
) -> None:
    """On random histories with merges and lying dates the first commits are those that all trees together show."""
    git = Git(tmp_path_factory.mktemp("random") / "repo", home).init()
    blobs = [git("hash-object", "-w", "--stdin", input=f"{n}\n") for n in range(4)]
    commits: list[str] = []
    for content, parents, name in [(0, [], 0), *steps]:
        git.clock.tick(3600 if content % 2 else -7200)
        tree = git("mktree", input=f"100644 blob {blobs[content]}\tf{name}\n")
        chosen = dict.fromkeys([commits[p % len(commits)] for p in [*parents, -1]] if commits else [])
        commits.append(git("commit-tree", tree, "-m", "x", *(w for p in chosen for w in ("-p", p))))
    process = GitProcess(git.path, scrubbed(git.env))
    marks = {blob: 1 << n for n, blob in enumerate(blobs)}
    found = trace(read_log(process, commits[-1]), lambda path, blob: marks[blob])
    having = {c: git("ls-tree", "-r", "--format=%(objectname)", c).split() for c in commits}
    for blob, mark in marks.items():
        all_of = git("rev-list", commits[-1]).split()
        first = set()
        for commit in all_of:
            before = git("rev-list", commit).split()[1:]
            if blob in having[commit] and not any(blob in having[c] for c in before):
                first.add(commit)
        assert (found.first[mark].commit in first) if first else mark not in found.first


# The command ----------------------------------------------------------------------------------------------------


def test_the_tree_for_people(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The version stands on top, causes below it, with digest and origin on each line."""
    commit = dvc_repo.git.rev()
    dvc_repo.git.tag("churn@v0.1.0")
    lines = modelver("lineage", "churn@v0.1.0", cwd=dvc_repo.git).out.splitlines()
    assert lines[0].startswith(f"version churn@v0.1.0  released {commit[:7]} by Ada Byron on 2025-01-01")
    assert re.fullmatch(
        rf"└── artifact churn \({MODEL}\)  md5:[0-9a-f]{{10}}  first in {commit[:7]} by Ada Byron on 2025-01-01",
        lines[1],
    )
    assert lines[2].startswith("    └── pipeline-stage train  sha256:")
    measured = lines[lines.index("measured by") + 1 :]
    assert measured[0].startswith("data metrics.json")
    assert any(f"artifact churn ({MODEL})" in line and line.endswith("(above)") for line in measured)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@example.com/team/churn.git", "https://example.com/team/churn.git"),
        ("ssh://git@example.com:22/churn.git", "ssh://example.com:22/churn.git"),
        ("git@example.com:team/churn.git", "example.com:team/churn.git"),
        ("https://example.com/churn.git?token=hunter2", "https://example.com/churn.git?token=***"),
        ("../hub@home:2.git", "../hub@home:2.git"),
        ("/srv/git/a@b:churn.git", "/srv/git/a@b:churn.git"),
    ],
)
def test_the_version_knows_its_repository(dvc_repo: DvcRepo, url: str, shown: str) -> None:
    """The address of `origin`, without asking it and without who may enter; paths stay as they are."""
    dvc_repo.git.tag("churn@v0.1.0")
    dvc_repo.git("config", "remote.other.url", "https://example.com/fork.git")
    dvc_repo.git("config", "remote.origin.url", url)
    found = graph(dvc_repo)
    (root,) = [n for n in found.nodes if n.id == found.root]
    assert root.details["repository"] == shown
    assert [n.id for n in found.nodes if "repository" in n.details] == [root.id]


def test_a_repository_without_an_address(dvc_repo: DvcRepo) -> None:
    """No remote, or several and no `origin`: nothing is said; of a single one its address, whatever its name."""
    git = dvc_repo.git
    git.tag("churn@v0.1.0")
    git("config", "url.https://elsewhere.example/.insteadOf", "https://example.com/")

    def address() -> str | None:
        found = graph(dvc_repo)
        return next(n for n in found.nodes if n.id == found.root).details.get("repository")

    assert address() is None
    git("config", "remote.team.url", "https://example.com/churn.git")
    assert address() == "https://example.com/churn.git"
    git("config", "remote.fork.url", "https://example.com/fork.git")
    assert address() is None


def test_a_page_and_events_of_the_repository(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """`--format html` is one whole page; OpenLineage's jobs are in the repository's namespace, and say where."""
    dvc_repo.git.tag("churn@v0.1.0")
    dvc_repo.git("config", "remote.origin.url", "https://me:hunter2@example.com/churn.git")
    page = modelver("lineage", "churn", "--format", "html", cwd=dvc_repo.git).out
    assert page.startswith("<!DOCTYPE html>\n")
    assert page.endswith("</html>\n")
    assert page.count("<svg xmlns") == 1
    assert 'href="https://example.com/churn.git"' in page
    events = modelver("lineage", "churn", "--format", "openlineage", cwd=dvc_repo.git).out
    jobs = [event["job"] for line in events.splitlines() if "job" in (event := json.loads(line))]
    assert {job["namespace"] for job in jobs} == {"https://example.com/churn.git"}
    assert "sourceCodeLocation" in next(job for job in jobs if job["name"] == "train")["facets"]
    assert "hunter2" not in page + events


def test_json_and_formats(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The contract's keys; `--format json` says the same; an unknown format is refused with those there are."""
    dvc_repo.git.tag("churn@v0.1.0")
    answer = modelver("lineage", "churn", "--json", cwd=dvc_repo.git).json
    assert set(answer) == {"schema", "root", "nodes", "edges", "complete", "notes"}
    assert {"id", "kind", "label", "origin"} <= set(answer["nodes"][0])
    assert set(answer["edges"][0]) == {
        "from",
        "to",
        "kind",
    }
    artifact = next(n for n in answer["nodes"] if n["kind"] == "artifact")
    assert set(artifact["origin"]) == {"commit", "author", "at", "path"}
    assert {end for e in answer["edges"] for end in (e["from"], e["to"])} <= {n["id"] for n in answer["nodes"]}
    assert modelver("lineage", "churn", "--format", "json", cwd=dvc_repo.git).json == answer
    refused = modelver("lineage", "churn", "--format", "papyrus", cwd=dvc_repo.git, code=2)
    assert "papyrus" in refused.err
    assert "json" in refused.err
    modelver("lineage", "churn@v9.9.9", cwd=dvc_repo.git, code=7)
