"""`stepdiff convert`: weights in and out."""

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
    """Rewrite a Llama's pytorch_model*.bin, or Meta's consolidated.*.pth, as safetensors."""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The directory that holds them."""
    to: Path
    """A new directory; weights.llama of an experiment."""
    family: str = "llama2"
    """llama.family of the experiment: llama2, llama3, or another file of stepdiff_jax/families."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def llama(prog: str, arguments: Sequence[str]) -> None:
    """Rewrite older files of a Llama as safetensors: SOURCE --to DIR [--family llama3]."""
    options = parse_arguments(Llama, arguments, prog=prog)
    from stepdiff_jax.families.common.find import find_family
    from stepdiff_jax.weights.published.rewrite import convert_llama

    family = find_family(options.family)
    _tell(convert_llama(options.source, options.to, family), options.report)


@dataclass(frozen=True)
class InternVideo:
    """Rewrite InternVideo's checkpoint as a file of our encoder."""

    source: Annotated[Positional[Path], arg(metavar="CHECKPOINT")]
    to: Path
    """A new directory; weights.encoder of an experiment."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def internvideo(prog: str, arguments: Sequence[str]) -> None:
    """Rewrite InternVideo-MM-L-14.ckpt as a file of our encoder: CHECKPOINT --to DIR."""
    options = parse_arguments(InternVideo, arguments, prog=prog)
    from stepdiff_jax.weights.published.encoder import open_internvideo
    from stepdiff_jax.weights.published.rewrite import write_encoder

    _tell(
        write_encoder(open_internvideo(options.source), options.source, options.to), options.report
    )


@dataclass(frozen=True)
class Clip:
    """Rewrite CLIP as a file of our encoder."""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """Hugging Face's directory or file, or OpenAI's .pt."""
    to: Path
    """A new directory; weights.encoder of an experiment."""
    as_internvideo: bool = False
    """In InternVideo's shapes, where its checkpoint is not to be had: the tokens are CLIP's. The
    file says so, and every run records it."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def clip(prog: str, arguments: Sequence[str]) -> None:
    """Rewrite CLIP as a file of our encoder: SOURCE --to DIR."""
    options = parse_arguments(Clip, arguments, prog=prog)
    from stepdiff_jax.weights.published.encoder import open_clip, open_clip_as_internvideo
    from stepdiff_jax.weights.published.rewrite import write_encoder

    open_source = open_clip_as_internvideo if options.as_internvideo else open_clip
    _tell(write_encoder(open_source(options.source), options.source, options.to), options.report)


@dataclass(frozen=True)
class Torch:
    """Write a run's model as a directory that transformers opens."""

    source: Annotated[Positional[Path], arg(metavar="RUN")]
    to: Path
    """A new directory."""
    llm: Literal["reference", "include"] = "reference"
    """Say where the language model's weights are, or write them too, 5 GB a file."""
    base: str | None = None
    """With reference: a Hugging Face name or directory; weights.llama of the run otherwise."""
    adapters: Literal["apart", "merged"] = "apart"
    """Of a run with LoRA: in peft's file format beside the model, or added to its weights."""


def torch(prog: str, arguments: Sequence[str]) -> None:
    """A run's model for PyTorch: RUN --to DIR [--llm reference|include]."""
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
    """Write a run's resampler alone: a small file to share."""

    source: Annotated[Positional[Path], arg(metavar="RUN")]
    to: Path
    """A new directory."""


def projector(prog: str, arguments: Sequence[str]) -> None:
    """A run's resampler alone, as safetensors and JSON: RUN --to DIR."""
    options = parse_arguments(Projector, arguments, prog=prog)
    from stepdiff_jax.weights.export.torch_export import export_projector

    export_projector(options.source, options.to)
    print(options.to)


@dataclass(frozen=True)
class Jax:
    """Make a run directory of what `convert torch` or `convert projector` wrote."""

    source: Annotated[Positional[Path], arg(metavar="DIR")]
    to: Path
    """A new run directory; weights.initial_run of another run."""


def jax(prog: str, arguments: Sequence[str]) -> None:
    """Back from `convert torch` or `convert projector`: DIR --to RUN."""
    options = parse_arguments(Jax, arguments, prog=prog)
    from stepdiff_jax.weights.export.torch_export import import_run

    import_run(options.source, options.to)
    print(options.to)


def _tell(report: "Report", path: Path | None) -> None:
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
