"""Interleaved sequences and single clips."""
