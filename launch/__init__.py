"""Starting StepDiff-JAX on clusters."""
