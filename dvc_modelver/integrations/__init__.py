"""What goes out to other systems, and comes in from them: one module per outside system.

A renderer of a lineage is `render(lineage) -> str`: `mermaid`, `dot` and `html` are pictures; `openlineage`, `prov`,
`cyclonedx` and `rocrate` are the standards of these names; `documents` has what they share.  `comparison_page` is the
page of a comparison: `render(report) -> str`.  May import `core`, `gitio`, `dvcio`, `cards`, `errors` and `resources`.
"""
