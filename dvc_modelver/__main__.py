"""`python -m dvc_modelver` is `modelver`."""

from dvc_modelver.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
