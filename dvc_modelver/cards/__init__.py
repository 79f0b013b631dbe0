"""Model cards: one Markdown file that people and we write together.

`document` parses a card and replaces its generated blocks, everything else byte for byte; `markers`, `frontmatter` and
`lines` are its parts.  `facts` is all that a card may say; `generate` tells which blocks have to be made anew, `blocks`
make them, `huggingface` the front matter, `plots` the pictures; `readback` reads what an earlier card said.  `sections`
and `numbers` read what people wrote; `escape`, `tables` and `yamltext` make any value safe for its place.  May import
`core`, `errors` and `resources`.
"""
