"""What families of language models share, and how one is found by its name."""
