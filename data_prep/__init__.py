"""Turns annotations, narrations and video files into training records."""
