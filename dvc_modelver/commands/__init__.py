"""The use cases: each reads, decides (`core`) and applies (`gitio`, `dvcio`), returns a frozen result, prints nothing.

May import everything but `cli`.  Only `cli` and the package's public API import from here.
"""
