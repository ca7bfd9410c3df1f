"""Questions and answers about pairs, and reading them out of a model's text."""
