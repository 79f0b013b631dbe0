"""What differs between points of history: `compare`, its page, and whether differences are more than chance."""
