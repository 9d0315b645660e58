"""Five million pairs through rules and margins to Parquet: `rather run` beside the same query in DuckDB's SQL.

    python bench/five_million.py [--rows 5000000] [--reps 1] [--folder FOLDER]

Both drop empty answers, answers equal but for white space and answers of unfit length, then margins
outside two quantiles and behind the best two of their prompt; both write the rows kept as zstd
Parquet and a ledger of those dropped with the reason. They take turns, each in a process of its own
with two threads. Prints seconds, CPU seconds, peak memory and ratios; fails unless both kept the same
rows. `rather` also writes its report, its card and the ids, and hashes every row's content.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pair_rows import write_pairs
from processes import Measured, measured

SHORTEST: Final = 8
LONGEST: Final = 1000
LOWER: Final = 0.2
UPPER: Final = 0.95
TOP: Final = 2

RECIPE: Final = """
name: five-million
stages:
  - read.pairs: {{path: {source}}}
  - filter.rules: {{least_chars: {shortest}, most_chars: {longest}}}
  - filter.margin: {{score: score, lower_quantile: {lower}, upper_quantile: {upper}, top_per_prompt: {top}}}
  - write.parquet: {{columns: [row_id]}}
"""

# Until all rows are seen only what is narrow is kept of them; answers that begin with different words
# need no normalising. Without the two, DuckDB takes several times as long and twice the memory.
SQL: Final = """
SET threads = 2;
SET preserve_insertion_order = false;
SET temp_directory = '{folder}/spill';
CREATE TEMP TABLE judged AS
SELECT row_id, hash(prompt) AS prompt, chosen_score::DOUBLE - rejected_score::DOUBLE AS margin,
  CASE
    WHEN prompt IS NULL OR NOT regexp_matches(prompt, '\\S') THEN 'no prompt'
    WHEN chosen IS NULL OR NOT regexp_matches(chosen, '\\S') THEN 'no chosen answer'
    WHEN rejected IS NULL OR NOT regexp_matches(rejected, '\\S') THEN 'no rejected answer'
    WHEN regexp_extract(chosen, '\\S+') = regexp_extract(rejected, '\\S+')
     AND trim(regexp_replace(chosen, '\\s+', ' ', 'g')) = trim(regexp_replace(rejected, '\\s+', ' ', 'g'))
      THEN 'chosen and rejected are the same'
    WHEN length(chosen) < {shortest} THEN 'chosen too short'
    WHEN length(chosen) > {longest} THEN 'chosen too long'
    WHEN length(rejected) < {shortest} THEN 'rejected too short'
    WHEN length(rejected) > {longest} THEN 'rejected too long'
  END AS rule
FROM read_parquet('{source}');
SET VARIABLE n = (SELECT count(margin) FROM judged WHERE rule IS NULL);
SET VARIABLE low = (floor({lower} * (getvariable('n') - 1)) + 0.5) / getvariable('n');
SET VARIABLE high = (floor({upper} * (getvariable('n') - 1)) + 0.5) / getvariable('n');
CREATE TEMP TABLE decided AS
WITH bounds AS (
  SELECT quantile_disc(margin, getvariable('low')) AS low, quantile_disc(margin, getvariable('high')) AS high
  FROM judged WHERE rule IS NULL
), banded AS (
  SELECT row_id, prompt, margin, CASE WHEN rule IS NOT NULL THEN rule WHEN margin < low THEN 'below the lower quantile'
    WHEN margin > high THEN 'above the upper quantile' END AS reason FROM judged, bounds
)
SELECT row_id, reason FROM banded WHERE reason IS NOT NULL UNION ALL
SELECT row_id, CASE WHEN row_number() OVER (PARTITION BY prompt ORDER BY margin DESC, row_id) > {top}
  THEN 'beyond the top {top} of its prompt' END FROM banded WHERE reason IS NULL;
COPY (SELECT row_id, reason FROM decided WHERE reason IS NOT NULL)
  TO '{folder}/dropped.parquet' (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT pairs.row_id, prompt, chosen, rejected FROM read_parquet('{source}') AS pairs
      JOIN (SELECT row_id FROM decided WHERE reason IS NULL) USING (row_id))
  TO '{folder}/kept.parquet' (FORMAT parquet, COMPRESSION zstd);
"""


def main() -> None:
    """Make the input once, run both in turn, compare."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    source = asked.folder / f"pairs-{asked.rows}.parquet"
    if not source.exists():
        write_pairs(source, asked.rows)
    print(f"{asked.rows:,} rows, {source.stat().st_size / 2**20:.0f} MiB of Parquet")
    found: dict[str, list[Measured]] = {"duckdb": [], "rather": []}
    for _ in range(asked.reps):
        for name, runs in found.items():
            folder = _empty(asked.folder / name)
            runs.append(measured(COMMANDS[name](source, folder), asked.folder / f"{name}.log"))
            print(f"{name:8}{runs[-1]}", flush=True)
    _compare(asked.folder, asked.rows)
    _ratios(found)


def duckdb_command(source: Path, folder: Path) -> list[str]:
    """This file again, running nothing but the SQL."""
    return [sys.executable, __file__, "--sql", str(source), "--folder", str(folder)]


def rather_command(source: Path, folder: Path) -> list[str]:
    """`rather run` of the recipe, left in the folder."""
    recipe = folder / "recipe.yaml"
    limits = {"shortest": SHORTEST, "longest": LONGEST, "lower": LOWER, "upper": UPPER, "top": TOP}
    recipe.write_text(RECIPE.format(source=source, **limits))
    return [sys.executable, "-m", "rather", "run", str(recipe), "--out", str(folder / "run"), "--json"]


COMMANDS: Final = {"duckdb": duckdb_command, "rather": rather_command}


def run_sql(source: Path, folder: Path) -> None:
    """The query by hand."""
    query = SQL.format(
        source=source, folder=folder, shortest=SHORTEST, longest=LONGEST, lower=LOWER, upper=UPPER, top=TOP
    )
    duckdb.connect().execute(query)


def _compare(folder: Path, rows: int) -> None:
    """Fail unless both kept the same rows and each dropped every other row."""
    theirs = _ids(folder / "duckdb" / "kept.parquet")
    ours = _ids(folder / "rather" / "run" / "data" / "data")
    if not np.array_equal(ours, theirs):
        raise SystemExit(f"rather kept {len(ours):,} rows, DuckDB {len(theirs):,}: they differ")
    ledgers = [folder / "duckdb", folder / "rather" / "run" / "dropped"]
    counted = [_reasons(folder, pattern) for folder, pattern in zip(ledgers, ("dropped.parquet", "*"), strict=True)]
    if counted[0] != counted[1] or len(ours) + sum(counted[0].values()) != rows:
        raise SystemExit(f"the ledgers differ: DuckDB {counted[0]}, rather {counted[1]}")
    print(f"both kept the same {len(ours):,} rows and dropped the others for the same reasons")


def _ids(path: Path) -> np.ndarray:
    return np.sort(pq.read_table(path, columns=["row_id"])["row_id"].to_numpy())


def _reasons(folder: Path, pattern: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in folder.glob(pattern):
        reasons = pq.read_table(file, columns=["reason"])["reason"].cast(pa.string())
        found |= {item["values"]: item["counts"] for item in reasons.value_counts().to_pylist()}
    return found


def _ratios(found: dict[str, list[Measured]]) -> None:
    print("rather over DuckDB, median of the turns:")
    for field in ("wall", "cpu", "peak_mib"):
        shares = [getattr(a, field) / getattr(b, field) for a, b in zip(found["rather"], found["duckdb"], strict=True)]
        print(f"  {field:9}{statistics.median(shares):5.2f}")


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--reps", type=int, default=1, help="turns of each")
    default = Path(tempfile.gettempdir()) / "rather-bench"
    parser.add_argument("--folder", type=Path, default=default, help="where the input is kept and outputs go")
    parser.add_argument("--sql", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = _arguments()
    if given.sql is not None:
        run_sql(given.sql, given.folder)
    else:
        main()
