"""`stepdiff prep inspect`: a page that shows what the stages produced and what they dropped."""
