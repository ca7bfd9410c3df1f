"""What a dataset is written of: checked files, and shards of records."""
