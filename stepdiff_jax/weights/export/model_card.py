"""The README.md of an exported model: what it is, how to use it, and its metrics."""

import json
from pathlib import Path

from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import flatten, to_dict

USE = """```python
import sys

from transformers import AutoModel

DIR = "."  # the path of this directory
sys.path.insert(0, DIR)
from processing_stepdiff import StepDiffProcessor  # a file in it

model = AutoModel.from_pretrained(DIR, trust_remote_code=True)
processor = StepDiffProcessor.from_pretrained(DIR)
first, second = (processor.read_video(path) for path in ("a.mp4", "b.mp4"))
asked = processor.pair(first, second, "what is the main difference between these videos")
print(processor.text(model.generate(**asked)))
print(model.log_likelihood(answer_ids=processor.answer_ids("YES"), **asked))
```
"""


def model_card(run: Path, experiment: Experiment, step: int, place: str | None) -> str:
    """Markdown; metrics are those of the run's results.json, if it has one."""
    language_model = "in this directory" if place is None else f"not included; loaded from {place}"
    parts = [
        f"# {experiment.name}",
        "A StepDiff model (arXiv 2404.16222): it answers questions about two videos of the same "
        "step. Trained and exported by StepDiff-JAX.",
        f"- trained steps: {step}\n- language model: {language_model}\n"
        "- encoder: only the part that produces tokens, without text tower and pooled feature\n"
        "- the weights of the language model and the encoder are under their owners' licences",
        "## Use",
        USE.rstrip(),
        "## Metrics",
        _metrics(run / "results.json"),
        "## Configuration",
        "| field | value |\n|---|---|",
    ]
    rows = "\n".join(f"| {key} | {value} |" for key, value in flatten(to_dict(experiment)).items())
    return "\n\n".join(parts) + "\n" + rows + "\n"


def _metrics(path: Path) -> str:
    try:
        results = json.loads(path.read_text())
        tasks, source = results["tasks"], f"{results['benchmark']}, split {results['split']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "This run was not evaluated."
    lines = [f"On {source}:", ""]
    lines += [f"- {task}: {json.dumps(metrics)}" for task, metrics in tasks.items()]
    return "\n".join(lines)
