"""What is seen in a clip, and one step description of it (section 3.2, figure 2)."""
