"""Names, versions, settings, repositories and data as they should not be: the exit code, two lines, nothing changed."""
