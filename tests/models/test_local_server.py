"""A real server (llama.cpp's own, from xllamacpp) with a tiny random model: text, n, schema, logprobs, images."""

from __future__ import annotations

import asyncio
import base64
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallRefused
from rather.core.paid import Reply
from rather.models.openai_chat import OpenAISpec
from rather.models.readers import read_json
from rather.models.spreads import choice_spread
from rather.models.verdict import Outcome

from ..tiny_gguf import write_image_encoder, write_language_model

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (rather[local])")
pytest.importorskip("gguf", reason="gguf is not installed")
pytestmark = pytest.mark.full

SERVE = """
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.mmproj.path = sys.argv[1:3]
params.n_ctx, params.n_parallel, params.cpuparams.n_threads, params.port = 16384, 4, 1, 0
server = xllamacpp.Server(params)
print("ready", server.listening_address, flush=True)
sys.stdin.read()
"""
SCHEMA = {
    "type": "object",
    "properties": {"winner": {"enum": ["A", "B"]}, "score": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["winner", "score"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gguf")
    write_language_model(folder / "tiny.gguf")
    write_image_encoder(folder / "mmproj.gguf")
    command = [sys.executable, "-c", SERVE, str(folder / "tiny.gguf"), str(folder / "mmproj.gguf")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("ready")), "")
        assert line, (folder / "log").read_text()[-2000:]
        yield f"{line.split()[1]}/v1"
    finally:
        process.kill()
        process.wait()


def ask(url: str, prompt: Any, **fields: Any) -> Reply:
    async def call() -> Reply:
        backend = OpenAISpec(name="tiny", url=url).load()
        try:
            return await backend.call({"messages": [{"role": "user", "content": prompt}], **fields})
        finally:
            await backend.close()

    return asyncio.run(call())


def test_text_with_a_seed_repeats_and_its_end_is_told(url: str) -> None:
    first = ask(url, "Say something.", temperature=1.0, seed=5, max_tokens=12)
    assert first.text and first.finish == "length" and first.tokens_out == 12 and first.tokens_in > 10
    assert ask(url, "Say something.", temperature=1.0, seed=5, max_tokens=12).text == first.text
    assert ask(url, "Say something.", temperature=1.0, seed=6, max_tokens=12).text != first.text


def test_n_choices(url: str) -> None:
    texts = (ask(url, "Say something.", temperature=1.5, seed=1, n=3, max_tokens=8).data or {})["texts"]
    assert len(texts) == 3 and len(set(texts)) > 1


def test_a_schema_is_kept_to_by_random_weights(url: str) -> None:
    outcomes = []
    for seed in range(5):
        reply = ask(url, "Judge.", temperature=1.0, seed=seed, max_tokens=200, schema=SCHEMA)
        verdict = read_json(SCHEMA)(reply)
        outcomes.append(verdict.outcome)
        assert not verdict.ok or (verdict.value["winner"] in ("A", "B") and 1 <= verdict.value["score"] <= 9)
    assert outcomes.count(Outcome.OK) >= 1 and set(outcomes) <= {Outcome.OK, Outcome.TRUNCATED}
    cut = read_json(SCHEMA)(ask(url, "Judge.", temperature=0.0, max_tokens=3, schema=SCHEMA))
    assert cut.outcome is Outcome.TRUNCATED


def test_logprobs_are_those_of_the_tokens_said(url: str) -> None:
    reply = ask(url, "A or B?", temperature=0.0, max_tokens=4, logprobs=5)
    (tokens,) = (reply.data or {})["logprobs"]
    assert 1 <= len(tokens) <= 4
    for token in tokens:
        assert len(token["top"]) == 5 and token["logprob"] == pytest.approx(max(p for _, p in token["top"]), abs=1e-3)
    top = [text for text, _ in tokens[-1]["top"] if text.strip()][:2]
    spread = choice_spread(reply, top)
    assert spread is None or sum(spread.values()) == pytest.approx(1)


def test_images_change_the_answer(url: str) -> None:
    from PIL import Image

    said = []
    for colour in ((255, 0, 0), (0, 0, 255)):
        held = io.BytesIO()
        Image.new("RGB", (48, 48), colour).save(held, "PNG")
        image = {"type": "image", "data": base64.b64encode(held.getvalue()).decode(), "mime": "image/png"}
        content = [{"type": "text", "text": "What is it?"}, image, image]
        reply = ask(url, content, temperature=0.0, max_tokens=2, logprobs=3)
        said.append((reply.data or {})["logprobs"])
        assert reply.tokens_in > 8
    assert said[0] != said[1]


def test_a_prompt_that_is_too_long_is_refused(url: str) -> None:
    with pytest.raises(CallRefused, match="400"):
        ask(url, "word " * 5000, max_tokens=4)


def test_the_readers_of_a_model_that_knows_nothing_find_nothing(url: str, tmp_path: Path) -> None:
    reply = ask(url, "Judge.", temperature=1.0, seed=3, max_tokens=20)
    assert not read_json(SCHEMA)(reply).ok
