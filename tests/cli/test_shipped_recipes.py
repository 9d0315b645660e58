"""Every shipped recipe is sound where its input is."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rather.cli.api import shipped_recipes

from .conftest import Door
from .test_check import write

SOURCES = {
    "read.pairs": "pairs.jsonl", "read.rows": "rows.parquet", "read.images": "photos",
    "read.rich_feedback": "rows.parquet",
}  # fmt: skip
LABELS = (
    "prompt_misalignment_label", "answer_correctness", "reasoning_correctness", "reasoning_critic",
)  # fmt: skip
FILES = {
    "arte": ["score.icl_utility.probes"],
    "lbt": ["score.teaching.exams"],
    "refeed": ["synth.retrieval_feedback.documents"],
}


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_sound_where_their_input_is(
    door: Door, name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789")
    (here / "base").mkdir()
    (here / "base" / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("BASE_MODEL", str(here / "base"))
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    row = {"prompt": "q", "chosen": "yes", "rejected": "no", "candidates": ["yes", "no"], "reference": "yes"}
    row |= {"steps": [{"text": "first", "label": True}], "feedback": "shorter", "judgment": "no", "tests": "assert 1"}
    row |= {"text": "a passage", "object": "cat", "answer": "yes", "overall_score": 0.5, "artifact_map": b"png"}
    row |= {"filename": "a.png", "image": b"a photo, unread"}
    row |= {"images": [{"bytes": b"a photo, unread", "path": None}], "subjects": [{"phrase": "cat"}]}
    row |= {name: "1" for name in LABELS}
    pq.write_table(pa.Table.from_pylist([row]), "rows.parquet")  # more columns than any one recipe reads
    (here / "photos" / "cat").mkdir(parents=True)
    (here / "photos" / "cat" / "a.png").write_bytes(b"a photo, unread by a check")
    write(json.dumps({"subject": "cat", "prompt": "a cat on a mat"}) + "\n", "photos/prompts.jsonl")
    (first,) = (key for key in yaml.safe_load(text)["stages"][0] if "." in key)
    source = SOURCES.get(first, "")
    sets = ["--set", f"read.path={source}"] if source and "RATHER_RECIPES" not in text else []
    sets += [word for option in FILES.get(name, ()) for word in ("--set", f"{option}=rows.parquet")]
    code, out, err = door("check", name, *sets)
    if "not installed" in err:
        pytest.skip(err.strip().splitlines()[-1])
    assert code == 0 and f"{name}: sound" in out, err
