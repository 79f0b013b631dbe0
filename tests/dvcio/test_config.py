"""DVC's configuration, compared with what DVC itself reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvc_modelver.dvcio.config import _parse_fully, _parse_plain, read_dvc_config, redact_text, redact_url
from dvc_modelver.errors import BadInput, EnvironmentProblem

FULL = """
[core]
    remote = Near
    checksum_jobs = 2
[cache]
    dir = ../../cachedir
    type = "hardlink,symlink"
    shared = group
['remote "near"']
    url = ../../store
['remote "far"']
    url = s3://bucket/path
    endpointurl = https://minio.example
    credentialpath = ../key
['remote "home"']
    url = ~/data
['remote "below"']
    url = remote://near/sub/dir
"""


def write(directory: Path, config: str = "", local: str = "") -> Path:
    """A `.dvc` directory with these two files."""
    dvc_dir = directory / ".dvc"
    dvc_dir.mkdir(parents=True)
    (dvc_dir / "config").write_text(config)
    if local:
        (dvc_dir / "config.local").write_text(local)
    return dvc_dir


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment whose system and user layers are two empty directories."""
    return {"DVC_SYSTEM_CONFIG_DIR": str(tmp_path / "system"), "DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "user")}


def layer(env: dict[str, str], name: str, text: str) -> None:
    """Write the system's or the user's layer."""
    directory = Path(env[f"DVC_{name}_CONFIG_DIR"])
    directory.mkdir()
    (directory / "config").write_text(text)


def test_same_as_dvc(tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache, default remote and every remote's URL and settings are those that DVC's own reader has."""
    from dvc.config import Config

    layer(env, "SYSTEM", "[cache]\n    type = copy\n['remote \"near\"']\n    jobs = 3\n    url = /elsewhere\n")
    layer(env, "GLOBAL", "['remote \"mine\"']\n    url = ../beside\n")
    dvc_dir = write(tmp_path / "repo", FULL, "['remote \"far\"']\n    access_key_id = K\n")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    theirs, ours = Config(str(dvc_dir)), read_dvc_config(dvc_dir)
    assert str(ours.cache_dir) == theirs["cache"]["dir"]
    assert list(ours.cache_types) == theirs["cache"]["type"]
    assert ours.default_remote == theirs["core"]["remote"] == "near"
    assert ours.remotes.keys() == theirs["remote"].keys()
    assert {name: remote.url for name, remote in ours.remotes.items() if name != "below"} == {
        name: str(values["url"]) for name, values in theirs["remote"].items() if name != "below"
    }
    assert ours.remotes["far"].settings["access_key_id"] == "K"
    assert ours.remotes["far"].settings["credentialpath"] == theirs["remote"]["far"]["credentialpath"]
    assert ours.shared


def test_reference_to_another_remote_as_dvc(tmp_path: Path, env: dict[str, str]) -> None:
    """`remote://near/sub` means what DVC's own code makes of it."""
    from dvc.config import Config
    from dvc.fs import get_cloud_fs

    dvc_dir = write(tmp_path / "repo", FULL)
    _, _, path = get_cloud_fs(Config(str(dvc_dir)), name="below")
    assert str(read_dvc_config(dvc_dir, env=env).remotes["below"].directory) == path


def test_local_directory_or_not(tmp_path: Path, env: dict[str, str]) -> None:
    """A remote is a directory of this machine exactly when its URL has no scheme."""
    remotes = read_dvc_config(write(tmp_path / "repo", FULL), env=env).remotes
    assert remotes["near"].directory == tmp_path / "store"
    assert remotes["far"].directory is None


def test_defaults(tmp_path: Path, env: dict[str, str]) -> None:
    """Without any file the cache is `.dvc/cache` and there is no remote, which has its own error and hint."""
    config = read_dvc_config(tmp_path / ".dvc", env=env)
    assert config.cache_dir == tmp_path / ".dvc" / "cache"
    with pytest.raises(EnvironmentProblem) as caught:
        config.remote()
    assert caught.value.hint.startswith("dvc remote add -d")


def test_unknown_remote(tmp_path: Path, env: dict[str, str]) -> None:
    """A remote that an output names and nobody configured is an error that names it."""
    with pytest.raises(EnvironmentProblem, match="nowhere"):
        read_dvc_config(write(tmp_path / "repo", FULL), env=env).remote("nowhere")


@pytest.mark.parametrize("text", ["[core\nremote = a\n", "[core]\nremote\n", "[a]\nx=1\n[a]\nx=2\n", "\x00\x01"])
def test_broken_file_is_bad_input(tmp_path: Path, env: dict[str, str], text: str) -> None:
    """A file that DVC could not read either is bad input that names the file."""
    with pytest.raises(BadInput, match="config"):
        read_dvc_config(write(tmp_path / "repo", text), env=env)


def test_references_in_a_circle_lead_nowhere(tmp_path: Path, env: dict[str, str]) -> None:
    """Remotes that refer to each other are no remotes, and do not hang."""
    text = "['remote \"a\"']\nurl = remote://b/x\n['remote \"b\"']\nurl = remote://a/x\n"
    assert read_dvc_config(write(tmp_path / "repo", text), env=env).remotes == {}


def test_foreign_cache_dir_is_ignored(tmp_path: Path, env: dict[str, str]) -> None:
    """A repository that is not trusted cannot say where its cache is."""
    dvc_dir = write(tmp_path / "repo", FULL, "[cache]\ndir = /etc\n")
    assert read_dvc_config(dvc_dir, foreign=True, env=env).cache_dir == dvc_dir / "cache"


def test_foreign_remote_keeps_harmless_settings_only(tmp_path: Path, env: dict[str, str]) -> None:
    """Commands, key files and configuration files that a foreign repository names are dropped."""
    text = (
        "['remote \"w\"']\nurl = webdavs://h/x\nbearer_token_command = touch /tmp/x\nkeyfile = k\ntimeout = 5\n"
        "['remote \"s\"']\nurl = s3://h/x\nconfigpath = evil\nregion = eu\n"
        "['remote \"g\"']\nurl = gs://h/x\nendpointurl = https://evil\n"
    )
    remotes = read_dvc_config(write(tmp_path / "repo", text), foreign=True, env=env).remotes
    assert set(remotes["w"].settings) == {"url", "timeout"}
    assert set(remotes["s"].settings) == {"url", "region"}
    assert set(remotes["g"].settings) == {"url"}


def test_foreign_remote_does_not_get_the_users_password(tmp_path: Path, env: dict[str, str]) -> None:
    """The user's settings for a remote of that name stay with the user's URL."""
    layer(env, "GLOBAL", "['remote \"store\"']\nurl = https://good/x\npassword = secret\n")
    evil = write(tmp_path / "evil", "['remote \"store\"']\nurl = https://evil/x\n")
    same = write(tmp_path / "same", "['remote \"store\"']\nurl = https://good/x\nuser = eve\n")
    assert dict(read_dvc_config(evil, foreign=True, env=env).remotes["store"].settings) == {"url": "https://evil/x"}
    assert dict(read_dvc_config(same, foreign=True, env=env).remotes["store"].settings) == {
        "url": "https://good/x",
        "password": "secret",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@host/a?sig=abc#f", "https://host/a"),
        ("ssh://me@host:22/p", "ssh://host:22/p"),
        ("https://u:p@ss@host", "https://host"),
        ("https://host?sig=abc", "https://host"),
        ("s3://bucket/key", "s3://bucket/key"),
        ("/srv/a@b?c", "/srv/a@b?c"),
    ],
)
def test_redacted_urls(url: str, shown: str) -> None:
    """User-info, query and fragment of a URL are not shown; a plain path is."""
    assert redact_url(url) == shown
    assert redact_text(f"cannot open '{url}': no") == f"cannot open '{shown}': no"


@given(st.text("abc:@/?#. ", max_size=20), st.text("abc", min_size=1))
def test_no_secret_survives(rest: str, scheme: str) -> None:
    """Whatever stands around it, the password of a URL is gone."""
    assert "SECRET" not in redact_url(f"{scheme}://user:SECRET@host/{rest}?sig=SECRET")


def test_repr_keeps_secrets(tmp_path: Path, env: dict[str, str]) -> None:
    """Settings and URLs do not appear in a traceback or log."""
    text = "['remote \"r\"']\nurl = https://u:SECRET@h/x\npassword = SECRET\n"
    assert "SECRET" not in repr(read_dvc_config(write(tmp_path / "repo", text), env=env))


def test_reading_does_not_import_dvc(tmp_path: Path) -> None:
    """Configuration, cache and content are read without dvc and platformdirs being imported."""
    import subprocess

    code = (
        "import sys, pathlib\n"
        "from dvc_modelver.dvcio import act, cache, config, content, fetch, place, push, workspace\n"
        "config.read_dvc_config(pathlib.Path(sys.argv[1]))\n"
        "print([name for name in ('dvc', 'dvc_data', 'platformdirs', 'yaml') if name in sys.modules])"
    )
    dvc_dir = write(tmp_path / "repo", FULL)
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(dvc_dir)], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr


CONFIG_LINES = st.sampled_from(
    [
        "[core]", "['remote \"store\"']", "[cache]", "['remote \"b\"']", "    remote = store", "    url = ../store",
        "    url = s3://bucket/a b", "analytics = false", "    dir = /srv/cache", "    type = reflink,copy",
        "# note", "",
        "    url = 'quoted'", "    x = 1  # why", "    y = %(url)s", "  z =", "junk", "[[deep]]", "[core",
        "    remote=store",
        "    url = $HOME/x", "\turl = a", "['other \"x\"']", "   ", "k = v = w", "    remote = store  ",
    ]
)  # fmt: skip


@given(st.lists(CONFIG_LINES, max_size=10))
@example(["[core]", "\turl = a", "\turl = a"])
def test_plain_files_read_as_dvc_reads_them(lines: list[str]) -> None:
    """The quick reader gives what DVC's parser gives, or declines."""
    raw = "\n".join(lines).encode()
    plain = _parse_plain(raw)
    if plain is not None:
        assert plain == _parse_fully(raw, Path("config"))


def test_a_usual_file_is_plain() -> None:
    """What `dvc init` and `dvc remote add` write needs no full parser."""
    raw = b"[core]\n    remote = store\n['remote \"store\"']\n    url = ../store\n"
    assert _parse_plain(raw) == {"core": {"remote": "store"}, 'remote "store"': {"url": "../store"}}
