"""Writes golden_caption_metrics.json with pycocoevalcap 1.2.

    pip install pycocoevalcap==1.2 numpy
    python tests/evaluation/make_golden_metrics.py

Only its BLEU, CIDEr and ROUGE modules are used, so that no Java is needed.
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

OUTPUT = Path(__file__).with_name("golden_caption_metrics.json")

ONION = "the person is chopping a red onion , instead of a green onion ."
CHILI = [
    "The person chopped small red chili as opposed to long red chili",
    "The person diced the whole red chili rather than chopped only half of it",
]
BUTTER = ["the butter is melted in a pan instead of a bowl", "Uses a pan, not a bowl"]

CORPORA = {
    "one reference each": (
        [ONION, "the person adds two eggs", "a bowl of flour is sifted"],
        [[CHILI[0]], ["the person adds three eggs to the bowl"], ["the flour is not sifted"]],
    ),
    "several references": (
        [CHILI[1].lower(), "the butter is melted in a bowl", "no difference"],
        [CHILI, BUTTER, ["the dough is kneaded by hand", "by hand", "kneads dough by hand here"]],
    ),
    "identical": (
        [CHILI[0], BUTTER[0], "the oil is hot before the garlic is added"],
        [[CHILI[0]], [BUTTER[0]], ["the oil is hot before the garlic is added"]],
    ),
    "empty hypothesis": (["", "the pan is hot"], [BUTTER, ["the pan is cold", "a hot pan"]]),
    "only empty hypotheses": (["", ""], [BUTTER, CHILI]),
    "empty reference": (["a pan", ""], [["", "the pan"], ["a bowl"]]),
    "white space": (
        ["the  pan is   hot", " a bowl ", "line\nbreak and\ttab", " "],
        [["the pan is hot", "the  pan is hot"], ["a bowl"], ["line break and tab"], ["a  b", " "]],
    ),
    "capital letters": (
        ["The Person Chops An Onion", "the person chops an onion"],
        [["the person chops an onion"], ["The Person chops AN onion", "THE PERSON"]],
    ),
    "equally close reference lengths": (["one two three"], [["one two", "one two three four"]]),
    "nothing in common": (["a pan", "hot"], [["the bowl"], ["cold and wet"]]),
    "repeated words": (["the the the the the", "pan pan"], [["the pan the"], ["pan", "pan a pan"]]),
    "one instance": ([ONION], [CHILI]),
    "the same everywhere": (["cut it", "cut it"], [["cut it"], ["cut it", "slice it"]]),
    "not ASCII": (
        ["crème brûlée instead of flan", "唐辛子 を 切る"],
        [["creme brûlée"], ["唐辛子 を 洗う"]],
    ),
}


def random_corpus(seed: int, instances: int) -> tuple[list[str], list[list[str]]]:
    """Sentences of 0 to 14 words from a vocabulary small enough for long n-grams to match."""
    rng = random.Random(seed)
    vocabulary = ["the", "a", "pan", "bowl", "red", "chili", "cuts", "stirs", "Instead", "of", ""]

    def sentence() -> str:
        return " ".join(rng.choices(vocabulary, k=rng.randint(0, 14)))

    hypotheses = [sentence() for _ in range(instances)]
    return hypotheses, [[sentence() for _ in range(rng.randint(1, 5))] for _ in hypotheses]


def golden(hypotheses: list[str], references: list[list[str]]) -> dict[str, float]:
    results = {index: [text] for index, text in enumerate(hypotheses)}
    truths = dict(enumerate(references))
    return {
        "BLEU": float(Bleu(4).compute_score(truths, results, verbose=0)[0][0]),
        "CIDEr": float(Cider().compute_score(truths, results)[0]),
        "ROUGE-L": float(Rouge().compute_score(truths, results)[0]),
    }


def main() -> None:
    corpora = {**CORPORA, "random words": random_corpus(seed=0, instances=60)}
    cases = [
        {"name": name, "hypotheses": hypotheses, "references": references}
        | {"metrics": golden(hypotheses, references)}
        for name, (hypotheses, references) in corpora.items()
    ]
    document = {"made_by": f"pycocoevalcap {version('pycocoevalcap')}", "cases": cases}
    OUTPUT.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
