"""Writes a step description of each clip from what is seen in it (section 3.2, figure 2)."""
