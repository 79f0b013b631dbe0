"""`python -m dvc_modelver` is `modelver`."""

import os
import sys

# `python -m` looks for modules in the working directory first: a repository's `yaml.py` is not the one we mean.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

_FAST = ("git-hook", "merge-driver")
"""Commands for git, not for people: they do without typer, which would be most of their time."""


def start() -> None:
    """What the installed `modelver` script calls."""
    if sys.argv[1:2] and sys.argv[1] in _FAST:
        from dvc_modelver.hooks.main import main

        # The first is followed by a hook's name, the second is one.
        sys.exit(main(sys.argv[2:] if sys.argv[1] == "git-hook" else sys.argv[1:]))
    from dvc_modelver.cli.main import entry_point

    entry_point()


if __name__ == "__main__":
    start()
