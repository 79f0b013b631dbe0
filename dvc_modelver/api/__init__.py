"""The Python API: the same facts as the command line, as frozen dataclasses and as pandas frames.

A shell around the commands, as the command line is: a class for each theme, and `Repository` of them all.
"""

from dvc_modelver.api.repository import Repository, open
from dvc_modelver.api.rows import Rows

__all__ = ["Repository", "Rows", "open"]
