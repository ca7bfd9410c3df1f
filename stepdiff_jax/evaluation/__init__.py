"""Evaluation of StepDiff on DiffCap, DiffMCQ and DiffRank (paper, section 4)."""
