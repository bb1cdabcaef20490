"""What a program owes to the one who started it: end when asked to, and mind where its three streams lead."""

import codecs
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator

STOPPING = ("SIGTERM", "SIGHUP")
"""Signals that ask a process to end, besides Ctrl-C: of a scheduler or of `kill`, of a terminal that was closed."""


class Stopped(KeyboardInterrupt):
    """A signal has asked this process to end. What handles Ctrl-C handles this, too."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` in the block at the first of the signals, so that drafts are removed on the way out.

    By default they would end the process on the spot. Whoever ignores a signal, as `nohup` does, goes on ignoring it.
    """

    def stop(number, _):
        for name in before:
            signal.signal(name, signal.SIG_IGN)  # one is enough: the next must not disturb the tidying
        raise Stopped(number)

    numbers = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.SIG_DFL for number in numbers if signal.getsignal(number) == signal.SIG_DFL}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def read_as_utf8() -> None:
    """Begin this process anew in UTF-8 where the locale knows ASCII alone: no file with an accent could be named."""
    if codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def open_streams() -> None:
    """Have all three standard streams: a file would take the place of one that was closed, and what is printed.

    A name may have characters that an output stream can't hold: they are escaped.
    """
    with contextlib.suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    # They last as long as the process does.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def drop_what_cannot_be_written() -> None:
    """Forget what the two output streams hold and can't get rid of: Python would complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
