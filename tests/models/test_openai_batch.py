"""Batches against a small endpoint with files and batches: handed over once, found again, failures by call."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError, CallRefused
from rather.core.journal import Journal
from rather.core.meter import Budget, Meter
from rather.core.paid import PaidModel, Reply
from rather.models.openai_chat import OpenAISpec

from ..endpoints import Answer, Sent, completion, serving


class Batches:
    """The endpoint: batches are done once `open` is set; a text with `bad` is refused, `lost` never comes back."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lines: list[str] = []
        self.open = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, sent: Sent) -> Answer:
        with self.lock:
            return self.answer(sent)

    def answer(self, sent: Sent) -> Answer:
        path = sent.path.removeprefix("/v1").partition("?")[0]
        if (sent.method, path) == ("POST", "/files"):
            assert b'name="purpose"\r\n\r\nbatch' in sent.body
            content = sent.body.split(b"application/jsonl\r\n\r\n")[1].rpartition(b"\r\n--")[0]
            name = f"file-{len(self.files)}"
            self.files[name] = content
            return Answer({"id": name})
        if (sent.method, path) == ("POST", "/batches"):
            name = f"batch-{len(self.batches)}"
            self.batches[name] = {"id": name, "status": "in_progress", "input_file_id": sent.body["input_file_id"]}
            self.lines += [
                json.loads(line)["custom_id"] for line in self.files[sent.body["input_file_id"]].splitlines()
            ]
            return Answer(self.batches[name])
        if path == "/batches":
            return Answer({"data": list(self.batches.values())})
        if path.startswith("/batches/"):
            return Answer(self.state(path.rpartition("/")[2]))
        return Answer(self.files[path.split("/")[2]])

    def state(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        if self.open.is_set() and batch["status"] == "in_progress":
            done = [self.done(json.loads(line)) for line in self.files[batch["input_file_id"]].splitlines()]
            self.files[f"out-{name}"] = "\n".join(json.dumps(line) for line in done if line).encode()
            batch |= {"status": "completed", "output_file_id": f"out-{name}"}
        return batch

    @staticmethod
    def done(line: dict[str, Any]) -> dict[str, Any] | None:
        text = line["body"]["messages"][-1]["content"]
        if "lost" in text:
            return None
        status, body = (400, {"error": "no"}) if "bad" in text else (200, completion(f"said {text}"))
        return {"custom_id": line["custom_id"], "response": {"status_code": status, "body": body}}


async def asked(url: str, folder: Path, texts: list[str], seconds: float = 20) -> list[Reply | CallError]:
    """Replies through the journal in `folder`; the run is broken off after `seconds`."""
    journal, loop = Journal(folder / "journal.sqlite"), asyncio.get_running_loop()
    spec = OpenAISpec(name="m", url=f"{url}/v1", batch=True, batch_wait=0.05, batch_poll=0.05)
    backend = spec.load()
    backend.keep_in(folder / "batches")
    model = PaidModel(backend, spec.identity(), journal, Meter(Budget()), "run", loop)
    calls = [asyncio.ensure_future(model.ask({"messages": [{"role": "user", "content": text}]})) for text in texts]
    try:
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), seconds)
    finally:
        await model.close()
        journal.close()


def test_many_calls_share_a_file_and_each_gets_its_own_reply(tmp_path: Path) -> None:
    endpoint = Batches()
    endpoint.open.set()
    texts = [f"q{k}" for k in range(200)]
    with serving(endpoint) as server:
        replies = asyncio.run(asked(server.url, tmp_path, texts))
        again = asyncio.run(asked(server.url, tmp_path, texts))
    assert [reply.text for reply in replies] == [f"said q{k}" for k in range(200)] == [r.text for r in again]
    assert len(endpoint.batches) == 1 and len(endpoint.lines) == 200
    assert not list((tmp_path / "batches").glob("*.json"))  # nothing is left to be found again


def test_a_batch_under_way_is_found_again_and_not_paid_for_twice(tmp_path: Path) -> None:
    endpoint = Batches()
    texts = [f"q{k}" for k in range(30)]
    with serving(endpoint) as server:
        with pytest.raises(TimeoutError):
            asyncio.run(asked(server.url, tmp_path, texts, seconds=1))
        assert len(endpoint.batches) == 1
        endpoint.open.set()
        replies = asyncio.run(asked(server.url, tmp_path, [*texts, "new"]))
    assert [reply.text for reply in replies] == [f"said q{k}" for k in range(30)] + ["said new"]
    assert len(endpoint.lines) == len(set(endpoint.lines)) == 31


def test_a_run_killed_before_it_knew_its_batch_finds_it_by_its_file(tmp_path: Path) -> None:
    endpoint = Batches()
    with serving(endpoint) as server:
        with pytest.raises(TimeoutError):
            asyncio.run(asked(server.url, tmp_path, ["q"], seconds=1))
        (path,) = (tmp_path / "batches").glob("*.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"batch": ""}))
        endpoint.open.set()
        assert asyncio.run(asked(server.url, tmp_path, ["q"]))[0].text == "said q"
    assert len(endpoint.batches) == 1


def test_calls_of_a_batch_fail_one_by_one(tmp_path: Path) -> None:
    endpoint = Batches()
    endpoint.open.set()
    with serving(endpoint) as server:
        fine, bad, lost = asyncio.run(asked(server.url, tmp_path, ["fine", "bad", "lost"], seconds=60))
    assert isinstance(fine, Reply) and isinstance(bad, CallRefused)
    assert isinstance(lost, CallError) and "ended as completed without this call" in lost.show()
