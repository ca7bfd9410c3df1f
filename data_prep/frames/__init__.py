"""Frames of clips: decoding video files, storing JPEG images."""
