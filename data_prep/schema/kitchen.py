"""truth.jsonl: the true scenes of the kitchen's clips, for its oracle only."""

from data_prep.schema.line import Line


class Truth(Line, frozen=True):
    """The scene that a clip shows: the keystep's index and each attribute's value."""

    clip: str
    keystep: int
    values: dict[str, str]
    split: str
