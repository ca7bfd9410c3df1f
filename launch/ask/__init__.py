"""`stepdiff ask`: questions about one video or several, or about many groups of videos."""
