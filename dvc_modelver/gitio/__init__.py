"""The only door to Git: processes, refs, objects, the work tree, commits, tags, remotes.

Everything goes through the `git` executable.  May import `core` and `errors`; never `dvcio`.
"""
