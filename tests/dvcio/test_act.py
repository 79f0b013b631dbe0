"""Pushing, and remotes that only dvc's own code can talk to."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dvc_modelver.dvcio.content import verify_output
from dvc_modelver.dvcio.fetch import ensure_in_cache
from dvc_modelver.dvcio.push import push, remote_has, remote_lacks
from dvc_modelver.errors import DataError, EnvironmentProblem
from tests.dvcio.bytes_support import Repo, corrupt, dvc, snapshot

EVERY = ["model.bin", "words", "old.csv", "olddir"]


class _Handler(BaseHTTPRequestHandler):
    """A web server that keeps what is posted; below `/denied` it refuses."""

    directory: Path

    def _place(self) -> Path:
        return self.directory / self.path.lstrip("/")

    def _send(self, *, body: bool) -> None:
        refused, place = "denied" in self.path, self._place()
        status = 403 if refused else 200 if place.is_file() else 404
        data = place.read_bytes() if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def do_GET(self) -> None:
        self._send(body=True)

    def do_HEAD(self) -> None:
        self._send(body=False)

    def do_POST(self) -> None:
        data = self._read()
        self._place().parent.mkdir(parents=True, exist_ok=True)
        self._place().write_bytes(data)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class QuietServer(ThreadingHTTPServer):
    """Says nothing when a client hangs up: what these tests watch is what our own side prints."""

    def handle_error(self, request: object, client_address: object) -> None:
        return None


@pytest.fixture
def bytes_web(bytes_repo: Repo) -> Iterator[str]:
    """The URL of a web server over the repository's remote directory."""
    handler = type("Handler", (_Handler,), {"directory": bytes_repo.remote.directory})
    server = QuietServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def use(repo: Repo, url: str) -> None:
    """Make `url` the default remote."""
    dvc("remote", "add", "-d", "--force", "storage", url, cwd=repo.root)


def empty(repo: Repo) -> None:
    shutil.rmtree(repo.remote.directory)
    repo.remote.directory.mkdir()


@contextlib.contextmanager
def nothing_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing may reach the terminal."""
    capfd.readouterr()
    yield
    assert capfd.readouterr() == ("", "")


def elsewhere(repo: Repo, target: Path) -> Path:
    """Another clone of the repository, with empty cache and work tree, which pulls by the real dvc."""
    shutil.copytree(repo.root, target / "repo", ignore=shutil.ignore_patterns("cache", "tmp", *EVERY))
    (target / "remote").symlink_to(repo.remote.directory)
    dvc("pull", "-q", cwd=target / "repo")
    return target / "repo"


def test_pull_elsewhere_gets_what_we_pushed(
    bytes_repo: Repo, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """After our push the real dvc pulls every file in another clone, legacy ones too."""
    empty(bytes_repo)
    outputs = [bytes_repo.output(path) for path in EVERY]
    with nothing_printed(capfd):
        pushed = push(bytes_repo.root, outputs)
    assert (pushed.objects, pushed.present) == (35, 0)
    other = elsewhere(bytes_repo, tmp_path / "other")
    for path in ("words", "olddir"):
        assert snapshot(other / path) == snapshot(bytes_repo.root / path)
    assert (other / "model.bin").read_bytes() == (bytes_repo.root / "model.bin").read_bytes()


def test_push_again_does_nothing(bytes_repo: Repo) -> None:
    """What the remote has is not sent again."""
    pushed = push(bytes_repo.root, [bytes_repo.output(path) for path in EVERY])
    assert (pushed.objects, pushed.present, pushed.size) == (0, 35, 0)


def test_push_sends_exactly_these(bytes_repo: Repo) -> None:
    """Other outputs of the repository stay at home."""
    empty(bytes_repo)
    push(bytes_repo.root, [bytes_repo.output("old.csv")])
    assert len(snapshot(bytes_repo.remote.directory)) == 1


def test_push_fills_a_directory_that_only_seems_complete(bytes_repo: Repo) -> None:
    """A file missing in a remote that has the listing is sent, which `dvc push` would skip."""
    bad = bytes_repo.remote.path(bytes_repo.listed("words", "en/07.txt"))
    corrupt(bad, "missing")
    outputs = [bytes_repo.output("words")]
    assert remote_lacks(bytes_repo.root, outputs) == ("words/en/07.txt",)
    assert push(bytes_repo.root, outputs).objects == 1
    assert remote_has(bytes_repo.root, outputs)


def test_push_repairs_half_a_copy(bytes_repo: Repo) -> None:
    """An object of the remote that is too short is replaced."""
    corrupt(bytes_repo.remote.path(bytes_repo.oid("model.bin")), "truncated")
    push(bytes_repo.root, [bytes_repo.output("model.bin")])
    verify_output(bytes_repo.facts("model.bin"), bytes_repo.remote)


@pytest.mark.parametrize("web", [False, True])
@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
def test_bad_cache_reaches_nobody(bytes_repo: Repo, bytes_web: str, how: str, web: bool) -> None:
    """Bytes that are bad or missing in the cache are not pushed, and stay where they are."""
    empty(bytes_repo)
    place = bytes_repo.cache.path(bytes_repo.oid("model.bin"))
    corrupt(place, how)
    if how != "missing":
        place.chmod(0o644)  # dvc's own check would remove it now
    if web:
        use(bytes_repo, bytes_web)
    with pytest.raises(DataError, match=r"DVC cache: model\.bin"):
        push(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert snapshot(bytes_repo.remote.directory) == {}
    assert place.exists() == (how != "missing")


def test_no_remote(bytes_repo: Repo) -> None:
    """Without a default remote pushing is refused with the command that adds one."""
    dvc("remote", "remove", "storage", cwd=bytes_repo.root)
    with pytest.raises(EnvironmentProblem) as caught:
        push(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert caught.value.hint.startswith("dvc remote add -d")


def test_own_remote_of_an_output(bytes_repo: Repo) -> None:
    """An output that names a remote goes there and not to the default one."""
    empty(bytes_repo)
    dvc("remote", "add", "second", str(bytes_repo.base / "two"), cwd=bytes_repo.root)
    push(bytes_repo.root, [dataclasses.replace(bytes_repo.output("model.bin"), remote="second")])
    assert snapshot(bytes_repo.remote.directory) == {}
    assert len(snapshot(bytes_repo.base / "two")) == 1


def test_web_push_and_dvc_pull(
    bytes_repo: Repo, bytes_web: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through a web server too, dvc elsewhere pulls what we pushed, and nothing is printed."""
    empty(bytes_repo)
    use(bytes_repo, bytes_web)
    outputs = [bytes_repo.output(path) for path in EVERY]
    with nothing_printed(capfd):
        assert not remote_has(bytes_repo.root, outputs)
        assert push(bytes_repo.root, outputs).objects == 35
        assert remote_has(bytes_repo.root, outputs)
    other = elsewhere(bytes_repo, tmp_path / "other")
    assert snapshot(other / "words") == snapshot(bytes_repo.root / "words")


@pytest.mark.parametrize("path", EVERY)
def test_web_fetch(bytes_repo: Repo, bytes_web: str, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each kind of output is fetched through a web server, and verifies."""
    facts = bytes_repo.facts(path)
    use(bytes_repo, bytes_web)
    bytes_repo.without_cache()
    with nothing_printed(capfd):
        ensure_in_cache(bytes_repo.root, [bytes_repo.output(path)])
    verify_output(facts, bytes_repo.cache)


@pytest.mark.parametrize(
    ("how", "words"),
    [("altered", "altered or truncated"), ("truncated", "altered or truncated"), ("missing", "missing")],
)
def test_web_bad_object(bytes_repo: Repo, bytes_web: str, how: str, words: str) -> None:
    """What the web server has lost or changed is bad data and reaches no cache."""
    use(bytes_repo, bytes_web)
    bytes_repo.without_cache()
    corrupt(bytes_repo.remote.path(bytes_repo.oid("model.bin")), how)
    with pytest.raises(DataError, match=f"{words}.*model.bin"):
        ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert not bytes_repo.cache.exists(bytes_repo.oid("model.bin"))


@pytest.mark.parametrize("where", ["denied", "closed"])
def test_web_refusal_is_an_environment_error(bytes_repo: Repo, bytes_web: str, where: str) -> None:
    """A server that refuses, or is not there, is an error of the environment without the URL's secrets."""
    host = bytes_web.removeprefix("http://") if where == "denied" else "127.0.0.1:1"
    use(bytes_repo, f"http://user:SECRET@{host}/denied")
    bytes_repo.without_cache()
    with pytest.raises(EnvironmentProblem, match="the DVC remote 'storage'") as caught:
        ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert "SECRET" not in caught.value.message


def test_unknown_kind_of_remote(bytes_repo: Repo) -> None:
    """A remote that this machine's dvc cannot open says what to install, or that it is not supported."""
    bytes_repo.without_cache()
    config = bytes_repo.root / ".dvc" / "config"
    original = config.read_text()
    for url, words in (("hdfs://host/x", "hdfs"), ("file:///x", "not supported"), ("nonsense://x/y", "nonsense")):
        config.write_text(original.replace("../../remote", url))
        with pytest.raises(EnvironmentProblem, match=words):
            ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])


def test_loggers_are_as_before(bytes_repo: Repo, bytes_web: str) -> None:
    """dvc's loggers get their levels back."""
    use(bytes_repo, bytes_web)
    logging.getLogger("dvc").setLevel(logging.INFO)
    try:
        assert remote_has(bytes_repo.root, [bytes_repo.output("model.bin")])
        assert logging.getLogger("dvc").level == logging.INFO
    finally:
        logging.getLogger("dvc").setLevel(logging.NOTSET)
