"""The whole recipe on the rendered kitchen, in minutes."""
