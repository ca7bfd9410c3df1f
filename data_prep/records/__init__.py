"""Turns clips, pairs and sequences into the datasets that training reads."""
