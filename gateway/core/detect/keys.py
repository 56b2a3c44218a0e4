"""The ids of detectors: the question and all of its words, the same in every run and short enough to be stored."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

_LONGEST: Final = 80


def key(family: str, words: Mapping[str, Sequence[str]]) -> str:
    """The family and its words in full, or their SHA-256 where they are many; other words give another key."""
    text = json.dumps(words, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if len(family) + len(text) > _LONGEST:
        text = f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    return f"{family} {text}"
