"""The text stages (section 3.2): descriptions, pairs, questions and the filter."""
