"""Text in Mermaid's labels: nothing in it is syntax, Markdown or HTML, and no secret.  Pure.

Source of the entity codes: Mermaid's flowchart syntax (`#` decimal code `;` inside a quoted label).
"""

from __future__ import annotations

import re

from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line

MAX_LABEL = 60
"""Characters of a label that stands in a flowchart of ordinary size."""
_parts = re.compile(r"([A-Za-z0-9/ ]|(?<=[A-Za-z0-9])(?<!(?i:www))[._-](?=[A-Za-z0-9]))|(.)")


def escape_label(text: str, limit: int = MAX_LABEL) -> str:
    """`text` for a place between `"` and `"`: on one line, cut, only letters, digits and entity codes; `?` if empty.

    `.`, `_` and `-` stay inside words, where they mean nothing, for those who read the source; not the dot of `www.`.
    """
    line = one_line(redact_text(text), limit) or "?"
    return _parts.sub(lambda found: found[1] or f"#{ord(found[2])};", line)
