"""Whether a stage's version still is as good as it was: what production reports, the decision, and the way back."""
