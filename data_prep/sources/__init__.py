"""Annotations, narrations and exchange formats of others, read into clips.jsonl."""
