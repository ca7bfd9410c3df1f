"""Measurements run by hand: memory, errors of quantisation, kills, equality with PyTorch."""
