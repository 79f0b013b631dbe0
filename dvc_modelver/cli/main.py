"""The `modelver` command: finds the subcommand, runs it, turns every failure into an exit code and two lines."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from dvc_modelver._version import __version__
from dvc_modelver.cli.lean import LeanCommand, LeanGroup
from dvc_modelver.cli.shell import complain, say, write
from dvc_modelver.errors import BadInput, EnvironmentProblem, ExitCode, ModelverError

# In the order of `--help`, with the line there.  A module is imported when its command is run, or for help and
# completion of all.
COMMANDS: dict[str, str] = {
    "init": "Declare the models that DVC tracks; write CI jobs.",
    "release": "Release the next version of models.",
    "list": "List models and what each stage holds.",
    "show": "Show versions of a model, or one in full.",
    "history": "Show what happened, or what was on a date.",
    "compare": "Compare versions, branches, the work tree.",
    "lineage": "Show where a version comes from.",
    "impact": "Say what was made from a file.",
    "bisect": "Find where a metric went wrong.",
    "reproduce": "Rebuild a version, and compare.",
    "promote": "Put a version into a stage.",
    "rollback": "Go back to what an earlier version was made of.",
    "withdraw": "Empty a stage, or withdraw a version.",
    "retire": "Close a model.",
    "push": "Publish what the remote lacks.",
    "get": "Fetch a version's bytes, verified.",
    "card": "Write, check and show model cards.",
    "run": "Run a training, record its environment.",
    "hooks": "Install Git hooks that guard versions.",
    "gate": "Check metrics against a policy.",
    "guard": "Check production, go back when it is bad.",
    "validate": "Check a table of data.",
    "pipeline": "Write pipeline stages into dvc.yaml.",
    "verify": "Check versions, from tag to bytes.",
    "doctor": "Say everything that is wrong.",
    "demo": "Show a model's whole life in a project.",
}
_MODULES = {"list": "list_models"}
_GROUPS = ("card", "hooks", "pipeline")
"""Commands that have commands of their own: their module has `COMMANDS`, `HELP` and a function for each."""
_HELP = """Model versions from Git tags and DVC artifacts: no server, no database, the repository is the registry.

\b
Examples:
  modelver init                       declare the models that DVC tracks here
  modelver release churn              the next version of churn
  modelver list                       every model and what each stage holds
  modelver promote churn@v1.2.0 prod  put a version into a stage
  modelver get churn#prod             fetch what prod runs, verified
"""
_GLOBAL_FLAGS = ("-q", "--quiet", "-v", "--verbose", "--no-color", "--json")


def _version(wanted: bool) -> None:
    if wanted:
        write(f"modelver {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def build_app(names: Sequence[str]) -> typer.Typer:
    """The command line with these subcommands."""
    app = typer.Typer(
        name="modelver",
        cls=LeanGroup,
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        module = import_module(f"dvc_modelver.cli.{_MODULES.get(name, name)}")
        if name in _GROUPS:
            app.add_typer(_group(module), name=name, short_help=COMMANDS[name])
        else:
            _add(app, name, module.run, COMMANDS[name])
    return app


def _add(app: typer.Typer, name: str, run: Callable[..., Any], short_help: str) -> None:
    app.command(name, cls=LeanCommand, short_help=short_help)(run)


def _group(module: Any) -> typer.Typer:
    app = typer.Typer(
        cls=LeanGroup,
        help=module.HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, short_help in module.COMMANDS.items():
        _add(app, name, getattr(module, name), short_help)
    return app


def arrange(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments with common options moved behind the subcommand, and the subcommand (None: none is named)."""
    before, rest = _common_options(argv)
    if not rest or rest[0].startswith("-"):
        return rest, None
    words, rest = rest[:1], rest[1:]
    if words[0] in _GROUPS:
        more, behind = _common_options(rest)
        if behind and not behind[0].startswith("-"):
            words, before, rest = [*words, behind[0]], [*before, *more], behind[1:]
    return [*words, *before, *rest], words[0]


def _common_options(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The common options that `argv` begins with, and what follows them."""
    at = 0
    while at < len(argv):
        word = argv[at]
        if word == "-C" and at + 1 < len(argv):
            at += 2
        elif word in _GLOBAL_FLAGS or (word.startswith("-C") and len(word) > 2):
            at += 1
        else:
            break
    return list(argv[:at]), list(argv[at:])


def main(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name); the exit code.  Never raises."""
    args, name = arrange(argv)
    as_json = "--json" in _own(argv)
    try:
        if name is not None and name not in COMMANDS:
            raise _unknown_command(name)
        _check_subcommand(name, args)
        app = build_app(_needed(name, args))
        status = int(app(args, prog_name="modelver", standalone_mode=False) or 0)
        if status == ExitCode.INTERRUPTED:
            say("error: interrupted")
        return status
    except ModelverError as error:
        complain(error, as_json)
        return int(error.code)
    except (KeyboardInterrupt, typer.Abort):
        say("error: interrupted")
        return ExitCode.INTERRUPTED
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    except SystemExit as leaving:  # typer's own answer to a pipe that broke under a Ctrl-C
        return leaving.code if isinstance(leaving.code, int) else int(ExitCode.OK)
    except OSError as error:
        problem = EnvironmentProblem(_os_words(error), hint="check the disk and who may write there")
        complain(problem, as_json)
        return int(problem.code)
    except Exception as error:
        return _usage_or_bug(error, args, as_json)


def _needed(name: str | None, args: Sequence[str]) -> list[str]:
    """The subcommands whose modules this command line needs: each costs milliseconds."""
    if "_MODELVER_COMPLETE" in os.environ:
        return list(COMMANDS)
    if name is not None:
        return [name]
    return [] if list(args) == ["--version"] else list(COMMANDS)


def _os_words(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _unknown_command(name: str) -> BadInput:
    from dvc_modelver.core.names import near

    return BadInput(f"there is no command {name}", hint=near(name, COMMANDS) or "modelver --help lists them")


def _check_subcommand(name: str | None, args: Sequence[str]) -> None:
    if name not in _GROUPS or len(args) < 2 or args[1].startswith("-"):
        return
    from dvc_modelver.core.names import near

    known = import_module(f"dvc_modelver.cli.{name}").COMMANDS
    if args[1] not in known:
        hint = near(args[1], known) or f"modelver {name} --help lists them"
        raise BadInput(f"there is no command {name} {args[1]}", hint=hint)


def _own(argv: Sequence[str]) -> Sequence[str]:
    """The words that are ours: those behind `--` are of another command."""
    return argv[: list(argv).index("--")] if "--" in argv else argv


def _usage_or_bug(error: Exception, args: Sequence[str], as_json: bool) -> int:
    # Typer's usage errors share no public base class across its releases, but this method.
    words = getattr(error, "format_message", None)
    if words is not None:
        message = str(words()).strip().rstrip(".") or "that is not how modelver is called"
        problem: ModelverError = BadInput(message, hint=_usage_hint(args))
        if not args or type(error).__name__ == "NoArgsIsHelpError":
            if not as_json:
                write(str(words()).strip())
                return ExitCode.BAD_INPUT
            problem = BadInput("no command is named", hint="modelver --help lists them")
    else:
        problem = ModelverError(
            f"internal error: {type(error).__name__}: {error}", hint="run it again with -v and report what it prints"
        )
        if {"-v", "--verbose"} & set(_own(args)):
            import traceback

            say(traceback.format_exc())
    complain(problem, as_json)
    return int(problem.code)


def _usage_hint(args: Sequence[str]) -> str:
    if args[:1] == ["run"] and "--" not in args:
        return "write -- before the command: modelver run -- CMD"
    return " ".join(("modelver", *_command(args), "--help"))


def _command(args: Sequence[str]) -> Sequence[str]:
    """The subcommand's words, of arguments that were arranged."""
    if not args or args[0] not in COMMANDS:
        return ()
    of_two = args[0] in _GROUPS and len(args) > 1 and not args[1].startswith("-")
    return args[:2] if of_two else args[:1]


def run() -> int:
    """Run this process's own command line; the exit code."""
    # A short life makes many objects and drops few: looking for cycles cost a tenth of `list` on 12,000 tags.
    gc.set_threshold(200_000, 50, 50)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # it cleans up, as after Ctrl-C
    if "_MODELVER_COMPLETE" in os.environ:
        return _complete()
    return main(sys.argv[1:])


def _complete() -> int:
    from dvc_modelver.cli import bashwords

    if not bashwords.is_bash(os.environ):
        return main(sys.argv[1:])
    status, answers = bashwords.complete(os.environ, lambda: main(sys.argv[1:]))
    sys.stdout.write(answers)
    return status
