"""Writes and checks the official benchmark files, and keeps their clips out of training."""
