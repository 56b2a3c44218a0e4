"""The name of a common transfer file, by which schools pass a pupil's record on (DfE CTF guide, file naming).

``<school>_CTF_<school>_<number>.xml``: a school is its local authority's three digits and four of digits, L, X and M.
"""

import re
from typing import Final

_SCHOOL: Final = r"[0-9]{3}[0-9LXM]{4}"
_NAME = re.compile(rf"{_SCHOOL}_CTF_{_SCHOOL}_[0-9]{{3}}\.xml", re.IGNORECASE)


def is_ctf(name: str) -> bool:
    """Whether a file's name, without folders, is one of a common transfer file; case tells nothing."""
    return _NAME.fullmatch(name) is not None
