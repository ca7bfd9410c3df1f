"""Starting StepDiff-JAX on clusters."""

import configs  # noqa: F401  its files are what CONFIG may name
