"""Weights, training, evaluation, use and export, with the paper's configs as shipped."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stepdiff_jax.evaluation.benchmark_files import TASKS
from tests.rehearsal.data_steps import BENCHMARK_DATA, DATA, lines
from tests.rehearsal.published import weights
from tests.rehearsal.published.htstep import Published
from tests.rehearsal.system_steps import evaluate_systems
from tests.rehearsal.walk import Failed, Walk, require

ENCODER, CLIP = Path("weights/internvideo-mm-l-14"), Path("weights/clip-vit-l-14")
INTERLEAVED, STEPDIFF = Path("runs/interleaved [7b]"), Path("runs/stepdiff [7b] @v5e 100%")
"""Run directories whose names mean something to libraries that take paths for patterns or URLs."""

STEPS, CHECKPOINT_EVERY, EVALUATE_EVERY, KILLED_AT = 6, 2, 3, 4
QUESTION = "what is the main difference between these videos"


def smaller(llama: Path, vocabulary_size: int) -> tuple[object, ...]:
    """The flags that shrink the paper's config: widths, layers, paths, and rows of a batch.

    Everything else is as shipped: frames of 224 x 224, 2048 tokens and 32 latents per video, rows
    of 1024 tokens, the mixture, and bfloat16.
    """
    heads, mlp = weights.LLAMA_HEADS, weights.LLAMA_MLP
    width, text = weights.ENCODER_WIDTH, weights.TEXT_WIDTH
    layers = len(weights.LAYERS)
    return (
        *("--llama.width", weights.LLAMA_WIDTH, "--llama.layers", weights.LLAMA_LAYERS),
        *("--llama.heads", heads, "--llama.kv-heads", heads, "--llama.mlp-width", mlp),
        *("--llama.vocabulary-size", vocabulary_size),
        *("--encoder.width", width, "--encoder.mlp-width", 4 * width, "--encoder.heads", 1),
        *("--encoder.layers", layers, "--encoder.uniblock-layers", *range(1, layers)),
        *("--encoder.embedding-width", text, "--encoder.text.width", text),
        *("--encoder.text.heads", 1, "--encoder.text.layers", 1),
        *("--encoder.text.mlp-width", 4 * text, "--resampler.mlp-width", 64),
        *("--resampler.heads", 2, "--resampler.head-width", 16),
        *("--weights.llama", llama, "--weights.encoder", ENCODER),
        *("--weights.tokenizer", llama / "tokenizer.model"),
        *("--data.directory", DATA, "--data.batch-rows", 2),
    )


def convert_weights(walk: Walk, checkpoint: Path, clip: Path) -> None:
    """InternVideo's and CLIP's published files to our encoder's format."""
    walk.run(
        "convert internvideo",
        "convert",
        "internvideo",
        checkpoint,
        "--to",
        ENCODER,
        check=last_line,
    )
    walk.run("convert clip", "convert", "clip", clip, "--to", CLIP, check=last_line)


def train(walk: Walk, name: str, run: Path, flags: tuple[object, ...]) -> None:
    """Train a config of the paper; kill it once between two checkpoints, and start it again."""
    words = (
        *("train", name, *flags, "--loop.run-directory", run),
        *("--optimizer.steps", STEPS, "--optimizer.warmup-steps", 2, "--loop.log-every", 1),
        *("--loop.checkpoint-every", CHECKPOINT_EVERY, "--loop.evaluate-every", EVALUATE_EVERY),
    )
    metrics = walk.directory / run / "metrics.jsonl"
    walk.kill(
        f"train {name}, killed",
        *words,
        when=lambda: metrics.exists() and f'"step": {KILLED_AT}' in metrics.read_text(),
        checked=f"SIGKILL at step {KILLED_AT}",
    )
    walk.run(f"train {name}", *words, check=_trained(walk, run))


def evaluate(walk: Walk, published: Published, flags: tuple[object, ...], own_clips: bool) -> None:
    """Answer the benchmark, from all splits of the data and from the benchmark's own clips."""
    words = ("evaluate", "stepdiff_7b", *flags, "--loop.run-directory", STEPDIFF)
    benchmark = ("--benchmark", published.benchmark)
    answered = walk.directory / STEPDIFF / "predictions"
    tasks = [
        t for t in TASKS if (walk.directory / published.benchmark / f"{t}_dataset.jsonl").exists()
    ]
    benchmark = (*benchmark, *(() if len(tasks) == len(TASKS) else ("--task", *tasks)))
    first = walk.directory / "predictions_of_all_splits"
    if own_clips:
        walk.run("evaluate", *words, *benchmark, check=_answered(walk, published, tasks))
        shutil.copytree(answered, first)
        shutil.rmtree(answered)
    walk.run(
        "evaluate, the benchmark's clips",
        *(*words, *benchmark, "--data.directory", BENCHMARK_DATA),
        check=_answered(walk, published, tasks),
    )
    if own_clips:
        _equal_predictions(first, answered)
    for task in tasks:
        walk.run(
            f"score {task}",
            *("score", "--task", task),
            *("--ground-truth", published.benchmark / f"{task}_dataset.jsonl"),
            *("--predictions", _predictions(walk, task)),
            check=_same_score(walk, task),
        )
    evaluate_systems(walk, (*words, *benchmark), STEPDIFF, CLIP, INTERLEAVED)


def use(walk: Walk, videos: list[Path]) -> None:
    """Compare and rank video files; take the model to PyTorch and back."""
    model = ("--model", STEPDIFF)
    first, second, third = videos[:3]
    answer = walk.run(
        "compare",
        *("compare", first, f"{second}@2-7.5", "--question", QUESTION, *model),
        check=lambda out: f"{len(out.strip())} characters",
    )
    walk.run(
        "rank",
        *("rank", first, second, third, "--category", "Actions", *model),
        check=_ranked(second, third),
    )
    groups = [[first], [first, second], [third, second, first]]
    text = "".join(json.dumps({"videos": list(map(str, one))}) + "\n" for one in groups)
    (walk.directory / "groups.jsonl").write_text(text)
    walk.run(
        "ask",
        *("ask", "--pairs", "groups.jsonl", "--answers", "answers.jsonl", "--page", "answers.html"),
        *("--question", "why?", "--question", QUESTION, "--new-tokens", 8, "--json", *model),
        check=_asked(walk, groups),
    )
    walk.run(
        "convert torch",
        *("convert", "torch", STEPDIFF, "--to", "exported", "--llm", "include"),
        check=_torch_answer(walk, first, second, answer.strip()),
    )
    walk.run(
        "convert jax", "convert", "jax", "exported", "--to", "runs/back", check=_came_back(walk)
    )


def _asked(walk: Walk, groups: list[list[Path]]) -> Callable[[str], str]:
    """All questions about each group of videos are answered, printed, kept and on the page."""

    def check(out: str) -> str:
        printed = [json.loads(line) for line in out.splitlines()]
        require([one["videos"] for one in printed] == [list(map(str, one)) for one in groups], out)
        kept = lines(walk.directory / "answers.jsonl")
        require(len(kept) == 2 * len(groups), f"answers.jsonl has {len(kept)} lines")
        images = (walk.directory / "answers.html").read_text().count("<img")
        require(images == 8 * sum(map(len, groups)), f"answers.html has {images} frames")
        return f"{len(kept)} answers about 1, 2 and 3 videos"

    return check


def last_line(output: str) -> str:
    """The last line of a command's output, as what was checked."""
    require(bool(output.strip()), "the command says nothing")
    return output.strip().splitlines()[0][:100]


def _trained(walk: Walk, run: Path) -> Callable[[str], str]:
    def check(_: str) -> str:
        logged = lines(walk.directory / run / "metrics.jsonl")
        losses = {row["step"]: row["loss"] for row in logged if "loss" in row}
        validated = {
            row["step"]: row["validation_loss"] for row in logged if "validation_loss" in row
        }
        require(sorted(losses) == list(range(1, STEPS + 1)), f"{run}: losses of {sorted(losses)}")
        require(sorted(validated) == [0, 3, 6], f"{run}: evaluations at {sorted(validated)}")
        for value in (*losses.values(), *validated.values()):
            require(math.isfinite(value), f"{run}: a loss of {value}")
        saved = sorted(
            int(path.name)
            for path in (walk.directory / run / "checkpoints").iterdir()
            if path.name.isdigit()
        )
        require(saved == [4, 6], f"{run}: checkpoints {saved}")
        change = f"{validated[0]:.3f} to {validated[6]:.3f}"
        return f"resumed; validation loss {change}; checkpoints {saved}"

    return check


def _predictions(walk: Walk, task: str) -> Path:
    found = sorted((walk.directory / STEPDIFF / "predictions").rglob(f"{task}.jsonl"))
    require(len(found) == 1, f"{len(found)} prediction files of {task}")
    return found[0].relative_to(walk.directory)


def _answered(walk: Walk, published: Published, tasks: list[str]) -> Callable[[str], str]:
    def check(out: str) -> str:
        for task in tasks:
            asked = lines(walk.directory / published.benchmark / f"{task}_dataset.jsonl")
            answered = lines(walk.directory / _predictions(walk, task))
            require(len(asked) == len(answered), f"{task}: {len(answered)} of {len(asked)}")
        return _short(json.loads(out.strip().splitlines()[-1]))

    return check


def _equal_predictions(first: Path, second: Path) -> None:
    for task in TASKS:
        texts = [next(path.rglob(f"{task}.jsonl")).read_text() for path in (first, second)]
        require(texts[0] == texts[1], f"{task}: other predictions from the benchmark's own clips")


def _same_score(walk: Walk, task: str) -> Callable[[str], str]:
    def check(out: str) -> str:
        stored = json.loads((walk.directory / STEPDIFF / "results.json").read_text())["tasks"][task]
        scored = json.loads(out)
        require(json.dumps(stored) == json.dumps(scored), f"{task}: {scored}, evaluate: {stored}")
        return "as evaluate has it"

    return check


def _short(metrics: dict) -> str:
    """The first number of each task's metrics."""
    found = []
    for task, values in metrics.items():
        if isinstance(values, dict):
            name = next(name for name, value in values.items() if isinstance(value, float))
            found.append(f"{task} {name} {values[name]:.3f}")
    return ", ".join(found)


def _ranked(*videos: Path) -> Callable[[str], str]:
    def check(out: str) -> str:
        rows = [line.split(" ", 1) for line in out.strip().splitlines()]
        require({name for _, name in rows} == set(map(str, videos)), f"ranked: {rows}")
        return ", ".join(likelihood for likelihood, _ in rows)

    return check


TORCH = """
import sys
from pathlib import Path
sys.path.insert(0, "exported")
from transformers import AutoModel
from processing_stepdiff import StepDiffProcessor
model = AutoModel.from_pretrained("exported", trust_remote_code=True).eval()
processor = StepDiffProcessor.from_pretrained("exported")
reference, candidate = processor.read_video(sys.argv[1]), processor.read_video(sys.argv[2], 2, 7.5)
print(processor.text(model.generate(**processor.pair(reference, candidate, sys.argv[3]))))
"""


def _torch_answer(walk: Walk, first: Path, second: Path, answer: str) -> Callable[[str], str]:
    def check(_: str) -> str:
        command = [sys.executable, "-c", TORCH, str(first), str(second), QUESTION]
        ended = subprocess.run(command, cwd=walk.directory, capture_output=True, text=True)
        if ended.returncode:
            raise Failed(f"PyTorch: {ended.stderr[-1500:]}")
        theirs = ended.stdout.strip()
        same = next((k for k, (a, b) in enumerate(zip(answer, theirs)) if a != b), len(answer))
        require(same >= 8, f"PyTorch answers {theirs!r}, we {answer!r}")
        return f"PyTorch's answer begins with the same {same} of {len(answer)} characters"

    return check


def _came_back(walk: Walk) -> Callable[[str], str]:
    def check(_: str) -> str:
        texts = []
        for run, name in ((STEPDIFF, "projector"), (Path("runs/back"), "projector_back")):
            walk.run(
                f"convert projector of {run}",
                *("convert", "projector", run, "--to", name),
                check=lambda out: out.strip(),
            )
            [file] = (walk.directory / name).glob("*.safetensors")
            texts.append(file.read_bytes())
        require(texts[0] == texts[1], "the resampler came back from PyTorch with other values")
        return f"{len(texts[0])} bytes of the resampler, equal"

    return check
