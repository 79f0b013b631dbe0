"""Signatures of tags: what git's words about them mean, and whether that is enough.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dvc_modelver.core.verification import Check, Fault, Link, fault, fine


class Trust(Enum):
    """What is known of a signature."""

    UNSIGNED = "unsigned"
    UNCHECKED = "unchecked"
    ALLOWED = "allowed"
    STRANGER = "stranger"
    """A good signature by somebody who is not allowed."""
    BAD = "bad"
    UNKNOWN = "unknown"
    """It could not be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What was found out of one tag's signature."""

    trust: Trust
    by: str = ""
    """Who signed, or with which key."""
    why: str = ""
    remedy: str = ""


def check_signature(tag: str, found: Signature, *, demanded: bool) -> Check:
    """Whether the tag is signed by somebody allowed; nothing fails unless that is demanded."""
    words = {
        Trust.UNSIGNED: "unsigned",
        Trust.UNCHECKED: "signed, not checked: --signed checks by whom",
        Trust.ALLOWED: f"signed by {found.by}",
        Trust.STRANGER: f"signed by {found.by}, who is not allowed",
        Trust.BAD: "the signature is not of this tag: it was altered, or the signature is another's",
        Trust.UNKNOWN: "signed, but that cannot be checked",
    }
    detail = words[found.trust] + (f": {found.why}" if found.why else "")
    remedies = {
        Trust.UNSIGNED: f"git config tag.gpgSign true, and release anew; nobody vouches for {tag}",
        Trust.STRANGER: "do not use it; or allow that key (gpg.ssh.allowedSignersFile, GnuPG's trust), if you trust it",
        Trust.BAD: "do not use it; git fetch --tags --force from a remote that you trust",
        Trust.UNKNOWN: "get the signer's public key from a source that you trust",
    }
    if demanded and found.trust is not Trust.ALLOWED:
        return fault(Link.SIGNATURE, Fault(detail, found.remedy or remedies.get(found.trust, "")))
    return fine(Link.SIGNATURE, detail)


def read_ssh_words(status: int, said: str) -> Signature:
    """What `git verify-tag --raw` says of an SSH signature (the words of `ssh-keygen -Y`)."""
    good = next((line for line in said.splitlines() if line.startswith('Good "git" signature')), None)
    if good is None:
        if "allowedSignersFile needs to be configured" in said:
            return Signature(
                trust=Trust.UNKNOWN,
                why="no file says whose SSH keys are allowed",
                remedy="git config --global gpg.ssh.allowedSignersFile FILE",
            )
        if "incorrect signature" in said or "Could not verify signature" in said:
            return Signature(trust=Trust.BAD)
        return Signature(trust=Trust.UNKNOWN, why=_first_line(said))
    rest = good.removeprefix('Good "git" signature').strip()
    who, with_key, key = rest.rpartition("with ")
    who = who.strip().removeprefix("for ").strip()
    if status == 0 and who:
        return Signature(trust=Trust.ALLOWED, by=who)
    return Signature(trust=Trust.STRANGER, by=key if with_key else "an unknown key")


_TRUSTED = ("TRUST_FULLY", "TRUST_ULTIMATE")
_DOUBTFUL = {
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key has expired",
    "REVKEYSIG": "the key was revoked",
}


def read_gpg_words(said: str, allowed: Sequence[str]) -> Signature:
    """What GnuPG's status lines in `git verify-tag --raw` say (`doc/DETAILS` of GnuPG).

    Args:
        allowed: full fingerprints of the keys that are allowed; when empty, those that GnuPG trusts fully.
    """
    lines = [line.removeprefix("[GNUPG:] ").split(" ") for line in said.splitlines() if line.startswith("[GNUPG:] ")]
    words = {line[0]: line[1:] for line in reversed(lines) if line}
    signers = [line for line in lines if line[0] in ("GOODSIG", "BADSIG", "ERRSIG", *_DOUBTFUL)]
    if "BADSIG" in words or len(signers) > 1:
        return Signature(trust=Trust.BAD)
    for word, why in _DOUBTFUL.items():
        if word in words:
            return Signature(trust=Trust.STRANGER, by=" ".join(words[word][1:]) or words[word][0], why=why)
    if "GOODSIG" not in words or "VALIDSIG" not in words:
        key = (words.get("NO_PUBKEY") or words.get("ERRSIG") or [""])[0]
        return Signature(trust=Trust.UNKNOWN, why=f"key {key} is not in your keyring" if key else _first_line(said))
    fingerprints = {words["VALIDSIG"][0].upper(), words["VALIDSIG"][-1].upper()}
    by = f"{' '.join(words['GOODSIG'][1:])} (key {words['VALIDSIG'][-1]})"
    if allowed:
        is_allowed = bool(fingerprints & {key.upper().removeprefix("0X") for key in allowed})
        return Signature(trust=Trust.ALLOWED if is_allowed else Trust.STRANGER, by=by)
    if any(word in words for word in _TRUSTED):
        return Signature(trust=Trust.ALLOWED, by=by)
    return Signature(trust=Trust.STRANGER, by=by, why="GnuPG does not trust that key fully")


def _first_line(said: str) -> str:
    return next((line.strip() for line in said.splitlines() if line.strip()), "git said nothing")
