"""The rows of the paper's Table 1 behind one protocol."""
