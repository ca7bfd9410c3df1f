"""Compiles the training step for hardware that is not there, and says what it needs."""
