"""What clients were told, and whether they may have been: each id answered once, the same on being asked again."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from service.client import Answer, Refusal

MOST_WRONG = 50
MOST_SAMPLED = 60
"""Every hundredth id of late, hence some 6,000 items back: well within the horizon that ids are remembered for."""


_ELSEWHERE = ("watchers", "visitors")
"""Clients that send nothing, or to other streams."""


class Book:
    """Counts of one soak; keeps no id but those of a sample."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()  # verdicts by client
        self.provoked: Counter[str] = Counter()  # refusals that were asked for, by their kind
        self.wrong: list[str] = []
        self.asked = 0  # what would be said; not counted by the service
        self.is_over = False
        self.sample: dict[str, tuple[Any, Answer]] = {}  # id -> x and what was said, the latest so many

    def answered(self, client: str, items: Sequence[dict[str, Any]], answers: Sequence[Answer]) -> None:
        """Items that were sent for the first time have these answers."""
        if [item["id"] for item in items] != [answer.id for answer in answers]:
            self.note_wrong(f"{client}: not the answers of what was sent: {answers[:3]}")
        for item, answer in zip(items, answers, strict=False):
            if isinstance(answer, Refusal):
                self.note_wrong(f"{client}: a good item was refused: {answer}")
                continue
            self.answers[client] += 1
            if self.answers[client] % 101 == 0:
                self.sample[str(answer.id)] = (item["x"], answer)
                if len(self.sample) > MOST_SAMPLED:
                    del self.sample[next(iter(self.sample))]

    @property
    def items(self) -> int:
        """Ids that have a verdict in the default stream."""
        return sum(n for client, n in self.answers.items() if not client.startswith(_ELSEWHERE))

    def again(self, client: str, id: str, answer: Answer) -> None:
        """One of the sample was sent again."""
        before = self.sample[id][1]
        if before != answer:
            self.note_wrong(f"{client}: the answer changed: {before} became {answer}")

    def note_wrong(self, what: str) -> None:
        """Something that no client should see."""
        if len(self.wrong) < MOST_WRONG:
            self.wrong.append(what[:500])
