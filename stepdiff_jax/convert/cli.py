"""`stepdiff convert`: weights in and out."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from stepdiff_jax.arguments import Command, parse_arguments

if TYPE_CHECKING:
    from stepdiff_jax.loading.tensors import Report


@dataclass(frozen=True)
class Llama:
    """Rewrite a Llama's pytorch_model*.bin, or Meta's consolidated.*.pth, as safetensors."""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The directory that holds them."""
    to: Path
    """A new directory; weights.llama of an experiment."""
    report: Path | None = None
    """Write here which tensor came from where, as JSON."""


def llama(prog: str, arguments: Sequence[str]) -> None:
    """Rewrite older files of a Llama as safetensors: SOURCE --to DIR."""
    options = parse_arguments(Llama, arguments, prog=prog)
    from stepdiff_jax.convert.inputs import convert_llama

    _tell(convert_llama(options.source, options.to), options.report)


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
    from stepdiff_jax.convert.encoder_sources import open_internvideo
    from stepdiff_jax.convert.inputs import write_encoder

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
    from stepdiff_jax.convert.encoder_sources import open_clip, open_clip_as_internvideo
    from stepdiff_jax.convert.inputs import write_encoder

    open_source = open_clip_as_internvideo if options.as_internvideo else open_clip
    _tell(write_encoder(open_source(options.source), options.source, options.to), options.report)


def _tell(report: "Report", path: Path | None) -> None:
    print(report.summary())
    for one in report.ignored:
        print(f"ignored {one.key} in {one.file}: {one.reason}")
    if path is not None:
        path.write_text(json.dumps(dataclasses.asdict(report), indent=1) + "\n")


CONVERSIONS: dict[str, Command] = {
    "llama": llama,
    "internvideo": internvideo,
    "clip": clip,
}
