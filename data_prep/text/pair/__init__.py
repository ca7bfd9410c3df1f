"""Pairs of clips of one keystep."""
