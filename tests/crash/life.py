"""The life of one process from its orders to its end, as the one who outlives it heard it."""

from dataclasses import dataclass
from multiprocessing.context import ForkServerContext

from tests.crash.pipeline import ACKNOWLEDGED, Orders, live
from tests.crash.steps import BLOCKED, COMMITTED, DOT_SENT, STEP

SILENCE = 40
"""Seconds without a word after which a process is given up."""


@dataclass(frozen=True, slots=True)
class Life:
    """What one process said."""

    words: tuple[str, ...]

    @property
    def steps(self) -> list[str]:
        return [word.removeprefix(STEP) for word in self.words if word.startswith(STEP)]

    @property
    def acknowledged(self) -> set[str]:
        return {word.split()[1] for word in self.words if word.startswith(ACKNOWLEDGED)}

    def in_flight(self, at: str) -> bool:
        """Whether a next hop may have had the message at that step while its taking was not durable."""
        steps = self.steps
        so_far = steps[: steps.index(at) + 1] if at in steps else []
        tidings = [step for step in so_far if step.startswith((DOT_SENT, COMMITTED))]
        return bool(tidings) and tidings[-1].startswith(DOT_SENT)


def lived(processes: ForkServerContext, orders: Orders) -> Life:
    """Waits for the end of a process; one that blocks is killed."""
    listening, telling = processes.Pipe(duplex=False)
    process = processes.Process(target=live, args=(orders, telling))
    process.start()
    telling.close()
    words: list[str] = []
    try:
        while listening.poll(SILENCE):
            words.append(listening.recv_bytes().decode())
            if words[-1] == BLOCKED:
                process.kill()
        raise AssertionError(f"it says nothing more after {words}")
    except EOFError:
        return Life(tuple(words))
    finally:
        process.kill()
        process.join()
        process.close()
        listening.close()
