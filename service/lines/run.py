"""A run: records to the client, answers to the output, and how far that came to the checkpoint.

The checkpoint is written before the first item is sent, so that ids drawn for a pipe are known whatever happens; then
once a second, and at the end, however the end comes but by kill -9.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from service.client import Answer, Client, Item, Refusal, Refused
from service.lines.checkpoint import Checkpoint, write_checkpoint
from service.lines.plan import Plan
from service.lines.progress import Show
from service.lines.sources import Place, Record, records
from service.lines.tally import Tally

CHECKPOINT_EVERY_S = 1.0


def run(
    client: Client,
    plan: Plan,
    *,
    show: Show,
    now: Callable[[], float],
    learn: bool,
    explain: bool,
    batch: int,
) -> Tally:
    """Classify all that the plan has.

    Raises:
        GaveUp: The service was away for too long; the checkpoint has what was written.
        Refused: It takes no items from here.
        ClientError: An input is not what it was.
    """
    sent: deque[Record] = deque()  # read and not written; bounded by what the client lets be on the way

    def items() -> Iterator[Item | Refusal]:
        for record in records(plan.inputs, plan.columns, plan.before.place):
            sent.append(record)
            yield record.item

    tally = Tally(plan.before.counts, _clusters(client))
    keeper = _Keeper(plan, now)
    keeper.keep(plan.before.place, tally)
    try:
        for answers in client.stream_batches(items(), learn=learn, explain=explain, batch=batch):
            done = [sent.popleft() for _ in answers]
            plan.output.write(_lines(answers, done, plan, tally))
            keeper.written(done[-1].after, tally)
            show(done[-1].after, tally)
    finally:
        keeper.close(tally)
    return tally


def _clusters(client: Client) -> list[int]:
    """Clusters that there are already; a key that may send and not read sees none."""
    try:
        return [cluster.id for cluster in client.clusters().clusters]
    except Refused:
        return []


def _lines(answers: Sequence[Answer], done: Sequence[Record], plan: Plan, tally: Tally) -> bytes:
    """A line each, in order: the verdict, or the problem and where the line is."""
    lines = bytearray()
    for answer, record in zip(answers, done, strict=True):
        name = plan.inputs[record.after.file].name
        is_one_of_many = len(plan.inputs) > 1
        tally.add(answer, f"{name}, line {record.line}" if is_one_of_many else f"line {record.line}")
        said = msgspec.to_builtins(answer)
        if isinstance(answer, Refusal):
            place = {"file": name, "line": record.line} if is_one_of_many else {"line": record.line}
            said = {"id": answer.id, **place, "problem": said["problem"]}
        elif answer.explanation is None:
            del said["explanation"]
        lines += msgspec.json.encode(said) + b"\n"
    return bytes(lines)


class _Keeper:
    """Writes the checkpoint, if one is asked for."""

    def __init__(self, plan: Plan, now: Callable[[], float]) -> None:
        self._plan = plan
        self._now = now
        self._kept_at = 0.0
        self._place = plan.before.place
        self._is_kept = True

    def written(self, place: Place, tally: Tally) -> None:
        """The output has all up to this place."""
        self._place, self._is_kept = place, False
        if self._now() - self._kept_at > CHECKPOINT_EVERY_S:
            self.keep(place, tally)

    def keep(self, place: Place, tally: Tally) -> None:
        """Write it now."""
        if self._plan.checkpoint is None:
            return
        output = self._plan.output
        output.sync()
        size = output.size
        checkpoint = Checkpoint(
            run=self._plan.before.run,
            fingerprints=self._plan.before.fingerprints,
            place=place,
            output=size,
            tail=output.tail(size),
            counts=tally.counts,
            stream=self._plan.before.stream,
        )
        write_checkpoint(self._plan.checkpoint, checkpoint)
        self._kept_at, self._is_kept = self._now(), True

    def close(self, tally: Tally) -> None:
        """The last one, unless it is written."""
        if not self._is_kept:
            self.keep(self._place, tally)
