"""Putting our Git hooks and the merge driver where git finds them, and taking them away again."""
