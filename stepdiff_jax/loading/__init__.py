"""Frozen weights from files into the shards of a mesh."""
