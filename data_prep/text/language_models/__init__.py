"""Language models that write text for data_prep, behind one protocol; all of it ours."""
