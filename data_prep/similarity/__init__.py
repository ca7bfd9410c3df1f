"""Similarity of sentences as cosines of vectors. All of it is ours.

The paper pairs clips with similar descriptions but does not say how it measures similarity.
"""
