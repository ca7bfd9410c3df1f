"""Weights in and out: published checkpoints to our layout and back."""
