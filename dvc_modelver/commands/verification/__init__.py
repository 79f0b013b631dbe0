"""`verify`: every link from a ref to its bytes, and what a `dvc gc` would lose."""
