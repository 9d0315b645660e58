"""Models that see by their names on the Hub: weights come from safetensors files, and pickled ones are not fetched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..fake_hub import Hub
from ..fake_repo import Repo
from ..seeing import PHOTOS, load

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full

SCRIPT = """
import base64, json, sys
from rather.core.errors import InputError
from rather.core.registry import models
asked = json.loads(sys.argv[1])
try:
    encoder = models()[asked["use"]](name=asked["name"], device="cpu").load()
    print(json.dumps(encoder.encode([base64.b64decode(asked["image"])])[0].tolist()))
except InputError as error:
    print(json.dumps(str(error)))
"""


def told(hub: Hub, home: Path, use: str, name: str) -> Any:
    """The vector of one photo, or the error, of a fresh process that knows this hub."""
    import base64

    asked = {"use": use, "name": name, "image": base64.b64encode(PHOTOS[0]).decode()}
    setting = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_TOKEN": hub.token}
    command = [sys.executable, "-c", SCRIPT, json.dumps(asked)]
    done = subprocess.run(command, env={**os.environ, **setting}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("use", "name"), [("open_clip", "hf-hub:tester/seer"), ("dino", "tester/seer")])
def test_a_model_by_its_name_on_the_hub(folders: dict[str, Path], tmp_path: Path, use: str, name: str) -> None:
    with Hub() as hub:
        repo = hub.repos["models", "tester/seer"] = Repo(private=False)
        for file in folders[use].iterdir():
            repo.put(file.name, file.read_bytes(), large=file.suffix == ".safetensors")
        pickled = "open_clip_pytorch_model.bin" if use == "open_clip" else "pytorch_model.bin"
        repo.put(pickled, b"pickled", large=True)
        expected = load(use, folders[use]).encode(PHOTOS[:1])[0]
        assert np.array_equal(np.array(told(hub, tmp_path / "a", use, name), np.float32), expected)
        for weights in folders[use].glob("*.safetensors"):
            repo.remove(weights.name, folder=False)
        repo.commit("no safe weights")
        assert "safetensors" in told(hub, tmp_path / "b", use, name)
        assert not [path for method, path, _ in hub.calls if path.endswith(".bin") and method == "GET"]
