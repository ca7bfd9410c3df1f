"""`stepdiff bench`: how fast this machine prepares data, and what model calls cost."""
