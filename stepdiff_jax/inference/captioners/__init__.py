"""Models that say what is seen in one clip: for step descriptions, and for Socratic models."""
