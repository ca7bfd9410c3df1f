"""The kitchen: a small rendered world in the formats of HT-Step, HowTo100M and the benchmark."""
