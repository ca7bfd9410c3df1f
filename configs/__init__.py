"""One Python file an experiment; each defines `experiment()`."""
