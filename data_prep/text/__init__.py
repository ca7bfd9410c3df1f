"""Descriptions, pairs, questions and the filter: the stages that handle text (section 3.2)."""
