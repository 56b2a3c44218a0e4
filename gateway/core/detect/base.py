"""What a detector is: a question about the message's content that is answered yes or no, once for all recipients."""

from abc import ABC, abstractmethod
from typing import Final

from gateway.core.facts import Scan

DEFAULT_TEXT: Final = 64 * 1024
"""Bytes of decoded text, over all text parts of a message, that a detector reads unless its policy says otherwise."""


class Detector(ABC):
    """A small frozen object. It never raises and repeats no content."""

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> str:
        """Names exactly this question, its parameters included: the key in ``Facts.looked`` and ``Facts.found``."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What it means that it was found, as part of a sentence: ``the subject holds an NHS number``."""

    @abstractmethod
    def detect(self, scan: Scan) -> bool:
        """Whether it is there."""

    @property
    def text_bytes(self) -> int:
        """How many bytes of decoded text it wants the scan to keep; 0 for none."""
        return 0
