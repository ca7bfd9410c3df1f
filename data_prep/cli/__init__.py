"""The commands of `stepdiff prep` and `stepdiff bench`."""
