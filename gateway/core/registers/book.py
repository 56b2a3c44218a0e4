"""All registers of a policy."""

from dataclasses import dataclass, field

from gateway.core.registers.directory import Directory
from gateway.core.registers.exceptions import Waiver
from gateway.core.registers.mailboxes import Mailbox
from gateway.core.registers.partners import Partner
from gateway.core.registers.schools import School
from gateway.core.registers.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """Each is empty where the policy names no file for it. ``systems`` and ``waivers`` are asked in their order."""

    partners: Directory[Partner] = field(default_factory=lambda: Directory())
    mailboxes: Directory[Mailbox] = field(default_factory=lambda: Directory())
    schools: Directory[School] = field(default_factory=lambda: Directory())
    systems: tuple[System, ...] = ()
    waivers: tuple[Waiver, ...] = ()
