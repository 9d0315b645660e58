"""Labels reversed anew in clean pairs, draw after draw: what a key of one draw cannot tell.

    RATHER_TEST_DATA=... python bench/noise_draws.py [draws] [share]

`bench/noise.py` scores one set of reversed labels; whoever changes the review until that score rises
has learnt the key. Here every draw reverses other rows, of the key's sources and of others. Printed
for each source: the mean recall of the review, of the simpler ways when they flag as many rows
there, and the review's lead over the best of them with its standard error over the draws. Human
votes (HH, MT-Bench) are noisy themselves, so no review finds all that was planted there; LLMBar's
case studies turn on arithmetic, which neither view sees: there nothing beats chance.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from noise import Pairs, as_many, as_pairs, baselines, lines_of, rates, review

SETS = {
    "sources of the key": ("llmbar.jsonl", "gsm8k_solutions.jsonl.gz", "truthfulqa.jsonl", "halueval_qa.jsonl"),
    "other sources": (
        "hhh_alignment.jsonl", "dpo_demo_en.jsonl", "mt_bench_human_majority.jsonl",
        "llmbar_casestudy.jsonl", "hh_harmless_test.jsonl.gz",
    ),
}  # fmt: skip


def clean(folder: Path, names: tuple[str, ...]) -> Pairs:
    """The pairs of files under `preferences/` of which both answers are there, none reversed."""
    records = [row for name in names for row in lines_of(folder / "preferences" / name)]
    rows = [row for row in records if row["chosen"] and row["rejected"]]
    return as_pairs(rows, np.zeros(len(rows), bool))


def planted(pairs: Pairs, share: float, draw: int) -> Pairs:
    """The pairs with each label reversed at the chance `share`."""
    flipped = np.random.default_rng([draw, 1]).random(len(pairs.flipped)) < share
    sign = np.where(flipped, -1, 1).astype(np.float32)[:, None]
    return replace(pairs, views=(pairs.views[0] * sign, pairs.views[1] * sign), flipped=flipped)


def recalls(pairs: Pairs, seed: int) -> dict[str, dict[str, float]]:
    """Method → source → recall, all flagging as many in each source as the review does."""
    ours = review(pairs, None, seed).flip_suspect
    scores = baselines(pairs, seed) | {"peer review": -ours.astype(float)}
    found: dict[str, dict[str, float]] = {}
    for method, score in scores.items():
        flags = as_many(score, ours, pairs.sources)
        for source in np.unique(pairs.sources):
            rows = pairs.sources == source
            found.setdefault(method, {})[str(source)] = rates(flags[rows], pairs.flipped[rows])[0]
    return found


def main(draws: int, share: float) -> None:
    folder = Path(os.environ["RATHER_TEST_DATA"])
    for name, files in SETS.items():
        pairs = clean(folder, files)
        runs = [recalls(planted(pairs, share, draw), draw) for draw in range(draws)]
        print(f"\n{name}: {len(pairs.flipped)} pairs, {share:.0%} reversed, {draws} draws")
        for source in runs[0]["peer review"]:
            mean = {method: float(np.mean([run[method][source] for run in runs])) for method in runs[0]}
            best = max((m for m in mean if m != "peer review"), key=mean.__getitem__)
            lead = np.array([run["peer review"][source] - run[best][source] for run in runs])
            error = lead.std(ddof=1) / np.sqrt(draws)
            cells = "  ".join(f"{method} {value:.3f}" for method, value in mean.items())
            print(f"{source:18s}{cells}  lead {lead.mean():+.3f} ± {error:.3f}")


if __name__ == "__main__":
    numbers = sys.argv[1:]
    main(int(numbers[0]) if numbers else 8, float(numbers[1]) if len(numbers) > 1 else 0.2)
