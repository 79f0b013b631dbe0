"""The generated blocks of a card, one module each: facts in, Markdown out.  Pure.

Each module has `render(facts) -> str`: the text between its markers, empty when there is nothing to say.
"""
