"""`make rehearsal`: the paper's path on files in the published formats; only weights are made up.

Every command is run as a user types it, in its own process, on files that this package writes in
the formats of HT-Step, HowTo100M, the StepDiff benchmark, Hugging Face, InternVideo and CLIP.
"""
