"""The stages of `stepdiff prep` and `stepdiff bench` as commands."""
