"""Parts of packing a dataset: checked input files and shards of records."""
