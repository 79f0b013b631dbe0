"""Repositories made by an attacker: nothing runs, nothing leaks, nothing hangs, nothing is written outside."""
