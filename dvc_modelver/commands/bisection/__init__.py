"""`bisect`: the first commit at which a metric became worse."""
