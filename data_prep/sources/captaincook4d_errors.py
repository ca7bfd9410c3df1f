"""CaptainCook4D's errors in the benchmark's words: a category for a tag, plain text for a note."""

import re

CATEGORIES = {
    "Measurement Error": ("Ingredients",),
    "Preparation Error": ("Ingredients", "Tools/Equipment"),
    "Technique Error": ("Technique",),
    "Temperature Error": ("Technique",),
    "Timing Error": ("Actions",),
}
"""Tag -> the paper's categories that it may fall into (ours). A preparation error is a wrong
ingredient or a wrong tool: the latter if its text names a tool. "Order Error", "Missing Step" and
"Other" fit none: the order is not seen in a clip, and a step that is missing has none."""

_TOOLS = """
blender board bowl brush burner cloth container cup dish filter finger floss fork glass glove
grater hand instrument jar jug kettle knife ladle lid microwave mixer mug oven pan peeler pin
pitcher plate platter pot ramekin scale scissor scissors sieve skillet spatula spoon stove
strainer tablespoon teaspoon thermometer tongs toothpick towel tray tsp tbsp utensil whisk
whisker
"""
TOOLS = frozenset(_TOOLS.split())
"""Words that name a tool (ours); plurals count too."""

_VERB = re.compile(r"\s*([A-Za-z]+)\s*-\s*(?=\S)")


def category_of(tag: str, text: str) -> str | None:
    """The category of an error with that tag and text; None if none fits."""
    categories = CATEGORIES.get(tag, ())
    if len(categories) < 2:
        return categories[0] if categories else None
    ingredients, tools = categories
    words = set(re.findall(r"[a-z]+", text.lower()))
    words |= {word.removesuffix("s") for word in words}
    return tools if words & TOOLS else ingredients


def plain_words(text: str) -> str:
    """A step or a note without the verb in front: "Pour-Pour 1 egg" is "Pour 1 egg".

    A verb that the text does not repeat stays: "add-1/4 tsp pepper" is "add 1/4 tsp pepper".
    """
    text = " ".join(text.split())
    verb = _VERB.match(text)
    if not verb:
        return text
    rest = text[verb.end() :]
    repeated = re.search(rf"\b{verb[1]}\b", rest, re.IGNORECASE)
    return rest if repeated else f"{verb[1]} {rest}"
