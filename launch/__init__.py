"""The `stepdiff` command, and starting it locally and on clusters."""

import configs  # noqa: F401  its files are what CONFIG may name
