"""What all commands share: the common options, where answers go, progress, and the one error boundary."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from dvc_modelver.core.progress import no_progress
from dvc_modelver.core.text import redact, safe, safe_json
from dvc_modelver.errors import BadInput, ModelverError

if TYPE_CHECKING:
    from dvc_modelver.cli.answer import Answer
    from dvc_modelver.commands.project import Surroundings

Command = Callable[..., "Answer"]
SCHEMA = 1
COMMON = "Options of every command"

_OPTIONS: Mapping[str, Any] = {
    "directory": Annotated[
        str, typer.Option("-C", metavar="PATH", help="Work as if started in PATH.", show_default=False)
    ],
    "quiet": Annotated[bool, typer.Option("-q", "--quiet", help="Only the answer and errors.")],
    "verbose": Annotated[bool, typer.Option("-v", "--verbose", help="Say more; show where an internal error arose.")],
    "no_color": Annotated[bool, typer.Option("--no-color", help="No colour (also: NO_COLOR).")],
    "as_json": Annotated[bool, typer.Option("--json", help="The answer as one JSON object.")],
}
_TABLE_OPTIONS: Mapping[str, Any] = {
    "as_markdown": Annotated[bool, typer.Option("--md", help="The table as Markdown.")],
    "as_csv": Annotated[bool, typer.Option("--csv", help="The table as CSV.")],
}
_DEFAULTS = {"directory": "."}
_MAX_LINE = 1000
"""Characters of an error: names and paths come from others, and may be of any length."""
_HINTS = {
    "check-failed": "modelver doctor says more",
    "bad-input": "correct it, then run it again; modelver --help lists the commands",
    "refused": "modelver doctor says more",
    "conflict": "git fetch --tags, and look with modelver history",
    "data": "modelver doctor says more",
    "environment": "check the repository, the disk and the network, then run it again",
    "not-found": "modelver list shows what there is",
    "bug": "run it again with -v and report what it prints",
}
"""For errors that come without a better next step."""


def command(run: Command) -> Callable[..., None]:
    """Turn a function of (surroundings, its own options) into a command with the common options.

    A function that has a parameter `table` gets `--md` and `--csv` too; the parameter itself is not passed.
    """
    hints = get_type_hints(run, include_extras=True)
    own = list(inspect.signature(run).parameters.values())[1:]
    has_table = getattr(run, "__table__", False)
    shared = {**_OPTIONS, **(_TABLE_OPTIONS if has_table else {})}

    @functools.wraps(run)
    def wrapper(**values: Any) -> None:
        common = {name: values.pop(name) for name in shared}
        _print(run(_surroundings(common), **values), common)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [p.replace(kind=keyword, annotation=hints[p.name]) for p in own]
    parameters += [
        inspect.Parameter(name, keyword, default=_DEFAULTS.get(name, False), annotation=annotation)
        for name, annotation in shared.items()
    ]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__
    return wrapper


def table_command(run: Command) -> Callable[..., None]:
    """Like `command`, for one whose answer holds a table: adds `--md` and `--csv`."""
    run.__table__ = True  # type: ignore[attr-defined]
    return command(run)


def _surroundings(common: Mapping[str, Any]) -> Surroundings:
    from dvc_modelver.commands.project import Surroundings

    if common.get("as_markdown") and common.get("as_csv"):
        raise BadInput("--md and --csv exclude each other", hint="choose one")
    silent = common["quiet"]
    return Surroundings(
        directory=Path(common["directory"]),
        env=dict(os.environ),
        say=(lambda text: None) if silent else say,
        progress=no_progress if silent or not sys.stderr.isatty() else Bar(),
    )


def _print(answer: Answer, common: Mapping[str, Any]) -> None:
    from dvc_modelver.cli.table import render_csv, render_markdown, render_text

    if not common["quiet"]:
        for note in answer.notes:
            say(note)
    if common["as_json"]:
        emit(answer.data)
    elif common.get("as_markdown") and answer.table is not None:
        write(render_markdown(answer.table))
    elif common.get("as_csv") and answer.table is not None:
        write(render_csv(answer.table))
    else:
        colour = not common["no_color"] and colour_wanted(os.environ)
        table = [render_text(answer.table, bold=colour)] if answer.table is not None and answer.table.rows else []
        lines = [redact(safe(line)) for line in answer.lines], table, [redact(safe(line)) for line in answer.after]
        if any(lines):
            write("\n".join(line for part in lines for line in part))
    if answer.code:
        raise typer.Exit(int(answer.code))


def colour_wanted(env: Mapping[str, str]) -> bool:
    """Colour only on a terminal that can, and never against NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def emit(data: Mapping[str, object]) -> None:
    """One JSON object on stdout."""
    import json

    from dvc_modelver.cli.answer import plain

    answer = {"schema": SCHEMA, **{key: plain(value) for key, value in data.items()}}
    write(safe_json(json.dumps(answer, ensure_ascii=False)))


def write(text: str) -> None:
    """A line on stdout, whatever its encoding can show."""
    _put(sys.stdout, text)


def say(text: str) -> None:
    """A line for people on stderr."""
    _put(sys.stderr, redact(safe(text)))


def _put(stream: Any, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    line = text.encode(encoding, "backslashreplace").decode(encoding) + "\n"
    try:
        stream.write(line)
        stream.flush()
    except BrokenPipeError:  # the reader has left (`modelver list | head`): nothing is wrong
        if stream is sys.stdout:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except OSError:
        if stream is not sys.stderr:
            raise  # an answer that found no room is a failure; words for people that nobody sees are none


def complain(error: ModelverError, as_json: bool) -> None:
    """`error:` and `hint:`, one line each, on stderr, and with `--json` the error object on stdout."""
    message, hint = _on_a_line(error.message), _on_a_line(error.hint or _HINTS.get(error.kind, _HINTS["bug"]))
    say(f"error: {message}")
    say(f"hint: {hint}")
    if as_json:
        with suppress(OSError):  # it may be that very answer that could not be written
            emit({"error": {"code": int(error.code), "kind": error.kind, "message": message, "hint": hint}})


def _on_a_line(text: str) -> str:
    line = redact(safe(text)).replace("\n", " ")
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 3]}..."


@dataclass
class Bar:
    """Progress on a terminal: one line, rewritten at most every percent, cleared at the end."""

    shown: int = -1

    def __call__(self, done: int, total: int, what: str) -> None:
        percent = 100 * done // total if total else 0
        if percent == self.shown:
            return
        self.shown = percent
        text = f"{percent:3d} %  {safe(what)}"[:100] if done < total else ""
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()


def ask(question: str, yes: bool, what_if_not: str) -> None:
    """Go on after a yes.  Raises `BadInput` where nobody can be asked, `Refused` on a no."""
    from dvc_modelver.errors import Refused

    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(f"{what_if_not} asks first, and there is no terminal to ask on", hint="pass --yes")
    sys.stderr.write(f"{safe(question)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was changed, as you said no", hint="run it again and say y, or pass --yes")
