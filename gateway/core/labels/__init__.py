"""Classification labels in a message: which sources of ours it carries and what level each names (mission R1).

`base` says what a source is; each other file reads one. Left out on purpose: labels inside signatures (RFC 2634) and
inside attached files.
"""

from gateway.core.labels.base import LabelSource, fold_value, read_labels
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.subject import SubjectSource

__all__ = ["HeaderSource", "LabelSource", "SubjectSource", "fold_value", "read_labels"]
