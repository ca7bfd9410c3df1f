"""Reads the text of a compiled program: its computations, loops, collectives and source lines."""
