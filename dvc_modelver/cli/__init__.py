"""Words in, words out: options, tables, JSON, one error boundary.  Decides nothing."""
