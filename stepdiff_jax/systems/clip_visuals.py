"""What the encoder reads of the clips that a system is opened for, wherever they lie."""

from stepdiff_jax.config import DataConfig
from stepdiff_jax.data.find_clips import FoundClips
from stepdiff_jax.data.packed_clips import PackedClips
from stepdiff_jax.data.visual import SourceFrames
from stepdiff_jax.evaluation.system import Opening


def clip_visuals(opening: Opening, config: DataConfig) -> FoundClips | SourceFrames:
    """The visual input of the clips, in the order of `opening.clips.ids`; see `VisualSource`.

    Packed clips are frames or features, as `config` says; of any other source, frames.

    Raises:
        InputError: a clip is missing, or the data does not match the encoder.
    """
    encoder = opening.experiment.encoder
    if isinstance(opening.clips, PackedClips):
        return FoundClips(opening.clips.places, config, encoder)
    source = SourceFrames(opening.clips.ids, opening.clips.frames, encoder)
    for first in range(min(1, len(source))):
        source[first]  # so that what is missing is found before slow work
    return source
