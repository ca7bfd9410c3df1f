"""truth.jsonl: what only the kitchen's oracle knows of a clip."""

from data_prep.schema.line import Line


class Truth(Line, frozen=True):
    """The scene that a clip shows: its keystep by number, and each attribute's word."""

    clip: str
    keystep: int
    values: dict[str, str]
    split: str
