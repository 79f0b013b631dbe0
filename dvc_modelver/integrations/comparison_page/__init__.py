"""The page of a comparison: one HTML file that needs nothing from outside, readable without its script too.

`document` puts the parts together: `summary`, `metricrows`, `rows` and `tables` (tables), `charts`, `axes` and
`parallel` (history), `plots`, `graph` (lineage).  `markup` makes texts safe.  Templates: `templates/compare`.
"""

from dvc_modelver.integrations.comparison_page.document import render

__all__ = ["render"]
