"""Datasets of the Hub (an endpoint in this process) and folders saved by `datasets`."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rather.formats.read_pairs import ReadPairs

from ..fake_hub import Hub
from ..fake_repo import Repo

PAIRS = pa.table({"prompt": ["p", "q"], "chosen": ["a", "c"], "rejected": ["b", "d"], "score": [1.5, 2.0]})
SCRIPT = """
import json, sys
import pyarrow as pa
from rather.formats.read_pairs import ReadPairs
source = ReadPairs(**json.loads(sys.argv[1]))
told = {"faults": list(source.faults())}
if not told["faults"]:
    table = pa.concat_tables(source.batches(["chosen", "score"]))
    told |= {"names": list(source.schema_names()), "score": table["score"].to_pylist(), "columns": table.column_names}
    told |= {"mark": source.fingerprint(), "files": list(source.file_names()), "again": source.replayable()}
print(json.dumps(told))
"""


def told(home: Path, endpoint: str, token: str, **options: Any) -> dict[str, Any]:
    """What a fresh process, with this endpoint and token, reads."""
    setting = {"HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", SCRIPT, json.dumps(options)]
    done = subprocess.run(command, env={**os.environ, **setting}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def packed(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_a_private_dataset_of_the_hub(tmp_path: Path) -> None:
    """Read with HF_TOKEN from HF_ENDPOINT; the fingerprint follows the commit; mistakes are one sentence."""
    with Hub() as hub:
        repo = hub.repos["datasets", "tester/pairs"] = Repo(private=True)
        repo.put("data/train-00000-of-00001.parquet", packed(PAIRS), large=True)
        found = told(tmp_path, hub.url, hub.token, path="tester/pairs")
        assert found["faults"] == [] and found["names"] == ["prompt", "chosen", "rejected", "verdict", "score"]
        assert (found["columns"], found["score"], found["again"]) == (["chosen", "score"], [1.5, 2.0], False)
        assert found["files"] == ["hf://datasets/tester/pairs@main"]
        repo.put("data/train-00000-of-00001.parquet", packed(PAIRS.slice(0, 1)), large=True)
        repo.commit("fewer")
        changed = told(tmp_path, hub.url, hub.token, path="hf://datasets/tester/pairs")
        assert changed["score"] == [1.5] and changed["mark"] != found["mark"]
        (fault,) = told(tmp_path, hub.url, hub.token, path="tester/pears")["faults"]
        assert "tester/pears: no such dataset on the Hub" in fault
        (fault,) = told(tmp_path, hub.url, hub.token, path="tester/pairs", split="tset")["faults"]
        assert "train" in fault and "tset" in fault


def test_folders_saved_by_datasets(tmp_path: Path) -> None:
    import datasets

    whole = datasets.Dataset(PAIRS)
    whole.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": whole, "test": whole.select([1])}).save_to_disk(str(tmp_path / "two"))
    for folder, split, scores in (("one", "train", [1.5, 2.0]), ("two", "train", [1.5, 2.0]), ("two", "test", [2.0])):
        source = ReadPairs(path=str(tmp_path / folder), split=split)
        assert source.faults() == [] and source.replayable()
        table = pa.concat_tables(source.batches(["score", "chosen"]))
        assert table["score"].to_pylist() == scores
    (fault,) = ReadPairs(path=str(tmp_path / "two"), split="tets").faults()
    assert "there is no split tets; did you mean test?" in fault
