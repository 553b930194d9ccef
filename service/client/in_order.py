"""Answers in the order of their items, in whatever order they come: a refusal may overtake the verdicts before it."""

from service.client.answers import Answer


class InOrder:
    """Answers that have come and are not taken.

    Bounded by whoever adds: `unread` counts what was numbered and not taken.
    """

    def __init__(self) -> None:
        self._numbered = 0
        self._taken = 0
        self._come: dict[int, Answer] = {}

    def number(self) -> int:
        """The next number."""
        self._numbered += 1
        return self._numbered - 1

    def add(self, number: int, answer: Answer) -> None:
        """An answer has come."""
        self._come[number] = answer

    def take(self) -> list[Answer]:
        """The answers from the first that was not taken on, up to the first that has not come."""
        taken: list[Answer] = []
        while (answer := self._come.pop(self._taken, None)) is not None:
            self._taken += 1
            taken.append(answer)
        return taken

    @property
    def unread(self) -> int:
        """Numbers that were given and whose answer is not taken."""
        return self._numbered - self._taken
