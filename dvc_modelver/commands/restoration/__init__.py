"""`rollback`: the plan, the bytes, and the way back."""
