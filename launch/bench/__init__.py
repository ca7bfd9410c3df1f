"""Manual measurements: memory, quantization error, random kills, equality with PyTorch."""
