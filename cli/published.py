"""Published LLMBar figures: accuracy (mean of both orders) and agreement of the orders, percent.

Computed from the result files in the repository of Zeng et al., "Evaluating Large Language Models at
Evaluating Instruction Following", 2024, arXiv 2310.07641 (419 rows; floors differ on parts of them).
"""

from __future__ import annotations

from typing import Final

SUBSETS: Final = ("natural", "neighbor", "gptinst", "gptout", "manual")
LONGEST: Final = (56.5, 11.9, 13.0, 44.7, 18.5)
"""Preferring the longer answer, on all 419 rows."""

Cell = tuple[float, int]
LLMBAR: Final[dict[str, dict[str, tuple[Cell, Cell, Cell, Cell, Cell]]]] = {
    "vanilla": {
        "GPT-4-0613": ((93.5, 97), (64.2, 90), (76.6, 90), (76.6, 87), (75.0, 89)),
        "PaLM2": ((82.0, 84), (51.1, 71), (66.8, 74), (62.8, 77), (62.0, 80)),
        "ChatGPT-0613": ((79.0, 68), (17.9, 73), (29.3, 52), (43.6, 43), (37.0, 48)),
        "LLaMA2-70B-Chat": ((77.0, 74), (19.0, 87), (25.0, 73), (55.3, 70), (30.4, 70)),
    },
    "rules": {
        "GPT-4-0613": ((95.5, 95), (78.7, 93), (86.4, 95), (77.7, 94), (80.4, 83)),
        "PaLM2": ((83.0, 80), (62.7, 67), (73.4, 68), (59.6, 66), (65.2, 87)),
        "ChatGPT-0613": ((81.5, 71), (19.4, 72), (26.6, 62), (41.5, 60), (34.8, 52)),
        "LLaMA2-70B-Chat": ((80.5, 79), (24.6, 78), (30.4, 73), (56.4, 72), (37.0, 65)),
        "Falcon-180B-Chat": ((74.0, 52), (50.4, 43), (50.0, 30), (54.3, 30), (51.1, 50)),
    },
    "cot": {
        "GPT-4-0613": ((94.5, 91), (75.0, 90), (83.2, 90), (74.5, 87), (73.9, 83)),
        "PaLM2": ((73.0, 64), (51.5, 49), (54.9, 27), (58.5, 38), (55.4, 43)),
        "ChatGPT-0613": ((74.0, 64), (22.8, 63), (29.3, 59), (44.7, 40), (35.9, 50)),
        "Falcon-180B-Chat": ((57.0, 14), (50.0, 16), (51.6, 9), (51.1, 11), (48.9, 11)),
    },
    "swap_cot": {
        "GPT-4-0613": ((94.0, 100), (78.7, 99), (85.3, 97), (79.8, 98), (77.2, 93)),
    },
    "metrics": {
        "GPT-4-0613": ((93.0, 94), (83.2, 93), (89.7, 90), (73.4, 89), (81.5, 80)),
    },
    "reference": {
        "GPT-4-0613": ((95.5, 97), (80.6, 90), (87.5, 90), (77.7, 85), (84.8, 87)),
    },
    "metrics_reference": {
        "GPT-4-0613": ((96.0, 96), (85.4, 95), (89.7, 90), (72.3, 83), (83.7, 85)),
        "PaLM2": ((86.5, 85), (69.8, 72), (77.2, 72), (63.8, 70), (67.4, 83)),
        "ChatGPT-0613": ((82.5, 73), (38.1, 58), (35.9, 43), (38.3, 53), (43.5, 43)),
        "LLaMA2-70B-Chat": ((76.0, 66), (35.8, 67), (34.8, 67), (59.6, 57), (43.5, 65)),
    },
}
"""By strategy and judge, in the order of `SUBSETS`."""
