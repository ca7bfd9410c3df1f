"""`stepdiff bench score`: questions per second on a DiffRank file, and each question by itself.

The clips of a run's own data stand in for the file's: a clip's frames do not change how long a
question takes, but which questions share a reference or a pair does, and that is the file's. All
clips are encoded before the clock starts, for PyTorch too.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.errors import InputError
from stepdiff_jax.ran_on import machine


@dataclass(frozen=True)
class Score:
    """Measure how many of DiffRank's questions a run's model answers per second.

    Prints rates and their ratios: sharing what questions begin with over each question by itself.
    """

    model: Path
    """A run directory with trained weights and data."""
    ground_truth: Path
    """A DiffRank file; only which clips and categories it asks about together matters."""
    limit: int = 500
    """Lines of the file, from its start; a line is four questions."""
    alone: int = 100
    """Questions that are also asked one by one."""
    against: Literal["", "torch"] = ""
    """"torch": also ask the exported PyTorch model, one by one (needs the extra [torch])."""
    json: bool = False
    """Print one JSON object."""


def score(prog: str, arguments: Sequence[str]) -> None:
    """Measure questions scored per second, and their ratio to scoring one by one."""
    options = parse_arguments(Score, arguments, prog=prog)
    for name in ("limit", "alone"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} must be positive, got {getattr(options, name)}")
    found = measure(options)
    print(json.dumps(found) if options.json else describe(found))


def measure(options: Score) -> dict[str, Any]:
    """Questions per second, ratios, and the largest difference between the likelihoods in nats.

    Raises:
        InputError: the file or the run cannot be read, or torch is asked for and is not there.
    """
    from stepdiff_jax.config_files import read_experiment
    from stepdiff_jax.data.prompts import ranking_question
    from stepdiff_jax.evaluation.benchmark_files import read_diffrank
    from stepdiff_jax.inference.clips import LatentTable
    from stepdiff_jax.inference.requests import pair_request
    from stepdiff_jax.inference.score import log_likelihoods
    from stepdiff_jax.inference.trained import trained_model
    from stepdiff_jax.weights.build import load_tokenizer

    lines = read_diffrank(options.ground_truth)[: options.limit]
    experiment = read_experiment(options.model)
    opened = _open_torch(options.model) if options.against else None
    model, tokenizer = trained_model(experiment, options.model), load_tokenizer(experiment)
    clips = list(dict.fromkeys(c for one in lines for c in (one.reference, *one.targets)))
    latents = _latents(model, experiment, len(clips))
    table = LatentTable({clip: number for number, clip in enumerate(clips)}, latents)
    asked = [
        (one.reference, target, ranking_question(one.category))
        for one in lines
        for target in one.targets
    ]
    requests = [pair_request(table, *one, "YES") for one in asked]
    alone = requests[: options.alone]

    together, shared = _timed(lambda: log_likelihoods(model, tokenizer, requests, latents))
    single, by_itself = _timed(
        lambda: np.concatenate(
            [log_likelihoods(model, tokenizer, [one], latents, batch_rows=1) for one in alone]
        )
    )
    rates = {"shared": len(requests) / together, "alone": len(alone) / single}
    apart = {"alone": float(np.abs(by_itself - shared[: len(alone)]).max())}
    if opened is not None:
        seconds, answers = _timed(opened(table, asked[: len(alone)]))
        rates["torch"] = len(alone) / seconds
        apart["torch"] = float(np.abs(answers - shared[: len(alone)]).max())
    return {
        "questions": len(requests),
        "clips": len(clips),
        "questions_per_second": rates,
        "ratio": {name: rates["shared"] / rates[name] for name in rates if name != "shared"},
        "largest_difference": apart,
        "machine": machine(),
    }


def describe(found: dict[str, Any]) -> str:
    """A readable summary."""
    rates = found["questions_per_second"]
    lines = [
        f"{found['questions']} questions about {found['clips']} clips, "
        f"{rates['shared']:.1f} per second"
    ]
    lines += [
        f"{name}: {rates[name]:.1f} per second one by one, {ratio:.2f} times as slow; likelihoods "
        f"at most {found['largest_difference'][name]:.1e} nats apart"
        for name, ratio in found["ratio"].items()
    ]
    return "\n".join(lines)


def _timed(run: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds of the second run, as the first one compiles, and its result."""
    run()
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def _latents(model: Any, experiment: Any, count: int) -> np.ndarray:
    """[count, latents, E]: the clips of the run's data, again and again."""
    from stepdiff_jax.data.pipeline import open_visual
    from stepdiff_jax.data.records import clip_ids
    from stepdiff_jax.inference.encode import latent_table

    ids = clip_ids(experiment.data.directory, experiment.data.split)[:count]
    visual = open_visual(experiment.data, experiment.encoder)
    own = latent_table(model, ids, _First(visual, len(ids))).latents
    return own[np.arange(count) % len(own)]


class _First:
    """The first clips of a source."""

    def __init__(self, source: Any, count: int):
        self._source, self._count = source, count
        self.shape, self.dtype = source.shape, source.dtype

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, clip: int) -> np.ndarray:
        return self._source[clip]


def _open_torch(run: Path) -> Callable[..., Callable[[], np.ndarray]]:
    """The exported model, asked about latents one by one.

    Raises InputError if torch is not installed.
    """
    try:
        import torch
        from transformers import AutoModel
    except ImportError as error:
        raise InputError("--against torch: pip install 'stepdiff-jax[torch]'") from error
    import sys
    import tempfile

    from stepdiff_jax.weights.export.torch_export import export_torch

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "exported"
        export_torch(run, path, llm="include")
        model = AutoModel.from_pretrained(path, trust_remote_code=True).eval()
        sys.path.insert(0, str(path))
        from processing_stepdiff import StepDiffProcessor

        processor = StepDiffProcessor.from_pretrained(path)

    def ask(table: Any, asked: Sequence[tuple[str, str, str]]) -> Callable[[], np.ndarray]:
        side = model.config.encoder["image_size"]
        frames = np.zeros((model.config.resampler["frames"], side, side, 3), np.uint8)
        ready = []
        for reference, candidate, question in asked:
            ids = processor.pair(frames, frames, question)["input_ids"]
            shown = [table.latents[table.ids[clip]] for clip in (reference, candidate)]
            ready.append((ids, torch.from_numpy(np.concatenate(shown).astype(np.float32))))
        answer = processor.answer_ids("YES")

        @torch.no_grad()
        def run() -> np.ndarray:
            scores = []
            for ids, latents in ready:
                whole = torch.cat([ids, answer], 1)
                embeddings = model.language_model.get_input_embeddings()(whole.clamp_min(0))
                embeddings = embeddings.masked_scatter((whole < 0)[..., None], latents)
                logits = model.language_model(inputs_embeds=embeddings).logits
                found = torch.log_softmax(logits[0, ids.shape[1] - 1 : -1].float(), -1)
                scores.append(float(found.gather(1, answer[0, :, None]).sum()))
            return np.array(scores)

        return run

    return ask
