"""A run as a directory that transformers opens, and back."""
