"""Rules that remove made-up questions and answers of a language model; all of it ours."""
