"""The stateful machine: random lives of two clones, and what must hold after each step.

`project` writes the files of a state; `world` has the repositories and acts on them; `ledger` is what must be true,
in plain Python; `checks` compares; `machine` has the rules.  May use what tests use; product code only as a command.
"""
