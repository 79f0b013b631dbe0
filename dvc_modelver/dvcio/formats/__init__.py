"""What a model file is, without loading it: nothing is unpickled, imported, decompressed at will or executed.

`describe` finds the format by a file's bytes, or looks through a directory; `description` holds the types of the
answer; `signature` reads the file of features that a training may write.  Below them stands one module per family of
formats, each over `source` and `cursor`, which cap what is read.  No clock is asked: the caps are counts, so that a
description is the same on every machine.
"""
