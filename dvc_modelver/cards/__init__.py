"""Model cards: one Markdown file that people and we write together.

`document` parses a card and replaces its generated blocks, everything else byte for byte; `markers`, `frontmatter` and
`lines` are its parts.  `sections` and `numbers` read what people wrote; `escape` and `yamltext` make any value safe for
its place.  May import `core`, `errors` and `resources`.
"""
