"""The self-test: its stages, played at the same time, and one verdict for each fault.

It listens on loopback only, and writes nothing outside the folder that it is given.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.config.bundle import Bundle
from gateway.config.load import Loaded
from gateway.core.tls import Protection
from gateway.selftest.connectors import IMPOSTOR, STRIPPED
from gateway.selftest.engine import Engine
from gateway.selftest.fault import CONTROLS, NO_TLS, SELF_SIGNED, TRAPS, Trap, impostors
from gateway.selftest.result import Became, Line, SelfTest, Verdict
from gateway.selftest.stage import Played, Stage, play

_MAIN: Final = "hosts"
_GOOD: Final = CONTROLS[0]
_FEW: Final = (NO_TLS, SELF_SIGNED)


def _no_state(engine: Engine) -> None:
    engine.state.answers = False


def _no_commits(engine: Engine) -> None:
    engine.spool.takes = False


def _no_settlements(engine: Engine) -> None:
    engine.spool.settles = False


_OF_OURS: Final[Mapping[str, tuple[str, Stage]]] = {
    "smarthost-impostor": (
        "smarthosts with a certificate signed by themselves",
        Stage(traps=(_GOOD, NO_TLS), smarthosts=IMPOSTOR),
    ),
    "smarthost-stripped": ("smarthosts that offer no STARTTLS", Stage(traps=(_GOOD, NO_TLS), smarthosts=STRIPPED)),
    "state-gone": ("our shared state is gone", Stage(traps=(_GOOD, *_FEW), sever=_no_state)),
    "spool-takes-nothing": ("our spool cannot be written at acceptance", Stage(traps=_FEW, sever=_no_commits)),
    "spool-settles-nothing": (
        "our spool cannot record outcomes",
        # Nothing comes to an end there, and every first attempt is over soon.
        Stage(traps=(_GOOD, *_FEW), sever=_no_settlements, within=timedelta(seconds=6)),
    ),
}
"""Faults that are not those of a recipient's host."""


async def run_selftest(loaded: Loaded, bundle: Bundle, folder: Path, tell: Callable[[str], None]) -> SelfTest:
    """Runs all stages; ``tell`` hears how it goes.

    Raises:
        ValueError: certificates of the configuration cannot be used.
        SpoolError, OSError, PortTaken: the folder or loopback cannot be used.
        NotReady: the world that was made does not work.
        All of them in an ExceptionGroup.
    """
    dane = loaded.settings.dns.trust_ad
    traps = (*CONTROLS, *TRAPS, *impostors(loaded.settings.pins))
    played_at = tuple(trap for trap in traps if dane or not trap.needs_dane)
    stages = {_MAIN: Stage(traps=played_at), **{key: stage for key, (_, stage) in _OF_OURS.items()}}

    async def staged(key: str, stage: Stage) -> Played:
        own = folder / key
        await asyncio.to_thread(own.mkdir, mode=0o700)
        played = await play(stage, loaded, bundle, own)
        tell(f"{key}: {len(played.sent)} messages")
        return played

    async with asyncio.TaskGroup() as tasks:
        playing = {key: tasks.create_task(staged(key, stage)) for key, stage in stages.items()}
    return _judged(traps, {key: task.result() for key, task in playing.items()})


def _judged(traps: Sequence[Trap], played: Mapping[str, Played]) -> SelfTest:
    main = played[_MAIN]
    ours = [_our_line(key, done, played[key]) for key, (done, _) in _OF_OURS.items()]
    return SelfTest(
        lines=(*(_line(trap, main) for trap in traps), *ours),
        unprotected=sum(each.unprotected for each in played.values()),
        doubts=(*_doubts(main), *(gap for each in played.values() for gap in each.proof.gaps), *_lost(played)),
    )


def _line(trap: Trap, main: Played) -> Line:
    sent = main.to(trap)
    markers = {each.marker for each in main.sent if each.trap == trap}
    violations = tuple(each for each in main.proof.violations if each.sent.marker in markers)
    verdict = Verdict.LEFT if violations else _verdict(trap, main)
    return Line(
        key=trap.key,
        done=trap.done,
        pushed=len(sent),
        became=main.counts(sent),
        verdict=verdict,
        violations=violations,
    )


def _verdict(trap: Trap, main: Played) -> Verdict:
    sent = [each for each in main.sent if each.trap == trap]
    if not sent:
        return Verdict.OFF if trap.needs_dane else Verdict.EMPTY
    if not trap.control:
        return Verdict.SAFE
    arrived = any(each.marker in main.proof.arrived for each in sent)
    return Verdict.CONTROL if arrived else Verdict.MISSED


def _our_line(key: str, done: str, played: Played) -> Line:
    sent = tuple(each for each in played.sent if each.floor > Protection.NONE)
    violations = played.proof.violations
    verdict = Verdict.LEFT if violations else Verdict.SAFE if sent else Verdict.EMPTY
    return Line(
        key=key, done=done, pushed=len(sent), became=played.counts(sent), verdict=verdict, violations=violations
    )


def _doubts(main: Played) -> Iterator[str]:
    """Why what did not arrive proves nothing: nothing could have arrived, or nothing needed protection."""
    controls = [each for each in main.sent if each.trap.control]
    if not any(each.floor > Protection.NONE for each in main.sent):
        yield "the policy demands protection for no message"
    for level in dict.fromkeys(each.kind.level for each in controls if not each.refused):
        of_level = [each for each in controls if each.kind.level == level]
        for protected in (False, True):
            some = [each for each in of_level if (each.floor > Protection.NONE) is protected and not each.refused]
            if some and not any(each.marker in main.proof.arrived for each in some):
                kind = "protected" if protected else "unprotected"
                yield f"no {kind} {level} message arrived even at a host in good order"
    for trap in CONTROLS:
        if any(each.trap == trap for each in controls) and _verdict(trap, main) is Verdict.MISSED:
            yield f"nothing arrived at {trap.host}, to which nothing was done"


def _lost(played: Mapping[str, Played]) -> Iterator[str]:
    for key, each in played.items():
        lost = sum(became is Became.LOST for became in each.became.values())
        if lost:
            yield f"{lost} messages were taken and are neither waiting nor ended ({key})"
