"""A server's connection: its bytes, its timer and its end; `smtp_conversation` and `smtp_session` have the commands.

A client that half-closes is still answered, one that leaves does not cancel a commit, and one that is too slow is told
so. Lines end with CRLF and nothing else. Decision 015 tells why this is no subclass of aiosmtpd's.
"""

import asyncio
import ssl
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final

from gateway.core.reply import Reply
from gateway.listeners import smtp_replies as replies

# A block of content; the reader pauses the transport at four times this.
BLOCK: Final = 128 * 1024
# RFC 5321 section 4.5.3.1.4 gives 512 bytes; RFC 3461, 6152, 6531 and 1870 add up to about 1,300.
MAX_LINE: Final = 2048
# Replies to pipelined commands leave together (RFC 2920 section 3.2), but no later than when this many bytes wait.
_MAX_WAITING: Final = 8 * 1024
_HANDSHAKE_LIMIT: Final = 60.0
# A message may take so many timeouts, however little of it comes each time: half an hour, where one is five minutes.
_WAITS: Final = 6
# Bytes of content that earn another second: Postfix's smtpd_min_data_rate.
_LEAST_RATE: Final = 500


class Gone(Exception):
    """The peer has closed the connection, or it broke."""


class _Input(asyncio.StreamReader):
    """A stream reader that shows whether bytes wait, takes bytes back, and follows its connection into TLS."""

    _buffer: bytearray
    _transport: asyncio.BaseTransport | None

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    @property
    def has_line(self) -> bool:
        return b"\n" in self._buffer

    def put_back(self, data: bytes) -> None:
        self._buffer[:0] = data

    def follow(self, transport: asyncio.BaseTransport) -> None:
        """Makes the new transport the one that is paused when the buffer is full."""
        self._transport = transport


class Shell(asyncio.StreamReaderProtocol, ABC):
    """One connection. A subclass says what to do in `converse` and what to tidy up in `closed`.

    A conversation ends by itself, by the peer leaving (`Gone` out of every wait), or by `end`.
    """

    transport: asyncio.BaseTransport | None = None
    """None before the connection stands, and when it is gone."""
    _writer: asyncio.StreamWriter
    _over_ssl: bool

    def __init__(self, *, timeout: timedelta, loop: asyncio.AbstractEventLoop) -> None:
        self._input = _Input(limit=2 * BLOCK, loop=loop)
        super().__init__(self._input, self._connected, loop)
        self.loop: Final = loop
        self._timeout_handle: asyncio.TimerHandle | None = None
        self._wait_limit: Final = timeout.total_seconds()
        self._deadline = 0.0
        self._message_deadline = 0.0
        self._waiting = bytearray()
        self._conversation: asyncio.Task[None] | None = None
        self._untouchable = False
        self._over = False
        self.farewell: Reply | None = None

    # What a subclass gives.

    @abstractmethod
    def welcome(self) -> asyncio.TaskGroup | None:
        """Called when the connection stands: the owner of its conversation, or None after `say`ing why not."""

    @abstractmethod
    async def converse(self) -> None:
        """The conversation; returns when it is over or `farewell` is set."""

    @abstractmethod
    def forget(self) -> None:
        """Called once, when the conversation is over: what it had begun will not be finished."""

    @abstractmethod
    def closed(self) -> None:
        """Called once, when the conversation is over and the connection gone too, if it was welcome."""

    @abstractmethod
    def broken(self, error: Exception) -> None:
        """Called for a fault of ours that nothing else has caught."""

    # The connection's life, called by the event loop.

    def _connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the conversation, or turns the peer away."""
        super().connection_made(transport)
        self.transport = transport
        owner = self.welcome()
        if owner is None:
            self._close()
            return
        self._reset_timeout()
        self.next_message()
        self._timeout_handle = self.loop.call_later(self._wait_limit, self._timeout_cb)
        self._conversation = owner.create_task(self._handle_client())
        self._conversation.add_done_callback(self._conversation_over)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wakes the conversation, which finds that the peer is gone; it is not cancelled, so a commit goes on."""
        super().connection_lost(exc)
        self.transport = None
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        if self._over:
            self.closed()

    async def _handle_client(self) -> None:
        try:
            await self.converse()
        except (Gone, asyncio.CancelledError):
            # Cancelled by `end`, which has set the farewell; the task is over in any case.
            pass
        except Exception as error:
            self.broken(error)
            self.farewell = replies.BROKEN

    def _conversation_over(self, _: asyncio.Task[None]) -> None:
        """Runs even if the task was cancelled before its first step, when no ``finally`` of it would."""
        self._over = True
        self.forget()
        self._close()
        if self.transport is None:
            self.closed()

    def _close(self) -> None:
        """Sends what waits and the farewell, and closes; the timer cuts off a peer that does not take them."""
        if self.farewell is not None:
            self.say(self.farewell)
        if not self._writer.is_closing():
            self._writer.write(bytes(self._waiting))
        self._writer.close()

    def end(self, farewell: Reply) -> None:
        """Ends the conversation with this last reply; a commit in progress ends and is answered first."""
        self.farewell = self.farewell or farewell
        if self._conversation is not None and not self._untouchable:
            self._conversation.cancel()

    def cut(self) -> None:
        """Closes at once; what the peer has not taken yet it never will."""
        self._writer.transport.abort()

    def hold_off(self, untouchable: bool) -> None:
        """While set, neither time nor `end` interrupts the conversation. Set it only around a commit."""
        self._untouchable = untouchable
        self._reset_timeout()

    @property
    def untouchable(self) -> bool:
        """Whether a commit is in progress."""
        return self._untouchable

    # The timer: one handle per connection that looks at a deadline, because re-arming one per command is dear.

    def _reset_timeout(self) -> None:
        self._deadline = self.loop.time() + self._wait_limit

    def next_message(self) -> None:
        """The time for a message begins anew: commands or content that come drop by drop would never end otherwise."""
        self._message_deadline = self.loop.time() + _WAITS * self._wait_limit

    def earn(self, content: int) -> None:
        """So many bytes of content have come that are wanted: large messages and slow lines take their time."""
        self._message_deadline += content / _LEAST_RATE

    def _timeout_cb(self) -> None:
        deadline = min(self._deadline, self._message_deadline)
        left = self._wait_limit if self._untouchable else deadline - self.loop.time()
        if left <= 0:
            self._time_is_up()
            left = self._wait_limit
        self._timeout_handle = self.loop.call_later(left, self._timeout_cb)

    def _time_is_up(self) -> None:
        if self._over:
            self.cut()
        else:
            self.end(replies.TIMED_OUT)

    # Bytes out.

    def say(self, answer: Reply, *, utf8: bool = False) -> None:
        """Queues a reply; it leaves before the next wait for the peer."""
        self._waiting += replies.encode(answer, utf8=utf8)

    async def flush(self) -> None:
        """Sends what waits. Raises Gone."""
        if not self._waiting:
            return
        try:
            self._writer.write(bytes(self._waiting))
            self._waiting.clear()
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    # Bytes in.

    async def read_line(self) -> bytes | Reply:
        """The next command without its CRLF, or the reply to a line that is none. Raises Gone."""
        self._reset_timeout()
        if len(self._waiting) > _MAX_WAITING:
            # A peer that pipelines for long must not keep the loop to itself.
            await asyncio.sleep(0)
            await self.flush()
        elif not self._input.has_line:
            await self.flush()
        try:
            line = await self._input.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            return await self._skip_line()
        except (OSError, EOFError) as error:
            raise Gone from error
        if len(line) > MAX_LINE:
            return replies.LINE_TOO_LONG
        return line[:-2] if line.find(b"\r") == len(line) - 2 else replies.BARE_LINE_END_IN_COMMAND

    async def _skip_line(self) -> Reply:
        """Drops a line that is longer than the reader's limit; the time for one command bounds it."""
        while True:
            try:
                await self._input.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self._input.read(error.consumed)
            except (OSError, EOFError) as error:
                raise Gone from error
            else:
                return replies.LINE_TOO_LONG

    async def read_block(self, at_most: int = BLOCK) -> bytes:
        """The next bytes of content, one at least. Raises Gone."""
        if self._input.is_empty:
            await self.flush()
        self._reset_timeout()
        try:
            block = await self._input.read(min(at_most, BLOCK))
        except OSError as error:
            raise Gone from error
        if not block:
            raise Gone
        return block

    def unread(self, rest: bytes) -> None:
        """Puts back what stood behind the content."""
        self._input.put_back(rest)

    # TLS.

    @property
    def has_input(self) -> bool:
        """Whether bytes wait that nobody has read."""
        return not self._input.is_empty

    async def start_tls(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """Sends what waits, then shakes hands. Nothing may wait to be read (RFC 3207 section 6: injection).

        From the caller's check to the change of protocol nothing yields, so no clear byte slips in between.

        Raises:
            Gone: the handshake failed; the cause says why.
        """
        if self._writer.is_closing():
            raise Gone
        self._writer.write(bytes(self._waiting))
        self._waiting.clear()
        try:
            transport = await self.loop.start_tls(
                self._writer.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=min(self._wait_limit, _HANDSHAKE_LIMIT),
            )
        except OSError as error:
            raise Gone from error
        assert transport is not None
        self.transport = transport
        self._input.follow(transport)
        self._writer = asyncio.StreamWriter(transport, self, self._input, self.loop)
        self._over_ssl = True
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        return tls
