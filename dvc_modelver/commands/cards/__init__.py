"""Model cards: brought up to date, checked, shown, and those that new versions bring."""
