"""Rules that remove what a language model made up in its questions and answers; all of it ours."""
