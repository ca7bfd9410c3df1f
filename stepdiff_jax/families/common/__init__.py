"""Code shared by families of language models, and their lookup by name."""
