"""From video files and records to batches."""
