"""DVC's configuration, read without importing dvc: where the cache is, and which remotes there are."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from dvc_modelver.errors import BadInput, EnvironmentProblem

_MAX_CONFIG = 1 << 20
_NAMED = re.compile(r'\s*remote\s*"(.*)"\s*')
_URL = re.compile(r"\w+://")
# A blank line, a comment, `[section]`, `['remote "name"']`, or `key = words` without quotes, commas, `#`, `%` or `$`.
_PLAIN_LINE = re.compile(
    rb"[ \t]*(?:#[\x20-\x7e]*"
    rb"|\[([A-Za-z0-9_.-]+)\]"
    rb"|\['(remote \"[A-Za-z0-9_.-]+\")'\]"
    rb"|([A-Za-z0-9_]+)[ \t]*=[ \t]*([A-Za-z0-9_./:~@+-]+(?: [A-Za-z0-9_./:~@+-]+)*)"
    rb")?[ \t]*"
)
_URL_IN_TEXT = re.compile(r"\w+://[^\s'\"<>]+")
_PATH_SETTINGS = (
    "url",
    "gdrive_user_credentials_file",
    "gdrive_service_account_json_file_path",
    "credentialpath",
    "configpath",
    "keyfile",
    "cert_path",
    "key_path",
)
_HARMLESS = frozenset(
    {"url", "region", "projectname", "account_name", "port", "user", "password", "auth", "custom_auth_header"}
    | {"allow_anonymous_login", "use_ssl", "connect_timeout", "read_timeout", "timeout", "jobs", "oss_endpoint"}
    | {"version_aware", "worktree", "kerberos", "use_https"}
)
"""What a repository that we do not trust may set.  Left out: commands (`bearer_token_command`), files of this machine
(`keyfile`, `configpath`: an AWS configuration can name a command), prompts, and where to send the user's own tokens."""

Sections = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A place that objects are pushed to and fetched from."""

    name: str
    url: str = field(repr=False)
    """Relative paths resolved; may hold secrets: show `shown`."""
    directory: Path | None
    """When it is a directory of this machine, else None."""
    settings: Mapping[str, object] = field(repr=False)
    """All settings of it with `url`, as DVC's own code takes them; may hold secrets."""

    @property
    def shown(self) -> str:
        """The URL without user-info and query."""
        return redact_url(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcConfig:
    """What DVC's configuration files say together."""

    dvc_dir: Path
    cache_dir: Path
    cache_types: tuple[str, ...] = ()
    """Link types in order of preference; empty: DVC's default (reflink, copy)."""
    shared: bool = False
    """`cache.shared = group`."""
    default_remote: str | None = None
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    """By name, lower case as DVC compares them."""

    def remote(self, name: str | None = None) -> Remote:
        """The remote called `name`, or the default one.

        Raises:
            EnvironmentProblem: none is configured, or none of that name.
        """
        wanted = (name or self.default_remote or "").lower()
        if not wanted:
            hint = f"dvc remote default {min(self.remotes)}" if self.remotes else "dvc remote add -d NAME URL"
            raise EnvironmentProblem("no default DVC remote is configured", hint=hint)
        if wanted not in self.remotes:
            raise EnvironmentProblem(f"there is no DVC remote named {wanted!r}", hint=f"dvc remote add {wanted} URL")
        return self.remotes[wanted]


def read_dvc_config(dvc_dir: Path, *, foreign: bool = False, env: Mapping[str, str] | None = None) -> DvcConfig:
    """Read the configuration of the DVC repository whose `.dvc` is `dvc_dir`.

    Layers as DVC has them: system, user, `config`, `config.local`; later ones win, setting by setting.

    Args:
        foreign: the repository is not trusted: its `cache.dir` is ignored, its remotes keep harmless settings only,
            and none of the user's settings are given to a remote that the repository points elsewhere.
        env: the environment; by default the process's.

    Raises:
        BadInput: a file is not in DVC's format.
    """
    dvc_dir = Path(os.path.abspath(dvc_dir))
    machine, repository = _read_layers(dvc_dir, os.environ if env is None else env)
    merged = _merge(machine, repository)
    cache = {} if foreign else merged.get("cache", {})
    remotes = _foreign_remotes(machine, repository) if foreign else _remotes(merged)
    return DvcConfig(
        dvc_dir=dvc_dir,
        cache_dir=Path(_text(cache.get("dir")) or dvc_dir / "cache"),
        cache_types=_words(cache.get("type")),
        shared=cache.get("shared") == "group",
        default_remote=_text(merged.get("core", {}).get("remote")).lower() or None,
        remotes=MappingProxyType(remotes),
    )


def redact_url(url: str) -> str:
    """A URL as it may be shown: without user-info, query and fragment; a plain path stays."""
    if not _URL.match(url):
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    path = re.split(r"[?#]", path, maxsplit=1)[0]
    host = re.split(r"[?#]", authority.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}://{host}{slash}{path}"


def redact_text(text: str) -> str:
    """Redact every URL inside a message."""
    return _URL_IN_TEXT.sub(lambda match: redact_url(match[0]), text)


def _read_layers(dvc_dir: Path, env: Mapping[str, str]) -> tuple[Sections, Sections]:
    """What the machine says, and what the repository says."""
    machine = [Path(directory) / "config" for directory in _machine_dirs(env)]
    repository = [dvc_dir / "config", dvc_dir / "config.local"]
    return _merge(*map(_read_file, machine)), _merge(*map(_read_file, repository))


def _machine_dirs(env: Mapping[str, str]) -> tuple[str, str]:
    system, user = env.get("DVC_SYSTEM_CONFIG_DIR"), env.get("DVC_GLOBAL_CONFIG_DIR")
    if os.name == "posix" and sys.platform != "darwin":
        # What platformdirs answers here, without its import (38 ms).
        home = env.get("HOME") or os.path.expanduser("~")
        first = (env.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)[0]
        system = system or os.path.join(first, "dvc")
        user = user or os.path.join(env.get("XDG_CONFIG_HOME", "").strip() or os.path.join(home, ".config"), "dvc")
    if not system or not user:
        import platformdirs

        system = system or platformdirs.site_config_dir("dvc", "iterative")
        user = user or platformdirs.user_config_dir("dvc", "iterative")
    return system, user


def _read_file(path: Path) -> Sections:
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > _MAX_CONFIG:
        raise BadInput(f"{path} is larger than {_MAX_CONFIG >> 20} MiB")
    return _resolve_paths(_parse(raw, path), path.parent)


def _parse(raw: bytes, path: Path) -> Sections:
    plain = _parse_plain(raw)
    return _name_remotes(plain if plain is not None else _parse_fully(raw, path))


def _parse_plain(raw: bytes) -> Mapping[str, object] | None:
    """A file of plain sections, keys and words, as nearly all are; None when it has to be parsed as DVC does."""
    parsed: dict[str, object] = {}
    section: dict[str, object] | None = None
    for line in raw.split(b"\n"):
        found = _PLAIN_LINE.fullmatch(line)
        if found is None:
            return None
        name, remote, key, value = (part.decode("ascii") for part in found.groups(b""))
        if name or remote:
            section = {}
            if parsed.setdefault(name or remote, section) is not section:
                return None
        elif key:
            if section is None or key in section:
                return None
            section[key] = value
    return parsed


def _parse_fully(raw: bytes, path: Path) -> Mapping[str, object]:
    # DVC's own parser (its import takes 15 ms): quotes, commas and `%` mean to us what they mean to DVC.
    from configobj import ConfigObj, ConfigObjError  # type: ignore[import-untyped, unused-ignore]

    try:
        parsed: Mapping[str, object] = ConfigObj(raw.decode().splitlines()).dict()
        return parsed
    except (UnicodeDecodeError, ConfigObjError) as error:
        raise BadInput(f"{path} is not a DVC configuration: {str(error)[:200]}") from None


def _name_remotes(parsed: Mapping[str, object]) -> Sections:
    sections: Sections = {}
    for name, values in parsed.items():
        if isinstance(values, dict):
            named = _NAMED.fullmatch(name.lower())
            key = f"remote.{named[1]}" if named else name.lower()
            sections[key] = {str(setting).lower(): value for setting, value in values.items()}
    return sections


def _resolve_paths(sections: Sections, directory: Path) -> Sections:
    """Make paths absolute, from the file that says them."""
    for name, values in sections.items():
        settings = ("dir",) if name == "cache" else _PATH_SETTINGS if name.startswith("remote.") else ()
        for setting in settings:
            if isinstance(value := values.get(setting), str) and not _URL.match(value):
                values[setting] = os.path.abspath(os.path.join(directory, os.path.expanduser(value)))
    return sections


def _merge(*layers: Sections) -> Sections:
    merged: Sections = {}
    for layer in layers:
        for name, values in layer.items():
            merged[name] = {**merged.get(name, {}), **values}
    return merged


def _foreign_remotes(machine: Sections, repository: Sections) -> dict[str, Remote]:
    """The repository's remotes with harmless settings, and the user's; never a mixture of both in one remote."""
    theirs = {name: _harmless(values) for name, values in repository.items() if name.startswith("remote.")}
    ours = {name: values for name, values in machine.items() if _same_place(values, theirs.get(name, {}))}
    return {**_remotes(theirs), **_remotes(ours)}


def _same_place(ours: Mapping[str, object], theirs: Mapping[str, object]) -> bool:
    return theirs.get("url") in (None, ours.get("url"))


def _harmless(values: Mapping[str, object]) -> dict[str, object]:
    # An endpoint receives the user's own credentials; only S3's signatures are worth nothing elsewhere.
    scheme = urlsplit(_text(values.get("url"))).scheme
    allowed = _HARMLESS | {"endpointurl"} if scheme == "s3" else _HARMLESS
    return {key: value for key, value in values.items() if key in allowed}


def _remotes(sections: Sections) -> dict[str, Remote]:
    named = {key.removeprefix("remote."): values for key, values in sections.items() if key.startswith("remote.")}
    followed = {name: _follow(name, named) for name in named}
    return {name: _remote(name, settings) for name, settings in followed.items() if settings}


def _follow(name: str, named: Mapping[str, dict[str, object]], depth: int = 0) -> dict[str, object]:
    """A remote's settings; `remote://BASE/path` means BASE's with its own on top; empty when it leads nowhere."""
    values = named.get(name, {})
    url = _text(values.get("url"))
    if not url.startswith("remote://"):
        return values if url else {}
    base, _, path = url.removeprefix("remote://").partition("/")
    below = _follow(base.lower(), named, depth + 1) if depth < 8 else {}
    return below and {**below, **values, "url": f"{_text(below['url'])}/{path.lstrip('/')}"}


def _remote(name: str, settings: Mapping[str, object]) -> Remote:
    url = _text(settings.get("url"))
    local = None if _URL.match(url) else Path(os.path.normpath(url))
    return Remote(name=name, url=url, directory=local, settings=MappingProxyType(dict(settings)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _words(value: object) -> tuple[str, ...]:
    rows = value if isinstance(value, list) else _text(value).split(",")
    return tuple(word.strip() for word in map(str, rows) if word.strip())
