"""One small trained bundle of texts, and texts that it has never seen: what `tests/service/digits.py` is to images.

Questions made from a few words of each of six intents; two intents are held out. Trained by counting words, so
without any library more.
"""

import functools
import itertools
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.bundle import Bundle, read_bundle
from model.configs import starting_config
from model.export import run

OPENINGS = (
    "please",
    "could you",
    "i need to",
    "how do i",
    "tell me how to",
    "can i",
    "i would like to",
    "hi,",
)
INTENTS = {
    "card": (("block", "report", "replace", "cancel"), ("my card", "the lost card", "a stolen debit card")),
    "weather": (("know", "check", "see", "hear"), ("the weather", "the forecast", "if it rains tomorrow")),
    "music": (("play", "hear", "queue", "repeat"), ("some jazz", "that song", "my playlist")),
    "alarm": (("set", "stop", "snooze", "move"), ("an alarm", "the alarm for six", "my morning alarm")),
    "flight": (
        ("book", "find", "change", "compare"),
        ("a flight to rome", "plane tickets", "an early flight"),
    ),
    "recipe": (("cook", "bake", "make", "prepare"), ("lasagna", "an apple pie", "a vegan soup")),
}
UNSEEN = ("flight", "recipe")


def texts_of(intent: str) -> list[str]:
    """All 96 questions of an intent."""
    verbs, things = INTENTS[intent]
    return [
        f"{opening} {verb} {thing}" for opening, verb, thing in itertools.product(OPENINGS, verbs, things)
    ]


def write_file(path: Path) -> None:
    """Write them all as jsonl, with the columns question and intent."""
    rows = [{"question": text, "intent": intent} for intent in INTENTS for text in texts_of(intent)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fs-texts-", ignore_cleanup_errors=True)


@functools.cache
def bundle() -> Bundle:
    """Four intents known, ten passes."""
    folder = Path(_folder().name)
    write_file(folder / "questions.jsonl")
    config = starting_config(
        str(folder / "questions.jsonl"),
        None,
        {"text": "question", "label": "intent", "hold_out": UNSEEN, "epochs": 10, "threads": 1},
    )
    run(
        config,
        data_dir=None,
        out=folder / "bundle",
        created=datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC),
        progress=lambda *_: None,
    )
    return read_bundle(folder / "bundle")


def items(prefix: str, intent: str, n: int) -> list[dict[str, Any]]:
    """`n` questions of an intent under ids of their own."""
    found = itertools.islice(itertools.cycle(texts_of(intent)[::-1]), n)
    return [{"id": f"{prefix}-{intent}-{k}", "x": text} for k, text in enumerate(found)]
