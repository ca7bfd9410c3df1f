"""Formats of the files that stages take from outside, shown by `--help` with two lines of each."""

HTSTEP = """\
htstep: a directory with annotations.json, taxonomy.csv and video_splits.json, as released:
  {"VIDEO": {"duration": 61.2, "activity": "Make Tea", "annotations": [
     {"id": 7, "segment": [3.5, 20.1], "partial": "Full Match"}, ...]}, ...}
  global_step_index,activity,step_index,variation,variation_index,headline,paragraph
  7,Make Tea,0,none,1,Boil water.,"Fill the kettle, and ..."
  {"train": ["VIDEO", ...], "val_seen": [...],
   "val_unseen": [...], "test_seen": [...], "test_unseen": [...]}"""

CAPTIONS = """\
--captions, one of HowTo100M's three files: raw_caption.json and a sentence-level file, in seconds,
  {"VIDEO": {"text": ["pour it in", "stir", ...], "start": [3.1, 5, ...], "end": [4.9, 6.2, ...]},
   "VIDEO": {"text": [...], "start": [...], "end": [...]}, ...}
or HTM-AA's, whose name must end in .csv:
  vid,timestamp,text
  VIDEO,3.5,pour it in"""

CAPTAINCOOK4D = """\
captaincook4d: a directory with error_annotations.json and recordings_data_split_combined.json:
  [{"recording_id": "1_10", "activity_id": 1, "step_annotations": [
     {"description": "Pour-Pour 1 egg", "step_id": 9, "start_time": 1.5, "end_time": 9.0,
      "errors": [{"tag": "Measurement Error", "description": "Pour 2 eggs"}]}, ...]}, ...]
  {"train": ["1_10", ...],
   "val": [...], "test": [...]}"""

LLAVA = """\
LLaVA-style JSON: a JSON list of items, or one item per line (JSON Lines), such as
  {"id": 1, "video": ["a.mp4", "b.mp4"], "conversations": [{"from": "human", "value":
     "<video>\\n<video>\\nWhat differs?"}, {"from": "gpt", "value": "The pan."}]}
  {"messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"},
     {"type": "text", "text": "What is this?"}]}, {"role": "assistant", "content": "Tea."}]}
video, videos, image or images: one name or a list. Ours, optional: "split": "train", and, in the
order of the videos, "segments": [[start, end], ...] in seconds and "clips": [{"keystep": ...,
"activity": ..., "narration": ...}, ...]. More is in docs/data.md."""

BENCHMARK = """\
benchmark: diffcap_dataset.jsonl, diffmcq_dataset.jsonl or diffrank_dataset.jsonl, or a directory
with at least one of them. A clip is VIDEO_START_END, in seconds:
  {"reference": "a_3_9.5", "candidate": "b_0_7", "category": "Actions", "text": ["they stir more"]}
  {"difference": "they stir", "category": "Actions", "options": [["a_3_9.5", "b_0_7"], ... four],
   "answer": ["a_3_9.5", "b_0_7"]}
  {"reference": "a_3_9.5", "targets": ["b_0_7", ... four], "category": "Actions",
   "scores": [5, 3, 1, 0]}"""

CLIPS = "\n\n".join(
    ("Files of --source and --captions:", HTSTEP, CAPTAINCOOK4D, LLAVA, BENCHMARK, CAPTIONS)
)

DIFFERENCES = "\n\n".join(("Files of --source:", CAPTAINCOOK4D))

DESCRIBE = """\
Files, JSON Lines, a clip per line:
--clips, as prep clips writes them
  {"clip": "a_3_9.5", "video": "../videos/a.mp4", "start": 3, "end": 9.5, "keystep": "Boil water.",
   "activity": "Make Tea", "narration": "pour it in", "split": "train"}
--captions
  {"clip": "a_3_9.5", "actions": ["pour water"], "objects": ["kettle", "mug"]}
  {"clip": "b_0_7", "actions": [], "objects": ["pan"]}
--object-scores and --action-scores, the score of each phrase in the captions
  {"clip": "a_3_9.5", "scores": {"kettle": 0.61, "mug": 0.05}}
  {"clip": "b_0_7", "scores": {"pan": 0.4}}"""

SEQUENCES = """\
clips.jsonl, a clip per line, times in seconds; clips of one video and split become sequences:
  {"clip": "a_3_9.5", "video": "../videos/a.mp4", "start": 3, "end": 9.5, "narration": "pour it in",
   "split": "train", "keystep": "Boil water.", "activity": "Make Tea"}
  {"clip": "a_12_18", "video": "../videos/a.mp4", "start": 12, "end": 18, "narration": "and stir",
   "split": "train", "keystep": "Stir.", "activity": "Make Tea"}"""

ANNOTATED_DIFFERENCES = """\
Difference annotations, JSON Lines: a category of a pair of clips per line. A clip is
VIDEO_START_END, in seconds. score: 0 (nothing in common) to 5 (nearly identical), optional, for
DiffRank. captions: empty if the clips do not differ in the category.
  {"reference": "a_3_9.5", "candidate": "b_0_7", "keystep": "Boil water.", "category": "Actions",
   "captions": ["they stir more"], "score": 2}
  {"reference": "a_3_9.5", "candidate": "b_0_7", "keystep": "Boil water.", "category": "Visuals",
   "captions": [], "score": 5}"""

PACK = """\
Files of --source; clips.jsonl and frames.jsonl are needed, others are packed if they are there.
clips.jsonl: as prep clips writes it; frames.jsonl: as prep frames writes it.
filtered.jsonl, or pairs.jsonl if there is no filtered.jsonl (questions.jsonl is never packed: run
prep filter on it, or name it pairs.jsonl):
  {"reference": "a_3_9.5", "candidate": "b_0_7", "split": "train", "questions": [
     {"question": "What differs?", "answer": "The pan."}, ...]}
conversations.jsonl, as prep import-llava writes it:
  {"clips": ["a_3_9.5"], "split": "train", "system": "", "turns": [
     {"question": "What is this?", "answer": "Tea."}, ...]}
sequences.jsonl (two clips or more) and single.jsonl (one), as prep sequences writes them:
  {"clips": ["a_3_9.5", "a_12_18"], "narrations": ["pour it in", "and stir"], "split": "train"}
  {"clips": ["a_3_9.5"], "narrations": ["pour it in"], "split": "train"}"""
