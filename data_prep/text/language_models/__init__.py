"""Language models that data_prep asks for text, behind one protocol; all of it ours."""
