"""DVC's files parsed from text, and the bytes that they name: found, hashed, fetched, pushed, put in place.

`project`, `facts`, `lock` and `yaml12` parse without importing dvc; `cache`, `content`, `fetch`, `place` and `push` are
about bytes; `act` alone imports dvc.  May import `core` and `errors`; never `gitio`.
"""
