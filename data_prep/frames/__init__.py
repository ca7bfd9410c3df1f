"""Decodes clips from video files and stores their frames as JPEG images."""
