"""Training of the resampler around frozen networks: step, loop, checkpoints, telemetry."""
