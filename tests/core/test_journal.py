"""The journal: durable before done, groups, keys, sums, and what it does with damage."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import wait
from pathlib import Path

import pytest
from rather.core.errors import InputError
from rather.core.journal import Entry, Journal, call_key


def entry(k: int, run: str = "run") -> Entry:
    return Entry(call_key({"use": "x"}, {"k": k}, 0), "x", 0, {"text": f"reply {k} é"}, 10, 0.5, 0.1, run)


def test_what_is_kept_is_found_by_another_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a" / "journal.sqlite")
    journal.keep([entry(k) for k in range(700)]).result()
    other = Journal(tmp_path / "a" / "journal.sqlite")
    keys = [entry(k).key for k in range(1400)]
    found = other.look_up(keys).result()
    assert set(found) == set(keys[:700])
    assert found[keys[3]] == {"text": "reply 3 é"}
    assert other.spent("run") == (700, 7000, 350.0) and other.spent("another") == (0, 0, 0.0)
    journal.close()
    other.close()


def test_a_key_keeps_its_first_reply(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    first = entry(1)
    wait([journal.keep([first]), journal.keep([first._replace(reply={"text": "later"})])])
    assert journal.look_up([first.key]).result()[first.key]["text"] == "reply 1 é"
    journal.close()


def test_many_threads_worth_of_entries_share_commits_and_none_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    futures = [journal.keep([entry(k)]) for k in range(2000)]
    journal.close()
    assert all(future.result() is None for future in futures)
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM replies").fetchone() == (2000,)


CHILD = """
import sys
from pathlib import Path
from rather.core.journal import Entry, Journal
journal = Journal(Path(sys.argv[1]))
for k in range(100_000):
    journal.keep([Entry(k.to_bytes(32, "big"), "x", 0, {"text": "r" * 200}, 1, 0.0, 0.0, "run")]).result()
    print(k, flush=True)
"""


def test_a_reply_that_was_kept_survives_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(60)]
    child.send_signal(signal.SIGKILL)
    told += [int(line) for line in child.stdout.read().split()]
    child.wait()
    journal = Journal(path)
    keys = [k.to_bytes(32, "big") for k in told]
    assert set(journal.look_up(keys).result()) == set(keys)
    journal.close()


def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"this is not a database, whatever its name says" * 50)
    with pytest.raises(InputError, match=r"journal\.sqlite: the journal cannot be used"):
        Journal(tmp_path / "journal.sqlite")


def test_an_entry_that_cannot_be_written_says_so_and_the_next_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(TypeError):
        journal.keep([entry(1)._replace(reply={"text": object()})]).result()
    journal.keep([entry(2)]).result()
    assert len(journal.look_up([entry(1).key, entry(2).key]).result()) == 1
    journal.close()


def test_a_key_depends_on_identity_request_and_attempt_alone() -> None:
    base = call_key({"use": "a", "name": "m"}, {"messages": [], "n": 1}, 0)
    assert call_key({"name": "m", "use": "a"}, {"n": 1, "messages": []}, 0) == base
    others = [
        call_key({"use": "b", "name": "m"}, {"messages": [], "n": 1}, 0),
        call_key({"use": "a", "name": "m"}, {"messages": [], "n": 2}, 0),
        call_key({"use": "a", "name": "m"}, {"messages": [], "n": 1}, 1),
    ]
    assert len({base, *others}) == 4
    text = json.dumps([{"name": "m", "use": "a"}, {"messages": [], "n": 1}, 0], separators=(",", ":"))
    assert base == hashlib.sha256(text.encode()).digest()
