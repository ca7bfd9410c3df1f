"""Weights in and out: read into the shards of a mesh, rewritten once, exported to PyTorch."""
