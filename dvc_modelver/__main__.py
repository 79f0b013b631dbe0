"""`python -m dvc_modelver` is `modelver`."""

import os
import sys

# `python -m` looks for modules in the working directory first: a repository's `yaml.py` is not the one we mean.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from dvc_modelver.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
