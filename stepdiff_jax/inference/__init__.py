"""Inference with a trained model: likelihoods, generation, and the `StepDiff` class."""
