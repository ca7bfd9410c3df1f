"""The paper's tables, measured anew: `stepdiff table1` and `table2`."""
