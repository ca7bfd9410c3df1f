"""Compiles programs for hardware that is not attached, and reports what they need."""
