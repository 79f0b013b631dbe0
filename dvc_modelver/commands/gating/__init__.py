"""Whether a model is good enough: its numbers, those of a reference, and the policy's rulings."""
