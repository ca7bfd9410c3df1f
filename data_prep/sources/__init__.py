"""Reads third-party annotations, narrations and exchange formats into clips.jsonl."""
