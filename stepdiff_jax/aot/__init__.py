"""Compiles the training step for hardware that is not attached, and reports what it needs."""
