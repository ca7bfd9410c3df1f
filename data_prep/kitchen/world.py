"""The kitchen's keysteps, attributes in the paper's categories, scenes and splits.

Every value is a distinctive word, so that a caption's attributes can be read back from it. The
world is ours; the five categories are the paper's (section 4, figure 4).
"""

import hashlib
from dataclasses import dataclass

import numpy as np

VALUES: dict[str, tuple[str, ...]] = {
    "ingredient": ("tomatoes", "carrots", "potatoes", "mushrooms", "onions", "peas"),
    "topping": ("salt", "chili", "parsley", "cheese"),
    "tool": ("spoon", "whisk", "spatula", "fork"),
    "material": ("wooden", "steel", "silicone", "plastic"),
    "motion": ("stirring", "sweeping", "pounding", "pressing"),
    "finish": ("covering", "oiling", "lifting"),
    "cut": ("finely", "roughly", "halved"),
    "hands": ("one", "both"),
    "vessel": ("white", "black", "green", "yellow", "purple"),
    "counter": ("marble", "granite", "oak", "tiled"),
}
ATTRIBUTES = tuple(VALUES)

CATEGORIES: dict[str, tuple[str, str]] = {
    "Ingredients": ("ingredient", "topping"),
    "Tools/Equipment": ("tool", "material"),
    "Actions": ("motion", "finish"),
    "Technique": ("cut", "hands"),
    "Visuals": ("vessel", "counter"),
}
"""Category -> (major attribute, minor attribute); a difference in the major one weighs more."""

SCORES = {(True, True): 5, (True, False): 4, (False, True): 2, (False, False): 1}
"""(major same, minor same) -> similarity on the annotators' scale, 5 = nearly identical."""

KEYSTEPS = (
    "mix the salad",
    "stir the soup",
    "season the stew",
    "toss the pasta",
    "fry the filling",
    "prepare the dip",
    "coat the vegetables",
    "warm the sauce",
)

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Scene:
    """A keystep as performed in a clip: indices into KEYSTEPS and into each entry of VALUES."""

    keystep: int
    values: tuple[int, ...]

    def index(self, attribute: str) -> int:
        return self.values[ATTRIBUTES.index(attribute)]

    def word(self, attribute: str) -> str:
        return VALUES[attribute][self.index(attribute)]

    @property
    def split(self) -> str:
        """The split that owns this combination of ingredient, tool, vessel and counter.

        The splits have about 70, 10 and 20 % of the 480 combinations, without overlap.
        """
        key = "-".join(self.word(name) for name in ("ingredient", "tool", "vessel", "counter"))
        bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100
        return "train" if bucket < 70 else "validation" if bucket < 80 else "test"


def score(reference: Scene, candidate: Scene, category: str) -> int:
    """Similarity of two scenes in a category: 5 (nearly identical), 4, 2 or 1 (very different)."""
    major, minor = CATEGORIES[category]
    return SCORES[
        reference.word(major) == candidate.word(major),
        reference.word(minor) == candidate.word(minor),
    ]


def sample_scene(rng: np.random.Generator, split: str, keystep: int | None = None) -> Scene:
    """A uniformly random scene whose attribute combination belongs to `split`."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
    while True:
        scene = Scene(
            int(rng.integers(len(KEYSTEPS))) if keystep is None else keystep,
            tuple(int(rng.integers(len(VALUES[name]))) for name in ATTRIBUTES),
        )
        if scene.split == split:
            return scene
