"""What each key of a policy file is for, in a sentence, by the table that has it (for `gateway.config.schema`).

The conditions of ``when`` say theirs in `gateway.config.condition_schema`.
"""

from collections.abc import Mapping
from typing import Final

_VALUES: Final = "What stands there, and the level that it names."
_REMOVE: Final = "Whether it is taken out of the subject on the way."

POLICY_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "PolicyTable": {
        "choose": "Which of the matching rules decides: the first, or the one that protects most.",
        "organisation": "Who we are.",
        "classification": "The levels, what each demands, and what unlabelled mail counts as.",
        "labels": "Where a level is written; every source is read, and the highest level wins.",
        "intent": "How the buttons reach us.",
        "disclosure": "How a disclosure's reference reaches us.",
        "receipts": "Where receipts come to.",
        "groups": "Addresses and domains under a name; a rule says group:<name>.",
        "registers": "Lists beside the policy, each in a file.",
        "roles": "Mailboxes of people with a task, by the role's name; rules name the role.",
        "rules": "What is done with mail, for each recipient; see `choose`.",
        "modes": "What is not enforced yet, and until when.",
    },
    "OrganisationTable": {
        "name": "As people know it.",
        "domains": "The domains that are inside, each by its name; a subdomain counts only if it is named.",
        "contact": "Whom senders can call, as it stands in every report.",
        "postmaster": "The mailbox of the operators.",
    },
    "ClassificationTable": {
        "levels": "From the lowest to the highest.",
        "default": "The level of mail without a label, where nothing else says one.",
        "floor": "The least protection of each level; no route, retry or release goes below it.",
        "defaults": "The level of unlabelled mail from somewhere; the first that fits holds.",
    },
    "DefaultTable": {
        "level": "The level.",
        "listener": "It came in by this listener.",
        "network": "The client's address is in this network.",
        "sender": "Who sent it: group:<name>, an address, a domain, or *.domain.",
    },
    "IntentTable": {
        "header": "The field in which the buttons say secure or encrypted.",
        "marks": "Marks in the subject that do what a button does.",
        "remove": "Whether the marks are taken out of the subject on the way.",
    },
    "DisclosureTable": {"mark": "The word in front of the reference, as in [ref: ABC/123]; the mark never leaves."},
    "ReceiptsTable": {
        "domain": "A domain whose mail is led here, so that receipts are known and missing ones noticed."
    },
    "GroupTable": {
        "title": 'What people call its members, such as "criminal justice addresses"; reasons and pages say that.',
        "addresses": "Single addresses.",
        "domains": "Domains; *.domain is everything below one and not the domain itself.",
        "file": "A file with more members (.txt, .csv or .toml), beside the policy.",
    },
    "RegistersTable": {
        "partners": "The file of organisations that we share with, and their agreements.",
        "mailboxes": "The file of shared mailboxes and lists, and for which levels their readers are cleared.",
        "schools": "The file of schools, with their type and whether they have logons.",
        "schools_under": "Domains of schools: an address there that the register lacks is at an unknown school.",
        "systems": "The file of machines that send mail, with the level of each.",
        "exceptions": "The file of exceptions for larger messages, none of them open-ended.",
        "transfers": "The file of certain files to certain recipients; a rule with `table` stands for its lines.",
    },
    "RuleTable": {
        "name": "Its name in every report, log line and metric.",
        "when": "When it applies; without it always, as for the last rule.",
        "route": "Sends it by these routes in order.",
        "reject": "Gives it back to the sender with `advice`.",
        "hold": "Waits for a person; what the rules behind would reject is rejected at once.",
        "table": "Stands for the lines of the register of transfers, each a rule.",
        "advice": "What the sender does if it comes back or waits.",
        "below_floor": "The reason why its routes may give less than the floor; audited.",
        "ignores_buttons": "The buttons raise nothing here.",
        "release_by": "The role whose people release what is held.",
        "override": "What it gives back can be sent all the same, with the one-time token of the report and a reason.",
        "warn": "What the sender is told while the message goes on.",
        "notify": "Roles that are told: the first time at once, the rest in a digest, never content.",
        "copy_to": "One more recipient inside, for the record.",
        "raise": "The least level for all rules behind it.",
        "add_header": "Fields that are set on the way to this recipient.",
        "remove_header": "Fields that are removed on the way to this recipient.",
        "tag_subject": "A word in front of the subject on the way to this recipient.",
        "receipt": "Asks the recipient for a receipt.",
        "remind_after": "So long after the delivery the sender is told, once, who has not confirmed.",
    },
    "ModeTable": {
        "mode": "observe only records what would be done; soft turns refusals into waiting.",
        "until": "The last day, or the time, of it.",
        "rule": "The rule that it is about; without it every rule.",
        "sender": "The senders that it is about; without it everybody.",
        "baseline": "The route by which mail leaves while it is only observed.",
        "reason": "Why.",
        "reference": "The change or ticket that it belongs to.",
    },
    "HeaderLabelTable": {"name": "The field's name.", "values": f'{_VALUES} "no label" is one that names none.'},
    "SubjectLabelTable": {"marks": "Marks in the subject, and the level of each.", "remove": _REMOVE},
    "MsipLabelTable": {
        "site": "Our tenant's GUID; other tenants' labels say nothing.",
        "labels": "The GUID of each label, and its level.",
    },
    "ProtectiveMarkingTable": {
        "namespace": "Our namespace; other markings say nothing.",
        "values": _VALUES,
        "remove": _REMOVE,
    },
    "ExchangeLabelTable": {
        "ids": "The GUID of each classification, and its level.",
        "names": "The name of each classification, and its level.",
    },
    "BoldonJamesTable": {
        "header": "The field that holds the label.",
        "policy": "The id of our labelling policy; without it every one's labels count.",
        "values": "The uid of each element, and its level.",
    },
    "TitusTable": {
        "header": "The field that holds the label.",
        "property": "The property that names the level.",
        "values": _VALUES,
    },
}
