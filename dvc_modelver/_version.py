"""The version, in the one place where it is written: the build reads it from here, `modelver --version` too."""

__version__ = "0.1.0.dev0"
