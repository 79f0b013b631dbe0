"""The words and decisions of `verify`, without any repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.garbage import CACHE, Line, Need, choose, judge, parse_keep
from dvc_modelver.core.records import BlobLine, Record
from dvc_modelver.core.signatures import Signature, Trust, check_signature, read_gpg_words, read_ssh_words
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.verification import (
    Link,
    Look,
    cache_verdict,
    check_bytes,
    check_card,
    check_files,
    check_object,
    check_ref,
    object_id,
    record_differs,
    some_of,
)
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput
from tests.support import Git

OID, OTHER = "a" * 40, "b" * 40
REF = TagRef("churn@v1.0.0", OID, "c" * 40)
V1 = Version(1, 0, 0)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("data", [b"", b"a\n", b"\0" * 3000])
def test_object_ids_are_gits(tmp_path: Path, home: Path, algorithm: str, data: bytes) -> None:
    """The id of an object is the one that git itself gives it, in repositories of both kinds."""
    git = Git(tmp_path / "r", home).init(f"--object-format={algorithm}")
    done = subprocess.run(
        ["git", "hash-object", "--stdin"], cwd=git.path, env=git.env, input=data, capture_output=True, check=True
    )
    expected = done.stdout.decode().strip()
    assert object_id("blob", data, like=expected) == expected


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_other_bytes_have_another_id(one: bytes, other: bytes) -> None:
    """An altered object never passes for the one of its id."""
    same = object_id("blob", one, like=OID) == object_id("blob", other, like=OID)
    assert same == (one == other)
    assert object_id("tag", one, like=OID) != object_id("blob", one, like=OID)


def test_ref() -> None:
    """First seen, seen elsewhere, and a stage's tag that was seen elsewhere."""
    holder = TagRef("churn#prod#1", OTHER, None)
    assert check_ref(REF, (), {}).ok
    assert check_ref(REF, (holder,), {REF.name: OID, holder.name: OTHER}).ok
    assert not check_ref(REF, (), {REF.name: OTHER}).ok
    found = check_ref(REF, (holder,), {REF.name: OID, holder.name: OID})
    assert not found.ok
    assert found.detail.startswith("churn#prod#1, which puts it into a stage")


@pytest.mark.parametrize(
    ("kind", "intact", "words"),
    [
        (None, False, "missing"),
        ("tag", False, "altered"),
        ("commit", True, "lightweight"),
        ("tree", True, "names a tree"),
        ("blob", True, "names a blob"),
        ("tag", True, "cannot be read"),
    ],
)
def test_objects_that_are_no_version(kind: str | None, intact: bool, words: str) -> None:
    """Each kind of object that is no annotated tag is called by what it is, with a next step."""
    found = check_object(REF, kind, intact, None)
    assert not found.ok
    assert words in found.detail
    assert found.remedy


FACTS = ArtifactFacts(
    path="m", digest="md5:" + "1" * 32, size=3, source=Source.STAGE, files_read=("dvc.yaml", "dvc.lock")
)


def test_record_against_files() -> None:
    """A record differs when its digest or path does; what either side does not say is no difference."""
    assert record_differs(Record(event="release", model="m"), FACTS) is None
    assert record_differs(Record(event="release", model="m", digest=FACTS.digest, path="m"), FACTS) is None
    assert record_differs(Record(event="release", model="m", digest="md5:" + "2" * 32), FACTS) is not None
    assert record_differs(Record(event="release", model="m", path="n"), FACTS) is not None
    unknown = ArtifactFacts(path=None, source=Source.DVC)
    assert record_differs(Record(event="release", model="m", digest="md5:" + "2" * 32, path="m"), unknown) is None


def test_files() -> None:
    """Every file that the record names, and the card, must be at the commit as named."""
    record = Record(event="release", model="m", blobs=(BlobLine(OID, "dvc.lock"),), card=BlobLine(OTHER, "card.md"))
    assert check_files(FACTS, record, {"dvc.lock": OID, "card.md": OTHER}).ok
    assert not check_files(FACTS, record, {"dvc.lock": OTHER, "card.md": OTHER}).ok
    assert not check_files(FACTS, record, {"dvc.lock": OID, "card.md": OID}).ok
    assert "there is none" in check_files(FACTS, record, {"dvc.lock": OID, "card.md": None}).detail
    assert check_files(FACTS, None, {}).ok
    assert not check_files(ArtifactFacts(path=None, problem="why"), None, {}).ok


def test_card() -> None:
    """A card that names another version fails; no card, and one that names none, do not."""
    assert check_card(None, None, V1).ok
    assert check_card("c.md", None, V1).ok
    assert check_card("c.md", "v1.0.0", V1).ok
    assert not check_card("c.md", "v1.0.1", V1).ok


def test_missing_bytes_are_excused_by_a_sound_remote_alone() -> None:
    """Only what the cache lacks, and only when the remote was asked and has it."""
    lacking, spoilt, whole = Look(files=1, missing=("m",)), Look(files=1, bad=("m (altered)",)), Look(files=1)
    unknown = Look(note="DVC keeps no bytes of it in a remote")
    for look, far, expected in (
        (whole, None, True),
        (lacking, None, False),
        (lacking, whole, True),
        (lacking, lacking, False),
        (lacking, unknown, False),
        (spoilt, whole, False),
    ):
        assert cache_verdict(check_bytes(Link.CACHE, "the DVC cache", look, "get"), look, far).ok is expected


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1))
def test_some_of(names: list[str]) -> None:
    """At most three are named, and none is forgotten in the count."""
    text = some_of(names)
    assert text.startswith(", ".join(names[:3]))
    assert text.endswith(f" and {len(names) - 3} more") == (len(names) > 3) or len(names) <= 3


# Signatures -------------------------------------------------------------------------------------------------------

GOOD_SSH = 'Good "git" signature for {} with ED25519 key SHA256:abc'


@pytest.mark.parametrize(
    ("status", "said", "trust", "by"),
    [
        (0, GOOD_SSH.format("ada@example.com"), Trust.ALLOWED, "ada@example.com"),
        (0, GOOD_SSH.format("with me with you"), Trust.ALLOWED, "with me with you"),
        (1, GOOD_SSH.format("ada@example.com"), Trust.STRANGER, "ED25519 key SHA256:abc"),
        (1, 'Good "git" signature with ED25519 key SHA256:abc\nNo principal matched.', Trust.STRANGER, None),
        (1, "Signature verification failed: incorrect signature\nCould not verify signature.", Trust.BAD, ""),
        (1, "error: gpg.ssh.allowedSignersFile needs to be configured and exist for ...", Trust.UNKNOWN, ""),
        (0, "", Trust.UNKNOWN, ""),
        (0, "nothing of the kind", Trust.UNKNOWN, ""),
    ],
)
def test_words_of_ssh(status: int, said: str, trust: Trust, by: str | None) -> None:
    """Both git's exit status and the words have to say good before anybody is believed."""
    found = read_ssh_words(status, said)
    assert found.trust is trust
    assert by is None or found.by == by


KEY = "A" * 40


def status(*words: str) -> str:
    return "\n".join(f"[GNUPG:] {word}" for word in words)


VALID = f"VALIDSIG {'B' * 40} 2025-01-01 1 0 4 0 22 10 00 {KEY}"


@pytest.mark.parametrize(
    ("said", "allowed", "trust"),
    [
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_ULTIMATE 0 pgp"), (), Trust.ALLOWED),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_FULLY"), (), Trust.ALLOWED),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_MARGINAL"), (), Trust.STRANGER),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_UNDEFINED"), (), Trust.STRANGER),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_UNDEFINED"), (KEY.lower(),), Trust.ALLOWED),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_UNDEFINED"), ("B" * 40,), Trust.ALLOWED),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_ULTIMATE"), ("C" * 40,), Trust.STRANGER),
        (status("GOODSIG X Ada <a@x>", VALID, "TRUST_ULTIMATE"), (KEY[-16:],), Trust.STRANGER),
        (status("GOODSIG X TRUST_ULTIMATE", VALID), (), Trust.STRANGER),
        (status("GOODSIG X Ada <a@x>", "TRUST_ULTIMATE"), (), Trust.UNKNOWN),
        (status("EXPKEYSIG X Ada <a@x>", VALID, "TRUST_ULTIMATE"), (), Trust.STRANGER),
        (status("REVKEYSIG X Ada <a@x>", VALID, "TRUST_ULTIMATE"), (), Trust.STRANGER),
        (status("EXPSIG X Ada <a@x>", VALID, "TRUST_ULTIMATE"), (), Trust.STRANGER),
        (status("BADSIG X Ada <a@x>"), (), Trust.BAD),
        (status("GOODSIG X Ada <a@x>", VALID, "GOODSIG Y Eve <e@x>", VALID, "TRUST_ULTIMATE"), (), Trust.BAD),
        (status("ERRSIG X 22 10 00 1 9 -", "NO_PUBKEY X"), (), Trust.UNKNOWN),
        ("GOODSIG X Ada <a@x>\nTRUST_ULTIMATE", (), Trust.UNKNOWN),
        ("", (), Trust.UNKNOWN),
    ],
)
def test_words_of_gnupg(said: str, allowed: tuple[str, ...], trust: Trust) -> None:
    """Only one good and valid signature, by a key that is trusted fully or named by its whole fingerprint, counts."""
    assert read_gpg_words(said, allowed).trust is trust


@given(st.text(max_size=300))
def test_no_words_make_a_signer(said: str) -> None:
    """Whatever is printed, nobody is believed on a failing status, nor without GnuPG's own lines."""
    assert read_ssh_words(1, said).trust is not Trust.ALLOWED
    assert "[GNUPG:] " in said or read_gpg_words(said, ()).trust is not Trust.ALLOWED


@pytest.mark.parametrize("trust", list(Trust))
def test_only_the_allowed_pass_when_it_is_demanded(trust: Trust) -> None:
    """Demanded: nothing but an allowed signature; not demanded: nothing fails, and the words say what it is."""
    strict = check_signature("t", Signature(trust=trust, by="Ada"), demanded=True)
    assert strict.ok is (trust is Trust.ALLOWED)
    assert strict.ok or strict.remedy or trust is Trust.UNCHECKED
    relaxed = check_signature("t", Signature(trust=trust, by="Ada"), demanded=False)
    assert relaxed.ok
    assert relaxed.detail == strict.detail


# dvc gc -----------------------------------------------------------------------------------------------------------

stored = st.tuples(st.sampled_from([CACHE, "remote r"]), st.sampled_from("abcdef"))
needs = st.lists(
    st.builds(
        Need,
        name=st.just("m"),
        version=st.builds(Version, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
        commit=st.sampled_from("12345"),
        objects=st.frozensets(stored, max_size=4),
        wanted=st.booleans(),
    ),
    max_size=6,
)
lines = st.builds(
    Line,
    options=st.sampled_from([("-w",), ("-a",), ("-a", "-c")]),
    commits=st.frozensets(st.sampled_from("12345"), max_size=3),
    objects=st.frozensets(stored, max_size=4),
)


@given(lines, needs)
def test_what_a_line_takes(line: Line, some: list[Need]) -> None:
    """A version loses exactly those objects that nothing which the line reaches uses; a reached version none."""
    kept = set(line.objects).union(*(n.objects for n in some if n.commit in line.commits))
    losses = {id(loss.need): loss.objects for loss in judge(line, some).losses}
    for need in some:
        expected = {s for s in need.objects - kept if line.cloud or s[0] == CACHE}
        assert losses.get(id(need), frozenset()) == expected
        assert need.commit not in line.commits or not expected


@given(st.lists(lines, max_size=5), needs)
def test_the_chosen_line(some_lines: list[Line], some: list[Need]) -> None:
    """It never takes from a wanted version; there is one whenever any of the lines is such."""
    found = choose(some_lines, some)
    fitting = [line for line in some_lines if not any(loss.need.wanted for loss in judge(line, some).losses)]
    assert (found is None) == (not fitting)
    if found is not None:
        assert not any(loss.need.wanted for loss in found.losses)


def test_policies() -> None:
    """Three policies, and nothing near them."""
    assert parse_keep("all") == ("all", "")
    assert parse_keep("since:2026-01-31") == ("since", "2026-01-31")
    for text in ("", "ALL", "since", "since:2026-13-01", "since:1", "staged:x", "all:"):
        with pytest.raises(BadInput):
            parse_keep(text)


def test_long_options() -> None:
    """A printed line needs no second look at the manual, and quotes what a shell would take apart."""
    line = Line(options=("-a", "--date", "2026-01-31", "-c"), commits=frozenset(), objects=frozenset())
    assert line.command() == "dvc gc --all-branches --date 2026-01-31 --cloud"
    assert line.command("a b") == "cd 'a b' && dvc gc --all-branches --date 2026-01-31 --cloud"
