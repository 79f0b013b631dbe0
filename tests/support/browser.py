"""Drive a real headless Chromium over its DevTools pipe: pages as files, keys, console, requests, screenshots."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

TIMEOUT = 60.0
"""Seconds that a start, a page or an answer may take on a busy machine."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-backgrounding-occluded-windows",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--password-store=basic",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
# The browser reads its orders from descriptor 3 and answers on 4.
_LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
_KEYS = {
    "Tab": ("Tab", 9, "\t"),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "Delete": ("Delete", 46, ""),
    " ": ("Space", 32, " "),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
    "End": ("End", 35, ""),
    "Home": ("Home", 36, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}
_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
_LOUD = {"error", "warning", "assert"}


def find_browser() -> str | None:
    """The path of an installed Chromium; None when there is none."""
    return next((found for name in NAMES if (found := shutil.which(name)) is not None), None)


needs_browser = pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")


class BrowserError(AssertionError):
    """The browser died, did not answer in time, or refused an order."""


class Browser:
    """One Chromium process with an empty profile; use it as a context, its end kills the process.

    with Browser() as browser:
        page = browser.open(file, width=800, height=600, dark=True)
    """

    def __init__(self) -> None:
        program = find_browser()
        if program is None:
            raise BrowserError("no Chromium is installed")
        self._home = Path(tempfile.mkdtemp(prefix="browser-"))
        self._count = 0
        self._buffer = b""
        self._pages: dict[str, Page] = {}
        orders, self._to = os.pipe()
        self._from, answers = os.pipe()
        # Above 9, so that neither is in the way of the 3 and 4 that the launcher makes of them.
        ends = [_above(orders), _above(answers)]
        for end in (self._to, self._from):
            os.set_inheritable(end, False)
        argv = [sys.executable, "-c", _LAUNCH, *map(str, ends), program, *_FLAGS, f"--user-data-dir={self._home}"]
        with (self._home / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=ends,
                start_new_session=True,
                env={**os.environ, "HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home / "config")},
            )
        for end in ends:
            os.close(end)
        try:
            self.order("Browser.getVersion")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, path: Path, width: int = 1280, height: int = 800, *, dark: bool = False) -> Page:
        """Open a file and wait until it is loaded and painted; sizes in CSS pixels."""
        target = self.order("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        session = self.order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session, path.resolve().as_uri())
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.order(f"{domain}.enable")
        page.size(width, height)
        page.colours(dark=dark)
        page.load()
        return page

    def close(self) -> None:
        """Kill the process and those that it started, and remove its profile; doing it again changes nothing."""
        for end in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(end)
        self._to = self._from = -1
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def order(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Send one DevTools command and return its result; events that come meanwhile go to their pages."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        self._send(json.dumps(message).encode() + b"\0")
        until = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(until, method)
            if answer.get("id") != number:
                self._tell(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error'].get('message')}")
            else:
                return answer["result"]

    def wait(self, session: str, event: str) -> None:
        """Read until a page has sent an event of this name."""
        until = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(until, event)
            self._tell(answer)
            if answer.get("method") == event and answer.get("sessionId") == session:
                return

    def forget(self, session: str) -> None:
        """A page was closed."""
        self._pages.pop(session, None)

    def _tell(self, message: dict[str, Any]) -> None:
        page = self._pages.get(message.get("sessionId", ""))
        if page is not None and "method" in message:
            page.hear(message["method"], message["params"])

    def _send(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._to, data) :]
        except OSError as error:
            raise self._failed(f"the browser takes no orders ({error})") from None

    def _next(self, until: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise self._failed(f"{what}: no answer within {TIMEOUT:.0f} s")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise self._failed(f"{what}: the browser has ended")
            self._buffer += data
        first, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def _failed(self, what: str) -> BrowserError:
        try:
            words = (self._home / "stderr").read_text(errors="replace")[-2000:]
        except OSError:
            words = ""
        return BrowserError(f"{what}\n{words}")


class Page:
    """One tab with one file in it."""

    def __init__(self, browser: Browser, target: str, session: str, url: str) -> None:
        self.url = url
        self._browser, self._target, self._session = browser, target, session
        self._console: list[str] = []
        self._requests: list[str] = []

    @property
    def console(self) -> list[str]:
        """Console messages of every level, exceptions, and log entries that are errors or warnings, as they came."""
        self.settle()
        return list(self._console)

    @property
    def requests(self) -> list[str]:
        """URLs that were asked for, or would have been but for a policy, other than the file itself and `data:`."""
        self.settle()
        return list(self._requests)

    def order(self, method: str, **params: Any) -> Any:
        """Send one DevTools command to this tab."""
        return self._browser.order(method, self._session, **params)

    def load(self) -> None:
        """Load the file anew; wait for its `load` event and the paint after it."""
        answer = self.order("Page.navigate", url=self.url)
        if "errorText" in answer:
            raise BrowserError(f"{self.url}: {answer['errorText']}")
        self._browser.wait(self._session, "Page.loadEventFired")
        self.settle()

    def settle(self) -> None:
        """Wait until two frames were painted: what was ordered before has then happened."""
        # A tab behind another one is never painted.
        self.order("Page.bringToFront")
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")

    def evaluate(self, js: str) -> Any:
        """The JSON value of an expression in the page, awaited if it is a promise; what it throws fails the test."""
        answer = self.order("Runtime.evaluate", expression=js, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{js[:200]}: {_exception(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key by its DOM name, as `Tab`, `a` or `Shift+Tab`."""
        *held, name = key.split("+") if len(key) > 1 else [key]
        modifiers = sum(_MODIFIERS[one] for one in held)
        code, number, text = _KEYS[name] if name in _KEYS else _letter(name)
        known = {"key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        plain = text if not modifiers & ~_MODIFIERS["Shift"] else ""
        words = {"text": plain} if plain and plain != "\t" else {}
        self.order("Input.dispatchKeyEvent", type="keyDown" if words else "rawKeyDown", **known, **words)
        self.order("Input.dispatchKeyEvent", type="keyUp", **known)
        self.settle()

    def type(self, text: str) -> None:
        """Press the keys of a text, one after the other."""
        for character in text:
            self.press("Enter" if character == "\n" else character)

    def click(self, selector: str) -> None:
        """Click in the middle of the first element that a CSS selector names, after scrolling it into view."""
        found = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
            " e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        if found is None:
            raise BrowserError(f"nothing on the page is {selector}")
        for kind in ("mousePressed", "mouseReleased"):
            self.order("Input.dispatchMouseEvent", type=kind, x=found[0], y=found[1], button="left", clickCount=1)
        self.settle()

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        """Resize the view; `mobile` also obeys the page's `viewport`, as phones do."""
        self.order("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def colours(self, *, dark: bool) -> None:
        """What `prefers-color-scheme` says from now on."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.order("Emulation.setEmulatedMedia", media="screen", features=[scheme])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write a PNG of what is in view, or of the `whole` page."""
        answer = self.order("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Close the tab."""
        self._browser.order("Target.closeTarget", targetId=self._target)
        self._browser.forget(self._session)

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Take note of an event."""
        if method == "Runtime.consoleAPICalled":
            words = (str(arg.get("value", arg.get("description", ""))) for arg in params["args"])
            self._console.append(f"{params['type']}: {' '.join(words)}")
        elif method == "Runtime.exceptionThrown":
            self._console.append(f"exception: {_exception(params['exceptionDetails'])}")
        elif method == "Log.entryAdded" and params["entry"]["level"] in _LOUD:
            self._console.append(f"{params['entry']['level']}: {params['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if url.partition("#")[0] != self.url and not url.startswith("data:"):
                self._requests.append(url)


@contextlib.contextmanager
def opened(path: Path, width: int = 1280, height: int = 800, *, dark: bool = False) -> Iterator[Page]:
    """One file in a browser of its own."""
    with Browser() as browser:
        yield browser.open(path, width, height, dark=dark)


def _above(end: int) -> int:
    import fcntl

    moved = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return moved


def _letter(name: str) -> tuple[str, int, str]:
    if len(name) != 1:
        raise BrowserError(f"{name} is no key")
    code = f"Key{name.upper()}" if name.isascii() and name.isalpha() else f"Digit{name}" if name.isdigit() else ""
    return code, ord(name.upper()) if code else 0, name


def _exception(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description") or details.get("text"))
