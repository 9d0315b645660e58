"""What a user may get wrong at the door: one message with cause, place and remedy, exit code 2, nothing left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rather.core.secrets import redact

from .conftest import Door

ROW = '{"prompt": "Capital of Peru?", "chosen": "Lima.", "rejected": "Cusco."}\n'
HINDERED = "import sys; sys.modules['typer'] = None; from rather.cli.main import main; main(['list'])"
"""`rather list` where the parser cannot be imported: the message shows that its import waits for `main`."""


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.jsonl", b"", "empty.jsonl: it holds no rows; is it the right file?"),
        ("empty.parquet", b"", "empty.parquet: cannot be read: Parquet file size is 0 bytes"),
        ("noise.parquet", bytes(range(255, 0, -1)), "noise.parquet: cannot be read: Parquet magic bytes not found"),
        ("noise.csv", b"a,b\n\xf0\xff\xfe,1,2\n", "noise.csv: not UTF-8 text; save it as UTF-8"),
        ("noise.bin", b"\x00\x01", "noise.bin holds .bin; name files of one format with a glob"),
        ("cut.jsonl", b'{"prompt": "x"', "cut.jsonl:1: not valid JSON"),
        ("wrong.jsonl", b'{"a": 1}\n', "columns there are: a; map yours"),
    ],
)
def test_files_that_hold_no_pairs(door: Door, name: str, content: bytes, told: str) -> None:
    Path(name).write_bytes(content)
    code, out, err = door("filter", name, "-o", "out")
    assert (code, out) == (2, "") and err.startswith("rather: read.pairs: ") and told in err, err
    assert [path.name for path in Path().iterdir()] == [name]


def test_paths_that_lead_nowhere(door: Door) -> None:
    Path("votes.jsonl").write_text(ROW, encoding="utf-8")
    Path("link.jsonl").symlink_to("gone.jsonl")
    for path, told in (
        ("vote.jsonl", "no readable file at vote.jsonl; did you mean votes.jsonl"),
        ("link.jsonl", "no readable file at link.jsonl; it is a link to gone.jsonl, which is not there"),
        ("/dev/null", "no readable file at /dev/null; it is neither a file nor a folder"),
        ("", "no path is given; name a file, a folder, a glob or a dataset on the Hub"),
    ):
        code, _, err = door("filter", path, "-o", "out")
        assert code == 2 and told in err, err
    assert not Path("out").exists()


@pytest.mark.parametrize("verb", ["filter", "export", "view", "merge", "run"])
def test_an_empty_out_is_not_the_working_directory(door: Door, verb: str) -> None:
    """`--out "$UNSET"` must not fill the folder one happens to be in."""
    Path("votes.jsonl").write_text(ROW, encoding="utf-8")
    given = ["quickstart"] if verb == "run" else ["votes.jsonl", *(["--to", "trl_kto"] if verb == "export" else [])]
    code, _, err = door(verb, *given, "--out", "")
    assert code == 2 and "'--out': no path is given" in err, err
    assert [path.name for path in Path().iterdir()] == ["votes.jsonl"]


def test_options_of_datasets_are_refused_for_runs(door: Door) -> None:
    Path("vo tés.jsonl").write_text(ROW, encoding="utf-8")
    assert door("filter", "vo tés.jsonl", "-o", "a rün")[0] == 0
    for words in (("--split", "test"), ("--map", "chosen=better"), ("--format", "explicit")):
        for verb in (("export", "a rün", "--to", "trl_kto", "-o", "kto"), ("view", "a rün")):
            code, _, err = door(*verb, *words)
            assert (code, err) == (2, f"rather: a rün: {words[0]} is for datasets; this is a run folder\n")
    assert not Path("kto").exists() and not Path("a rün/view.html").exists()


def test_words_that_are_no_command(door: Door) -> None:
    code, out, err = door()
    assert (code, out) == (2, "") and err.startswith("Usage: ") and err.rstrip().endswith("how to get it.")
    code, _, err = door("filtr", "votes.jsonl")
    assert code == 2 and re.search(r"^rather: .*filtr.*filter.*; see: rather --help$", err, re.MULTILINE), err


def test_the_parser_is_imported_where_an_interruption_is_heeded() -> None:
    """With no typer to be had the command ends in a message of `main`, so the import lies inside it."""
    done = subprocess.run([sys.executable, "-c", HINDERED], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "ModuleNotFoundError" in done.stderr


def test_keys_are_hidden_and_words_like_them_are_not() -> None:
    for key in ("hf_abcdefghijklmnop", "sk-proj-4bcdefgh", "sk-ABCDEFGHIJ", "Bearer abcdefgh"):
        assert key not in redact(f"x {key} y"), key
    for word in ("HF_ENDPOINT and HF_HUB_OFFLINE=1", "hf_hub_download", "task-management", "risk-assessment"):
        assert redact(word) == word
