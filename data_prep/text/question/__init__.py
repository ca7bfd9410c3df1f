"""Generates questions and answers about pairs, and parses them from a model's text."""
