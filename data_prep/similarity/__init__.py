"""How similar sentences are: vectors whose products are cosines. All of it is ours.

The paper pairs clips with similar descriptions and does not say how it measured that.
"""
