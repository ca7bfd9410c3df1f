"""Writes interleaved sequences and single clips."""
