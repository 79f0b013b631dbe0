"""`reproduce`: a version built once more and held against what was recorded."""
