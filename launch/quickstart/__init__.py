"""`stepdiff quickstart`: the whole recipe on the rendered kitchen, in minutes."""
