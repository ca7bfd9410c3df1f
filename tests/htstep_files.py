"""HT-Step's and HowTo100M's files for two videos, in the very form of the releases."""

import json
from pathlib import Path

ANNOTATIONS = {
    "-a_b-c1": {
        "subset": "train",
        "duration": 60.0,
        "activity": "Make Soup",
        "variation": "none",
        "annotations": [
            {"id": 11, "segment": [30.5, 42], "partial": "Full Match"},
            {"id": 7, "segment": [3.25, 20.125], "partial": "Partial Match"},
        ],
    },
    "zzz": {
        "subset": "val_seen",
        "duration": 9.0,
        "activity": "Make Tea",
        "variation": "A",
        "annotations": [{"id": 7, "segment": [0, 4.5], "partial": "Full Match"}],
    },
}
TAXONOMY = (
    "global_step_index,activity,step_index,variation,variation_index,headline,paragraph\n"
    '7,Make Soup,0,none,1,"Chop onions, finely.","Cut\nthem."\n'
    "11,Make Soup,1,none,2,Boil water.,\n"
)
SPLITS = {"train": ["-a_b-c1", "unused"], "val_seen": ["zzz"]}
CAPTIONS = {
    "-a_b-c1": {
        "text": ["boil it", "hello\n there", "", "we chop", "and  chop"],
        "start": [35, 0.0, 4.0, 10.0, 19.0],
        "end": [36.5, 3.0, 5.0, 12.0, 25.0],
    },
    "unwanted": {"text": ["a"], "start": [], "end": []},
}


def write_htstep(directory: Path, *, annotations=ANNOTATIONS, taxonomy=TAXONOMY, splits=SPLITS):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "annotations.json").write_text(json.dumps(annotations))
    (directory / "taxonomy.csv").write_text(taxonomy)
    (directory / "video_splits.json").write_text(json.dumps(splits))
    return directory
