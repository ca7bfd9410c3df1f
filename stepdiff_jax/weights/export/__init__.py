"""Exports a run to a directory that transformers can load, and imports it back."""
