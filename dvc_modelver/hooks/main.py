"""`modelver git-hook NAME ARGS`: finds the hook, runs it, turns every failure into an exit code and two lines."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.core.text import redact, safe
from dvc_modelver.errors import BadInput, EnvironmentProblem, ExitCode, ModelverError
from dvc_modelver.hooks.call import Call, no_cards
from dvc_modelver.hooks.utf8 import speak_utf8

if TYPE_CHECKING:
    from dvc_modelver.hooks.cardcommands import CardCommands

HOOKS: dict[str, str] = {
    "merge-driver": "mergedriver",
    "card": "card",
    "card-update": "card_update",
    "commit-msg": "commit_msg",
    "dvc-sync": "dvc_sync",
    "model-format": "model_format",
    "pre-commit-push": "precommit_push",
    "pre-push": "pre_push",
    "post-checkout": "post_checkout",
    "post-merge": "post_merge",
    "prepare-commit-msg": "prepare_commit_msg",
}
"""Name -> module of this room, imported when it is run."""
_MAX_LINE = 1000


def main(argv: Sequence[str], cards: Callable[[], CardCommands] = no_cards) -> int:
    """Run one hook (its name, then its arguments); the exit code.  Never raises.

    Args:
        cards: imports what the hooks for cards need of the commands.
    """
    speak_utf8()
    gc.disable()  # a hook lives for a tenth of a second
    try:
        name, *args = argv or [""]
        if name not in HOOKS:
            raise BadInput(f"there is no hook {name}", hint=f"known are {', '.join(HOOKS)}")
        module = import_module(f"dvc_modelver.hooks.{HOOKS[name]}")
        return int(module.run(_call(args, cards)))
    except ModelverError as error:
        return _complain(error)
    except ImportError as error:
        hint = f"install it anew in {sys.prefix}"
        return _complain(EnvironmentProblem(f"this modelver is not whole: {error}", hint=hint))
    except KeyboardInterrupt:
        say("error: interrupted")
        return int(ExitCode.INTERRUPTED)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _complain(EnvironmentProblem(f"{error.strerror or error}{where}"))
    except Exception as error:
        return _complain(ModelverError(f"internal error: {type(error).__name__}: {error}"))


def _call(args: Sequence[str], cards: Callable[[], CardCommands]) -> Call:
    env = dict(os.environ)
    return Call(args=tuple(args), directory=Path.cwd(), env=env, read=sys.stdin.buffer.read, say=say, cards=cards)


def say(text: str) -> None:
    """A line on stderr, whatever its encoding can show; that nobody reads it changes nothing that a hook decides."""
    encoding = sys.stderr.encoding or "utf-8"
    with suppress(OSError):
        sys.stderr.write(redact(safe(text)).encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stderr.flush()


def _complain(error: ModelverError) -> int:
    for word, text in (("error", error.message), ("hint", error.hint or "modelver doctor says more")):
        line = redact(safe(text)).replace("\n", " ")
        say(f"{word}: {line[:_MAX_LINE]}")
    return int(error.code)
