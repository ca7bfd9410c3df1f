"""Pairs clips of the same keystep."""
