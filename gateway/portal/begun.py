"""Which files a session has begun to download, so that a download that broke off goes on without being counted again.

Of one process, in memory, and bounded: what is forgotten is counted once more, which is the safe side. Left out on
purpose: the counting itself, which is the store's.
"""

from collections import OrderedDict
from typing import Final

_SESSIONS: Final = 1000
_FILES: Final = 100
"""Of one session; a file more is seldom still on its way."""


class Begun:
    """The files used last of the sessions used last; no session can make another's be forgotten by what it fetches."""

    def __init__(self, sessions: int = _SESSIONS, files: int = _FILES) -> None:
        self._most = sessions, files
        self._sessions: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def has(self, session: str, key: str) -> bool:
        """Whether the file was counted in this session."""
        files = self._sessions.get(session)
        if files is None or key not in files:
            return False
        self._sessions.move_to_end(session)
        files.move_to_end(key)
        return True

    def add(self, session: str, key: str) -> None:
        """It was counted just now."""
        sessions, most = self._most
        files = self._sessions.setdefault(session, OrderedDict())
        files[key] = None
        files.move_to_end(key)
        self._sessions.move_to_end(session)
        if len(files) > most:
            files.popitem(last=False)
        if len(self._sessions) > sessions:
            self._sessions.popitem(last=False)
