"""`stepdiff convert`: imports and exports weights."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.files import write_json

if TYPE_CHECKING:
    from stepdiff_jax.weights.tensors import Report


@dataclass(frozen=True)
class Llama:
    """Convert a Llama's pytorch_model*.bin, or Meta's consolidated.*.pth, to safetensors."""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """Directory of these files."""
    to: Path
    """New directory, for an experiment's weights.llama."""
    family: str = "llama2"
    """The experiment's llama.family: llama2, llama3, or another file in stepdiff_jax/families."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def llama(prog: str, arguments: Sequence[str]) -> None:
    """Convert a Llama's older files to safetensors: SOURCE --to DIR [--family llama3]."""
    options = parse_arguments(Llama, arguments, prog=prog)
    from stepdiff_jax.families.common.find import find_family
    from stepdiff_jax.weights.published.rewrite import convert_llama

    family = find_family(options.family)
    _print(convert_llama(options.source, options.to, family), options.report)


@dataclass(frozen=True)
class InternVideo:
    """Convert InternVideo's checkpoint to our encoder's format."""

    source: Annotated[Positional[Path], arg(metavar="CHECKPOINT")]
    to: Path
    """A new directory; weights.encoder of an experiment."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def internvideo(prog: str, arguments: Sequence[str]) -> None:
    """Convert InternVideo-MM-L-14.ckpt to our encoder's format: CHECKPOINT --to DIR."""
    options = parse_arguments(InternVideo, arguments, prog=prog)
    from stepdiff_jax.weights.published.encoder import open_internvideo
    from stepdiff_jax.weights.published.rewrite import write_encoder

    _print(
        write_encoder(open_internvideo(options.source), options.source, options.to), options.report
    )


@dataclass(frozen=True)
class Clip:
    """Convert CLIP to our encoder's format."""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """A Hugging Face directory or file, or OpenAI's .pt."""
    to: Path
    """A new directory; weights.encoder of an experiment."""
    as_internvideo: bool = False
    """Use InternVideo's shapes, if its checkpoint is not available: the tokens are CLIP's. The
    file says so, and every run records it."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def clip(prog: str, arguments: Sequence[str]) -> None:
    """Convert CLIP to our encoder's format: SOURCE --to DIR."""
    options = parse_arguments(Clip, arguments, prog=prog)
    from stepdiff_jax.weights.published.encoder import open_clip, open_clip_as_internvideo
    from stepdiff_jax.weights.published.rewrite import write_encoder

    open_source = open_clip_as_internvideo if options.as_internvideo else open_clip
    _print(write_encoder(open_source(options.source), options.source, options.to), options.report)


@dataclass(frozen=True)
class Torch:
    """Export a run's model as a directory that transformers can load."""

    source: Annotated[Positional[Path], arg(metavar="RUN")]
    to: Path
    """A new directory."""
    llm: Literal["reference", "include"] = "reference"
    """Refer to the language model's weights, or include them, 5 GB per file."""
    base: str | None = None
    """For --llm reference: a Hugging Face name or directory; default: the run's weights.llama."""
    adapters: Literal["apart", "merged"] = "apart"
    """For a run with LoRA: write adapters in peft's file format, or add them to the weights."""


def torch(prog: str, arguments: Sequence[str]) -> None:
    """Export a run's model for PyTorch: RUN --to DIR [--llm reference|include]."""
    options = parse_arguments(Torch, arguments, prog=prog)
    from stepdiff_jax.weights.export.torch_export import export_torch

    export_torch(
        options.source,
        options.to,
        llm=options.llm,
        base=options.base,
        adapters=options.adapters,
    )
    print(options.to)


@dataclass(frozen=True)
class Projector:
    """Export only a run's resampler, a small file to share."""

    source: Annotated[Positional[Path], arg(metavar="RUN")]
    to: Path
    """A new directory."""


def projector(prog: str, arguments: Sequence[str]) -> None:
    """Export only a run's resampler, as safetensors and JSON: RUN --to DIR."""
    options = parse_arguments(Projector, arguments, prog=prog)
    from stepdiff_jax.weights.export.torch_export import export_projector

    export_projector(options.source, options.to)
    print(options.to)


@dataclass(frozen=True)
class Jax:
    """Make a run directory from the output of `convert torch` or `convert projector`."""

    source: Annotated[Positional[Path], arg(metavar="DIR")]
    to: Path
    """New run directory, for another run's weights.initial_run."""


def jax(prog: str, arguments: Sequence[str]) -> None:
    """Import the output of `convert torch` or `convert projector`: DIR --to RUN."""
    options = parse_arguments(Jax, arguments, prog=prog)
    from stepdiff_jax.weights.export.torch_export import import_run

    import_run(options.source, options.to)
    print(options.to)


def _print(report: "Report", path: Path | None) -> None:
    print(report.summary())
    for one in report.ignored:
        print(f"ignored {one.key} in {one.file}: {one.reason}")
    if path is not None:
        write_json(path, dataclasses.asdict(report), indent=1)


CONVERSIONS: dict[str, Command] = {
    "llama": llama,
    "internvideo": internvideo,
    "clip": clip,
    "torch": torch,
    "projector": projector,
    "jax": jax,
}
