"""`stepdiff prep inspect`: a page that shows what the stages made, and what they left out."""
