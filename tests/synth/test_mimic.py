"""Made records: what is shown, what is found too near, what is personal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.mimic import Mimic
from rather.synth.personal_data import personal_data, without_personal_data

from .scripted import ran, real_pairs, row_of, texts

REAL = "My name is Ana, write to ana@uni.edu. I think trade made the old town rich because ships came every week."
MADE = "I am called Bo. To me the railway made our village grow, since goods and people arrived far more often."
ROW = row_of("Explain why a town grew.", chosen=REAL, mark="B+")
OUTLINE = {"kind": "short essay", "structure": ["opening", "one claim"], "manner": "plain", "quality": "fair"}


class Apart:
    """The cosine of any two texts is that given."""

    def __init__(self, cosine: float = 0.5) -> None:
        self.cosine = cosine

    def encode(self, found: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0], [self.cosine, (1 - self.cosine**2) ** 0.5]], np.float32)


def script(*made: Any) -> list[Any]:
    return [("You describe a piece", json.dumps(OUTLINE)), ("You write a piece", list(made))]


def test_the_row_in_full() -> None:
    stage = Mimic(mark="mark")
    found, model = ran(stage, ROW, script(MADE), static=Apart())
    assert [texts(row) for row in found] == [
        {
            "chosen": MADE, "mimic_cosine": 0.5, "mimic_overlap": 0.0, "mimic_run": 1, "mimic_tries": 1,
            "mimic_length_ratio": pytest.approx(20 / 22), "personal_data_found": 1,
        }
    ]  # fmt: skip
    describing, writing = model.asked
    assert "write to [email]." in describing and "ana@uni.edu" not in describing and "# Mark it got\nB+" in describing
    assert "trade" not in writing and "- one claim" in writing and "about 22 words" in writing
    assert "Mark it should get: B+" in writing and stage.calls_a_row() == 4
    plain, model = ran(Mimic(), ROW, script(MADE), static=Apart())
    assert "Mark" not in "".join(model.asked) and found[0]["chosen"]["made_by"]["seed"] == 7


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (MADE + " Call 0171 555 0199.", "personal data in the record"),
        ("Trade made the old town rich because ships came every week, so it is said by all of us here.",
         "too long a run of the real record"),
        ("I think trade made the old village. Because ships came every day, it was rich, rich, rich, rich, rich.",
         "too many words of the real record"),
        ("Short.", "not of the real record's length"),
    ],
)  # fmt: skip
def test_leaks_and_other_lengths_are_written_anew(made: str, fault: str) -> None:
    stage = Mimic(tries=2, most_overlap=0.05)
    found, model = ran(stage, ROW, script(made, MADE), static=Apart())
    assert found[0]["mimic_tries"] == 2 and texts(found[0])["chosen"] == MADE and len(model.asked) == 3
    never, _ = ran(stage, ROW, script(made, made), static=Apart())
    assert isinstance(never, Drop) and never.reason == fault
    assert set(never.values or {}) == {"mimic_run", "mimic_overlap"}, "no word of the real record in the ledger"


def test_a_description_that_quotes_the_record_goes_nowhere() -> None:
    for part in ("Says that trade made the old town rich because ships came every week.", "Mail ana@uni.edu."):
        told = json.dumps(OUTLINE | {"structure": ["opening", part]})
        found, model = ran(Mimic(), ROW, [("You describe a piece", told)], static=Apart())
        assert found == Drop("the description gives the real record away") and len(model.asked) == 1


def test_the_tasks_own_words_are_no_leak() -> None:
    task = "Say which is larger, the sun seen from the earth or the moon seen from the earth at noon."
    real, made = (f"{task} It is the {body}, I believe, since I looked it up." for body in ("sun", "moon"))
    found, _ = ran(Mimic(tries=1, most_overlap=0.5), row_of(task, chosen=real), script(made), static=Apart())
    assert found[0]["mimic_run"] == 7 and found[0]["mimic_overlap"] == pytest.approx(3 / 7)


def test_a_record_of_the_same_meaning_is_too_near() -> None:
    found, _ = ran(Mimic(tries=1), ROW, script(MADE), static=Apart(0.99))
    assert isinstance(found, Drop) and found.reason == "too near the real record"


def test_a_real_record_elsewhere_does_not_stay() -> None:
    row = row_of("Explain why a town grew.", rejected=REAL)
    found, _ = ran(Mimic(text="rejected"), row, script(MADE), static=Apart())
    assert found[0]["rejected"] is None and texts(found[0])["chosen"] == MADE
    bad, _ = ran(Mimic(), ROW, [("You describe a piece", "An essay.")], static=Apart())
    assert isinstance(bad, Drop) and bad.reason == "outline: unparsable"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Mail a.b+c@mail.co.uk or @jo_doe.", ["email", "handle"]),
        ("Ring +49 171 5550 199 or (030) 5550-1234-56.", ["phone", "phone"]),
        ("Card 4111 1111 1111 1111, not 4111 1111 1111 1112.", ["card"]),
        ("IBAN DE89 3704 0044 0532 0130 00 and SSN 078-05-1120 at 192.168.0.1.",
         ["iban", "social security number", "ip address"]),
        ("In 1914-1918 about 1 000 000 men, 3.1415926535, 2024-05-01, v1.2.3, 10-20-30, e-mail me @ noon.", []),
    ],
)  # fmt: skip
def test_personal_data_by_its_form(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in personal_data(text)] == kinds
    assert personal_data(without_personal_data(text)) == [] or not kinds


def test_real_records_with_the_real_encoder(data: Path) -> None:
    for row in real_pairs(data, "dpo_demo_en.jsonl"):
        stage = Mimic(tries=1, length_ratio=1000)
        copied, _ = ran(stage, row, script(row["chosen"]["text"]), static=StaticText())
        assert isinstance(copied, Drop) and "real record" in copied.reason
        found, _ = ran(stage, row, script(MADE), static=StaticText())
        assert found[0]["mimic_cosine"] < 0.9 and found[0]["mimic_run"] < 5
