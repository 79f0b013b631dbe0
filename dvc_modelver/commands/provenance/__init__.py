"""Where a version came from, and what came of a file: `lineage` and `impact`."""
