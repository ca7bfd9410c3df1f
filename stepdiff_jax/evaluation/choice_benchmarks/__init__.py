"""Other benchmarks of questions about several videos with answers to choose from."""
