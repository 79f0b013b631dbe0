"""Whether somebody who is allowed signed a tag: by the user's own configuration, never by a file of the commit."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.core.signatures import Signature, Trust, read_gpg_words, read_ssh_words
from dvc_modelver.core.tagobjects import TagObject
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput, ModelverError
from dvc_modelver.gitio.process import find_program, is_true

ALLOWED_SIGNERS, ALLOWED_KEYS = "modelver.allowedsigners", "modelver.allowedkeys"
REQUIRE = "modelver.requiresigned"
# What git starts to look at a signature; named in the repository's own configuration it could be anything.
_PROGRAMS = {
    "gpg.program": "gpg",
    "gpg.openpgp.program": "gpg",
    "gpg.x509.program": "gpgsm",
    "gpg.ssh.program": "ssh-keygen",
}
_USERS = ("system", "global", "command")
_SSH = b"-----BEGIN SSH SIGNATURE-----"


class Signers:
    """Answers whose signature a tag has.

    Settings, all of Git's configuration: `gpg.ssh.allowedSignersFile`, or `modelver.allowedSigners` (a file, or
    `BRANCH:PATH` for a file at the tip of a branch), `modelver.allowedKeys` (fingerprints of OpenPGP keys),
    `modelver.requireSigned`.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._git = project.repository.git

    @cached_property
    def required(self) -> bool:
        """Whether the user's configuration demands signatures."""
        return is_true(self._git.config.get(REQUIRE))

    def look(self, tag: TagObject, raw: bytes) -> Signature:
        """What the signature in a tag object is worth."""
        if not tag.signed:
            return Signature(trust=Trust.UNSIGNED)
        is_ssh = _SSH in raw
        try:
            extra = self._ssh_settings if is_ssh else ()
        except ModelverError as error:
            return Signature(trust=Trust.UNKNOWN, why=error.message, remedy=error.hint)
        done = self._git.complete("verify-tag", "--raw", tag.oid, config=(*self._programs, *extra))
        said = one_line_each(f"{done.stderr}\n{done.stdout.decode('utf-8', 'replace')}")
        if is_ssh:
            return read_ssh_words(done.status, said)
        keys = self._git.config.get(ALLOWED_KEYS, "").replace(",", " ").split()
        found = read_gpg_words(said, keys)
        if found.trust is Trust.ALLOWED and done.status != 0:
            return Signature(trust=Trust.STRANGER, by=found.by, why="git does not accept it")
        return found

    @cached_property
    def _programs(self) -> tuple[str, ...]:
        """The programs that the user chose, not the repository."""
        chosen = dict(_PROGRAMS)
        for scope, key, value in self._scoped:
            if key in chosen and scope in _USERS:
                chosen[key] = value
                if key == "gpg.program":
                    chosen["gpg.openpgp.program"] = value
        found = {key: find_program(value, self._git.env) or value for key, value in chosen.items()}
        return tuple(f"{key}={value}" for key, value in found.items())

    @cached_property
    def _scoped(self) -> list[tuple[str, str, str]]:
        """(scope, key, value) of every setting, in git's order."""
        items = self._git.text("config", "--null", "--show-scope", "--includes", "--list").split("\0")
        pairs = zip(items[0::2], items[1::2], strict=False)
        return [(scope, *_pair(item)) for scope, item in pairs]

    @cached_property
    def _ssh_settings(self) -> tuple[str, ...]:
        """The file of allowed signers.  Raises `BadInput` for one that a commit could bring."""
        config = self._git.config
        self._refuse_own(config.get("gpg.ssh.revocationfile"), "gpg.ssh.revocationFile")
        chosen = config.get(ALLOWED_SIGNERS)
        if not chosen:
            self._refuse_own(config.get("gpg.ssh.allowedsignersfile"), "gpg.ssh.allowedSignersFile")
            return ()
        place = self._from_branch(chosen) or self._refuse_own(chosen, "modelver.allowedSigners")
        return (f"gpg.ssh.allowedSignersFile={place}",)

    def _from_branch(self, chosen: str) -> Path | None:
        """The file that `BRANCH:PATH` names, as its tip has it; None when `chosen` is a plain path."""
        branch, colon, path = chosen.partition(":")
        if not colon or os.path.isabs(chosen) or chosen.startswith("~"):
            return None
        for prefix in ("refs/remotes/", "refs/heads/"):
            commit = self._project.objects.commit(prefix + branch)
            data = self._project.tree(commit).read(path) if commit is not None else None
            if data is not None:
                place = self._project.scratch / "allowed_signers"
                place.write_bytes(data)
                return place
        raise BadInput(f"modelver.allowedSigners: there is no {path} at the tip of branch {branch}", hint="git fetch")

    def _refuse_own(self, value: str | None, key: str) -> Path | None:
        """`value` as a path.  Raises `BadInput` when it lies in the work tree: who made the commit made it too."""
        if not value:
            return None
        root, expanded = self._project.repository.root, os.path.expanduser(value)
        place = Path(os.path.realpath(os.path.join(self._git.directory, expanded)))
        git_dirs = (self._project.repository.git_dir, self._project.repository.common_dir)
        inside = any(place.is_relative_to(os.path.realpath(folder)) for folder in git_dirs)
        if root is not None and place.is_relative_to(os.path.realpath(root)) and not inside:
            raise BadInput(
                f"{key} is a file of the work tree, which whoever is to be checked can change",
                hint="name a file outside, or a branch: git config modelver.allowedSigners origin/main:PATH",
            )
        return Path(expanded)


def _pair(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("\n")
    return key.lower(), value if separator else "true"


def one_line_each(said: str) -> str:
    """Each line without control characters."""
    return "\n".join(one_line(line) for line in said.splitlines())
