"""The figures of the paper's tables 1 and 2 (CVPR 2024, section 4)."""

from collections.abc import Mapping

METRICS = ("BLEU", "CIDEr", "ROUGE-L", "accuracy", "ktau")

Figures = Mapping[str, float]


def _figures(*values: float) -> Figures:
    """Of all metrics, or of the last two for systems that cannot write."""
    return dict(zip(METRICS[-len(values) :], values, strict=True))


TABLE_1: Mapping[str, Figures] = {
    "VLEmbed (CLIP)": _figures(0.396, 0.127),
    "VLEmbed (InternVideo)": _figures(0.451, 0.170),
    "Socratic (BLIP-2)": _figures(0.159, 0.036, 0.169, 0.335, 0.022),
    "Socratic (LLaVA)": _figures(0.151, 0.031, 0.166, 0.332, 0.004),
    "Socratic (step description)": _figures(0.141, 0.020, 0.172, 0.392, 0.013),
    "VCLM (LLaVA)": _figures(0.211, 0.069, 0.199, 0.381, 0.019),
    "VCLM (AnyMAL)": _figures(0.209, 0.115, 0.196, 0.471, 0.032),
    "Interleaved (IDEFICS)": _figures(0.217, 0.080, 0.210, 0.376, 0.081),
    "Interleaved (AnyMAL)": _figures(0.207, 0.102, 0.198, 0.497, 0.014),
    "StepDiff": _figures(0.223, 0.104, 0.215, 0.541, 0.181),
}
"""Name of a row -> metric -> figure."""

SMALLER = "StepDiff with the 13B language model"

TABLE_2: Mapping[str, Figures] = {
    "StepDiff": TABLE_1["StepDiff"],
    "StepDiff without interleaved data": _figures(0.214, 0.094, 0.210, 0.499, 0.185),
    "StepDiff without QA filtering": _figures(0.222, 0.096, 0.212, 0.516, 0.120),
    SMALLER: _figures(0.216, 0.124, 0.205, 0.527, 0.175),
}
"""The ablations of StepDiff, which has the 70B language model otherwise."""
