"""Writes the published files: annotations, captions, videos, benchmark and weights."""
