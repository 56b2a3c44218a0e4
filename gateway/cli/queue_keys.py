"""`sealpost queue rotate-key`: a new key for mail that waits. Bodies are not sealed anew: they leave by themselves.

Left out on purpose: taking old keys out, which is done by hand when no mail of before waits any more.
"""

import typer

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.key_file import file_of, with_new_key, write_keys
from gateway.config.bundle import find_config, read_bundle
from gateway.sealed.keys import Keyring


def rotate_key(config: ConfigOption = None) -> None:
    """Make a new key for mail that waits.

    It stands in front of the others in the file of `[secrets] spool`, and seals from the next start of the gateway on.
    The others stay and open what they sealed: take them out when no mail of before waits any more.
    """
    source = file_of(read_bundle(find_config(config)), "spool")
    if source is None:
        raise Usage("`[secrets] spool` names no file: a key in a variable is changed where the variable is set")
    try:
        keyring = Keyring.parse(source.read_bytes())
    except OSError as error:
        raise Usage(f"cannot read {source}: {error.strerror}") from error
    except ValueError as error:
        raise Usage(f"{source}: {error}") from error
    write_keys(source, with_new_key(keyring))
    typer.echo(f"{source} has a new key in front. Restart the gateway to use it.")
