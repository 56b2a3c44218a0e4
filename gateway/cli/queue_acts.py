"""`sealpost queue retry|hold|release|reroute|bounce|delete`: what an operator does to what waits."""

from typing import Annotated, Final

import typer

from gateway.app.messages import Delete, GiveBack, Hold, Release, Reroute, Retry
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.queue_choice import (
    AllOption,
    DomainOption,
    IdsArgument,
    OlderOption,
    RecipientsOption,
    RuleOption,
    SenderOption,
    choice,
)
from gateway.cli.queue_doing import Act, Doing, JsonOption, YesOption
from gateway.cli.who import operator
from gateway.core.record import State
from gateway.flow.release import read_note

ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the audit with your name.")
]
NoteOption = Annotated[
    str, typer.Option("--note", metavar="TEXT", help="What the sender is to do; it stands in the report.")
]
RouteOption = Annotated[str, typer.Option("--to", metavar="ROUTE", help="The route; `sealpost routes` lists them.")]

_ON_THE_WAY: Final = frozenset({State.QUEUED, State.OPEN})
_HELD: Final = frozenset({State.HELD})

_RETRY: Final = Act(verb="try now", done="will be tried now", states=_ON_THE_WAY)
_HOLD: Final = Act(verb="hold", done="held", states=_ON_THE_WAY)
_RELEASE: Final = Act(verb="release", done="released", states=_HELD, idle="is held")
_REROUTE: Final = Act(
    verb="reroute",
    done="rerouted",
    states=_HELD | {State.QUEUED},
    left="have that route already, need more protection than it gives, or are in hand at the moment",
)
_BOUNCE: Final = Act(verb="give back", done="given back", states=_ON_THE_WAY | _HELD, asks=True)
_DELETE: Final = Act(
    verb="delete for good",
    done="deleted",
    states=frozenset(state for state in State if state.waits),
    asks=True,
)


def register(queue: typer.Typer) -> None:
    """Adds the commands."""
    for command in (retry, hold, release, reroute, bounce, delete):
        queue.command()(command)


def retry(
    ids: IdsArgument = None,
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Try mail now that otherwise is tried at its time.

    Held mail stays held. No protection is lowered by it. Exits with 1 if nothing was changed.

    JSON: {"messages", "recipients", "left"}: what was changed, and the recipients that were meant and left alone.
    """
    meant = choice(ids, sender, recipient, domain, rule, older_than)
    doing = Doing(_RETRY, meant, every=every, yes=yes, as_json=as_json)
    doing.run(config, lambda picks: Retry(picks=picks, operator=operator()))


def hold(
    reason: ReasonOption,
    ids: IdsArgument = None,
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Stop mail that waits, until it is released.

    Nobody but an operator releases it. After `queue.hold_max` it goes back to its sender. What is being delivered
    at this moment is left alone. Exits with 1 if nothing was changed.

    JSON: {"messages", "recipients", "left"}: what was changed, and the recipients that were meant and left alone.
    """
    why = _said(reason)
    meant = choice(ids, sender, recipient, domain, rule, older_than)
    doing = Doing(_HOLD, meant, every=every, yes=yes, as_json=as_json)
    doing.run(config, lambda picks: Hold(picks=picks, reason=why, operator=operator()))


def release(
    reason: ReasonOption,
    ids: IdsArgument = None,
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Release held mail.

    It enters its route, never below the protection that was decided for it. Exits with 1 if nothing was held.

    JSON: {"messages", "recipients", "left"}: what was changed, and the recipients that were meant and left alone.
    """
    why = _said(reason)
    meant = choice(ids, sender, recipient, domain, rule, older_than)
    doing = Doing(_RELEASE, meant, every=every, yes=yes, as_json=as_json)
    doing.run(config, lambda picks: Release(picks=picks, role=None, reason=why, operator=operator()))


def reroute(
    route: RouteOption,
    reason: ReasonOption,
    ids: IdsArgument = None,
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send mail that waits by another route, and by no further one.

    A recipient that needs more protection than the route gives keeps its own. What is held stays held, and takes the
    route at its release. Exits with 1 if nothing was changed.

    JSON: {"messages", "recipients", "left"}: what was changed, and the recipients that were meant and left alone.
    """
    why = _said(reason)
    meant = choice(ids, sender, recipient, domain, rule, older_than)
    doing = Doing(_REROUTE, meant, every=every, yes=yes, as_json=as_json)
    doing.run(config, lambda picks: Reroute(picks=picks, route=route, reason=why, operator=operator()))


def bounce(
    note: NoteOption,
    ids: IdsArgument = None,
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Give mail that waits, or is held, back to its sender.

    The sender gets a report with your note; the audit keeps it with your name. Exits with 1 if nothing was changed.

    JSON: {"messages", "recipients", "left"}: what was changed, and the recipients that were meant and left alone.
    """
    text = _note(note)
    meant = choice(ids, sender, recipient, domain, rule, older_than)
    doing = Doing(_BOUNCE, meant, every=every, yes=yes, as_json=as_json)
    doing.run(config, lambda picks: GiveBack(picks=picks, role=None, note=text, operator=operator()))


def delete(
    reason: ReasonOption,
    ids: IdsArgument = None,
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Delete mail that waits.

    Nobody gets a report; the audit keeps who did it and why. What is being delivered at this moment is left
    alone. Exits with 1 if nothing was deleted.

    JSON: {"messages", "recipients", "left"}: what was changed, and the recipients that were meant and left alone.
    """
    why = _said(reason)
    meant = choice(ids, sender, recipient, domain, rule, older_than)
    doing = Doing(_DELETE, meant, every=every, yes=yes, as_json=as_json)
    doing.run(config, lambda picks: Delete(picks=picks, reason=why, operator=operator()))


def _said(reason: str) -> str:
    if not reason.strip():
        raise Usage("a reason is needed that is not empty")
    return reason.strip()


def _note(text: str) -> str:
    try:
        return read_note(text)
    except ValueError as error:
        raise Usage(str(error)) from error
