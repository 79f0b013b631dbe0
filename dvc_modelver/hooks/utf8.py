"""File names are UTF-8, whatever the locale says: the first thing that any process of ours sees to."""

from __future__ import annotations

import os
import sys


def speak_utf8() -> None:
    """Begin this process again in Python's UTF-8 mode where file names have another encoding.

    So it is with `PYTHONUTF8=0` or a Latin-1 locale.  Git's paths and DVC's files are UTF-8: a name written otherwise
    would be another file, or none at all.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])
