"""Published checkpoints, rewritten once as the files that an experiment loads."""
