"""Compares an exported model in PyTorch with ours on the kitchen benchmark.

    stepdiff convert torch runs/quickstart/stepdiff/seed0 --to DIR --llm include
    python -m launch.bench.torch_on_kitchen --quickstart runs/quickstart --exported DIR

Run it in the directory of the quickstart. Prints the largest difference between DiffMCQ
log-likelihoods, both accuracies, and how many of 100 greedy answers are identical.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel

from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.data.packed_clips import PackedClips
from stepdiff_jax.data.prompts import difference_question
from stepdiff_jax.data.records import clip_ids, open_records
from stepdiff_jax.data.visual import ClipFrames
from stepdiff_jax.evaluation.benchmark_files import read_diffcap, read_diffmcq
from stepdiff_jax.evaluation.run import choose_instances
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.evaluation.tasks import BENCHMARK_TASKS, benchmark_path
from stepdiff_jax.systems.trained import Trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quickstart", type=Path, required=True)
    parser.add_argument("--exported", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=100)
    options = parser.parse_args()
    sys.path.insert(0, str(options.exported))
    from processing_stepdiff import StepDiffProcessor

    model = AutoModel.from_pretrained(options.exported, trust_remote_code=True).eval()
    processor = StepDiffProcessor.from_pretrained(options.exported)
    experiment = read_experiment(options.quickstart / "stepdiff" / "seed0")
    # The feature cache is in float16, so both models encode the frames.
    data = dataclasses.replace(experiment.data, visual_input="frames")
    experiment = dataclasses.replace(experiment, data=data)
    benchmark = options.quickstart / "benchmark" / "test"
    directory = experiment.data.directory
    tasks = [BENCHMARK_TASKS[name] for name in ("diffcap", "diffmcq")]
    shown = [clip for task in tasks for clip in choose_instances(task, benchmark).clips]
    clips = PackedClips(directory, shown, "test")
    system = Trained().open(Opening(experiment, "test", clips))
    frames = ClipFrames(open_records(directory, "clips", "test"), experiment.encoder)
    index = {clip: number for number, clip in enumerate(clip_ids(directory, "test"))}

    def asked(reference: str, candidate: str, category: str) -> dict:
        videos = (frames[index[reference]], frames[index[candidate]])
        return processor.pair(*videos, difference_question(category))

    choices = read_diffmcq(benchmark_path(benchmark, "diffmcq"))
    ours = np.array([one.scores for one in system.choose(choices)])
    theirs = np.array(
        [
            [
                model.log_likelihood(
                    answer_ids=processor.answer_ids(one.difference),
                    **asked(*pair, one.category),
                )
                for pair in one.options
            ]
            for one in choices
        ]
    )
    correct = np.array([one.answer_index for one in choices])
    print(f"DiffMCQ, {ours.size} log-likelihoods: at most {np.abs(ours - theirs).max():.2e} apart")
    for name, scores in (("ours", ours), ("PyTorch", theirs)):
        print(f"accuracy of {name}: {np.mean(scores.argmax(1) == correct):.4f}")
    captions = read_diffcap(benchmark_path(benchmark, "diffcap"))[: options.prompts]
    answers = [one.text for one in system.caption(captions)]
    with torch.no_grad():
        exported = [
            processor.text(model.generate(**asked(one.reference, one.candidate, one.category)))
            for one in captions
        ]
    same = sum(first == second for first, second in zip(answers, exported))
    print(f"identical greedy answers: {same} of {len(captions)}")


if __name__ == "__main__":
    main()
