"""The text stages of `stepdiff prep`: describe, pair, question, filter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from data_prep.cli import formats
from data_prep.cli.running import Running
from data_prep.cli.summary import print_summaries
from data_prep.similarity.choice import Similarity, open_similarity, similarity_bounds
from data_prep.text.language_models.choice import model_settings, open_model
from data_prep.text.language_models.options import ModelOptions
from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.files import require_writable_file


@dataclass(frozen=True)
class Describe:
    """Write one step description for each clip."""

    clips: Path
    """clips.jsonl."""
    destination: Path
    """Output descriptions.jsonl."""
    captions: Path | None = None
    """JSON Lines with clip, actions and objects."""
    captioner: str = ""
    """Instead of --captions: a run directory of a single-video model, or an image-text-to-text
    model for transformers (directory or name; extra [torch])."""
    object_scores: Path | None = None
    """JSON Lines with clip and the scores of its objects."""
    detector: str = ""
    """Instead of --object-scores: an OWLv2 model (directory or name; extra [torch])."""
    action_scores: Path | None = None
    """JSON Lines with clip and the scores of its actions."""
    grounding: str = ""
    """Instead of --action-scores: a CONFIG, whose InternVideo scores actions."""
    object_score: float = 0.1
    """Objects with a lower score are left out."""
    action_score: float = 0.2
    """Actions with a lower score are left out."""
    model: ModelOptions = field(default_factory=ModelOptions)
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def describe(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl -> descriptions.jsonl, with a captioner, scores and a language model."""
    options = parse_arguments(Describe, arguments, prog=prog, notes=formats.DESCRIBE)
    require_writable_file(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.text.describe.backends import open_sources
    from data_prep.text.describe.stage import ScoreLimits, write_descriptions

    names = ("captions", "captioner", "object_scores", "detector", "action_scores", "grounding")
    backends = {name: str(getattr(options, name) or "") for name in names}
    sources = open_sources(options.model, root=options.clips.parent, **backends)
    summary = write_descriptions(
        options.clips,
        options.destination,
        sources,
        ScoreLimits(options.object_score, options.action_score),
        shard=shard,
        settings=model_settings(options.model, sources.language_model) | backends,
    )
    print_summaries(
        {options.destination: summary},
        options.clips,
        options.captions,
        options.object_scores,
        options.action_scores,
        shards=shard.count,
    )


@dataclass(frozen=True)
class Pair:
    """Pair clips of the same keystep from different videos, with similar descriptions."""

    clips: Path
    """clips.jsonl."""
    destination: Path
    """Output pairs.jsonl."""
    descriptions: Path | None = None
    """descriptions.jsonl; if omitted, all clips of a keystep count as similar."""
    exclude: tuple[Path, ...] = ()
    """Benchmark files whose pairs to leave out."""
    exclude_by: Literal["pair", "clip", "video"] = "pair"
    similarity: Similarity = "words"
    """Cosine similarity of the descriptions: of their words, or of a model's embeddings."""
    similarity_model: str = ""
    """For internvideo, a CONFIG; for transformers (extra [torch]), a directory or name."""
    lowest: float | None = None
    """Lowest similarity of a pair (inclusive); defaults: 0.3 for words, 0.4 for transformers."""
    highest: float | None = None
    """Highest similarity of a pair (exclusive); default 0.98 for both."""
    per_clip: int = 4
    per_keystep: int = 2000
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def pair(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl and descriptions.jsonl -> pairs.jsonl: clips similar but not the same."""
    options = parse_arguments(Pair, arguments, prog=prog)
    require_writable_file(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.benchmark.held_out import read_evaluation_clips
    from data_prep.text.pair.choice import PairLimits
    from data_prep.text.pair.stage import write_pairs

    bounds = similarity_bounds(options.similarity, options.lowest, options.highest)
    summary = write_pairs(
        options.clips,
        options.descriptions,
        options.destination,
        PairLimits(*bounds, options.per_clip, options.per_keystep),
        shard=shard,
        exclude=read_evaluation_clips(options.exclude, options.exclude_by),
        embed=open_similarity(options.similarity, options.similarity_model),
        settings={"similarity": options.similarity, "model": options.similarity_model},
    )
    print_summaries(
        {options.destination: summary}, options.clips, options.descriptions, shards=shard.count
    )


@dataclass(frozen=True)
class Question:
    """Write three questions and answers for each pair of described clips."""

    pairs: Path
    """pairs.jsonl, with reference and candidate."""
    descriptions: Path
    """descriptions.jsonl."""
    destination: Path
    """Output questions.jsonl."""
    attempts: int = 2
    """Maximum attempts per pair until the answer can be parsed."""
    model: ModelOptions = field(default_factory=ModelOptions)
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def question(prog: str, arguments: Sequence[str]) -> None:
    """pairs.jsonl and descriptions.jsonl -> questions.jsonl, with the paper's prompt."""
    options = parse_arguments(Question, arguments, prog=prog)
    require_writable_file(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.text.question.stage import write_questions

    model = open_model(options.model)
    summary = write_questions(
        options.pairs,
        options.descriptions,
        options.destination,
        model,
        shard=shard,
        settings=model_settings(options.model, model),
        attempts=options.attempts,
    )
    print_summaries(
        {options.destination: summary}, options.pairs, options.descriptions, shards=shard.count
    )


@dataclass(frozen=True)
class Filter:
    """Remove questions and answers that the language model made up."""

    questions: Path
    """questions.jsonl."""
    destination: Path
    """Output file: the pairs with their remaining questions."""
    rules: tuple[str, ...] = ()
    """Rules to apply; all by default."""
    unknown_words: int = 0
    """Maximum number of content words that appear in neither description."""
    known_words: tuple[str, ...] = ()
    """Words that need not appear in a description."""
    duplicate_overlap: float = 0.9
    question_words: tuple[int, int] = (3, 60)
    answer_words: tuple[int, int] = (3, 120)
    topics: Path | None = None
    """JSON object of topic -> list of words, such as {"tool": ["pan", "pot"]}, for checking claims
    such as "the same tool"."""
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def filter_(prog: str, arguments: Sequence[str]) -> None:
    """questions.jsonl -> the pairs for training, filtered by named rules."""
    options = parse_arguments(Filter, arguments, prog=prog)
    require_writable_file(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.text.filter.asked import Thresholds
    from data_prep.text.filter.registry import RULES
    from data_prep.text.filter.stage import write_filtered
    from data_prep.text.filter.topics import read_topics

    thresholds = Thresholds(
        unknown_words=options.unknown_words,
        known_words=options.known_words,
        duplicate_overlap=options.duplicate_overlap,
        question_words=options.question_words,
        answer_words=options.answer_words,
        topics=read_topics(options.topics) if options.topics else {},
    )
    summary = write_filtered(
        options.questions,
        options.destination,
        shard=shard,
        thresholds=thresholds,
        rules=options.rules or tuple(RULES),
    )
    print_summaries({options.destination: summary}, options.questions, shards=shard.count)


TEXT_STAGES: dict[str, Command] = {
    "describe": describe,
    "pair": pair,
    "question": question,
    "filter": filter_,
}
