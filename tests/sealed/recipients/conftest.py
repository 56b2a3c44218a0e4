"""Names a peer that only the tests here need."""

import shutil

from tests.conftest import PEERS

PEERS["slapd"] = lambda: shutil.which("slapd", path="/usr/sbin:/usr/bin:/usr/lib/openldap") is not None
