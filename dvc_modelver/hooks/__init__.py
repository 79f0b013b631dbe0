"""The fast path of Git and pre-commit hooks: no typer, and of ours only what a hook needs; may not import `commands`.

`modelver git-hook NAME ARGS` comes here from `__main__`; each hook is a module with `run(call) -> int`.
"""
