"""DECIDE: pure functions over plain data.  Imports nothing of ours but `errors`, and only the standard library.

`names`, `versions` and `tags` hold the grammar; `records` what a tag's message says; `registry` what all tags
together say; `facts` the types in which a commit's facts come; `releases` what a release would do.
"""
