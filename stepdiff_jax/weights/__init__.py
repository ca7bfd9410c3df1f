"""Weights: loaded into the shards of a mesh, converted once, exported to PyTorch."""
