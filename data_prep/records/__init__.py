"""From clips, pairs and sequences to the datasets that training reads."""
