"""Benchmarks: `run.py` measures, `make_repo.py` generates the repositories, `test_smoke.py` keeps both alive."""
