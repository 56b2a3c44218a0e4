"""The process that encrypts one message: ``python -m gateway.sealed.pgp.process [SIGN_KEY]``, for `pgp.mime` alone.

It is given the recipient's key with its length before it, then the entity up to the end, and gives the armoured
message. Sequoia reads and writes a block at a time, so that memory does not grow. Left out on purpose: judging the key.
"""

import os
import sys

from pysequoia import Cert, Tsk, encrypt_file

from gateway.sealed.pgp.mime import LENGTH_BYTES


def main() -> None:
    """Raises what Sequoia does, which nobody reads: the exit code counts."""
    recipient = Cert.from_bytes(_exactly(int.from_bytes(_exactly(LENGTH_BYTES))))
    signer = Tsk.from_file(sys.argv[1]).signer() if len(sys.argv) > 1 else None
    encrypt_file("/dev/stdin", "/dev/stdout", recipients=[recipient], signer=signer)


def _exactly(count: int) -> bytes:
    """Not a byte more, because Sequoia reads the rest."""
    data = b""
    while len(data) < count:
        block = os.read(0, count - len(data))
        if not block:
            raise EOFError("the input is cut off")
        data += block
    return data


if __name__ == "__main__":
    main()
