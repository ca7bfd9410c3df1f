"""`--help` of a stage that reads files of others shows what they look like."""

import json
import re

import pytest

from data_prep.cli import formats
from data_prep.sources.base import Segment
from data_prep.sources.captaincook4d import CaptainCook4D
from data_prep.sources.howto100m import stream_captions
from data_prep.sources.htstep import HtStep
from data_prep.sources.llava_items import parse_item
from launch.cli import main

STAGES = {
    "clips": (formats.HTSTEP, formats.CAPTIONS, formats.CAPTAINCOOK4D, formats.LLAVA),
    "differences": (formats.CAPTAINCOOK4D,),
    "import-llava": (formats.LLAVA,),
    "describe": (formats.DESCRIBE,),
    "sequences": (formats.SEQUENCES,),
    "benchmark": (formats.ANNOTATED_DIFFERENCES,),
    "validate": (formats.BENCHMARK,),
    "pack": (formats.PACK, "pairs.jsonl if there is no filtered.jsonl"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_help_shows_the_files(stage, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["prep", stage, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for part in STAGES[stage]:
        assert part in out


def samples(text: str) -> list:
    """The JSON in a text, without its dots."""
    plain = re.sub(r",? ?\.\.\.( four)?", "", text)
    found, decoder = [], json.JSONDecoder()
    while match := re.search(r"^ +[\[{]", plain, re.MULTILINE):
        value, end = decoder.raw_decode(plain, match.end() - 1)
        found.append(value)
        plain = plain[end:]
    return found


def test_the_files_shown_can_be_read(tmp_path):
    annotations, splits = samples(formats.HTSTEP)
    (tmp_path / "annotations.json").write_text(json.dumps(annotations))
    (tmp_path / "video_splits.json").write_text(json.dumps(splits))
    table = [line.strip() for line in formats.HTSTEP.splitlines() if re.match(r"  [g7]", line)]
    (tmp_path / "taxonomy.csv").write_text("\n".join(table))
    (segment,) = HtStep(tmp_path).annotations()
    assert isinstance(segment.found, Segment)
    recordings, splits = samples(formats.CAPTAINCOOK4D)
    (tmp_path / "error_annotations.json").write_text(json.dumps(recordings))
    (tmp_path / "recordings_data_split_combined.json").write_text(json.dumps(splits))
    (step,) = CaptainCook4D(tmp_path).annotations()
    assert isinstance(step.found, Segment)
    pair, talk = (parse_item(item, "train") for item in samples(formats.LLAVA)[:2])
    assert (pair.is_pair, talk.is_pair) == (True, False)
    aligned = [line.strip() for line in formats.CAPTIONS.splitlines()[-2:]]
    (tmp_path / "a.csv").write_text("\n".join(aligned))
    ((_, sentences),) = stream_captions(tmp_path / "a.csv", {"VIDEO"})
    assert [one.text for one in sentences] == ["pour it in"]
