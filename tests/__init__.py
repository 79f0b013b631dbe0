"""The tests, laid out as the package is; `tests/support` has what they share."""
