"""How light the package is to start: import, help, the first rows of the quickstart, and what import loads.

Run: python bench/startup.py [SITE_PACKAGES]. Medians of five; SITE_PACKAGES of a base install gives its size.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAVY = ("torch", "transformers", "datasets", "pandas", "duckdb", "sklearn", "pyarrow", "pydantic")
IMPORT = "import time; t = time.perf_counter(); import rather; print(time.perf_counter() - t)"
LOADED = f"import sys, rather; print(sorted(set({HEAVY!r}) & set(sys.modules)))"


def seconds(*words: str, reps: int = 5) -> float:
    """Median wall seconds of a process."""
    taken = []
    for _ in range(reps):
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def printed(code: str) -> str:
    """What a process prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def first_rows() -> float:
    """Seconds from starting the quickstart to its first entered batch, as its JSON lines tell."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        words = [sys.executable, "-m", "rather", "run", "quickstart", "--json", "--out", folder]
        with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
            assert run.stderr is not None
            for line in run.stderr:
                if '"rows"' in line and '"rows_in"' in line:
                    break
            taken = time.perf_counter() - began
            run.kill()
    return taken


if __name__ == "__main__":
    print(f"import rather        {statistics.median(float(printed(IMPORT)) for _ in range(5)):.3f} s")
    print(f"rather --help        {seconds('-m', 'rather', '--help'):.3f} s")
    print(f"first quickstart row {statistics.median(first_rows() for _ in range(3)):.3f} s")
    print(f"import rather loads  {printed(LOADED)}")
    for folder in sys.argv[1:]:
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file() and file.suffix != ".pyc")
        print(f"base install         {size / 2**20:.0f} MiB in {folder}")
