"""Where an app is served: a port and an address of this machine; and a start that no setting of others disturbs."""

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterator

from skinlib.base.errors import InputError

PORTS = range(7860, 7960)
"""Of these the first free one is taken where nobody names a port."""
OWN = ("GRADIO_ANALYTICS_ENABLED", "GRADIO_ANALYTICS_MAX_EVENTS", "GRADIO_ROOT_PATH", "GRADIO_TEMP_DIR")
"""Of Gradio's own settings those that reach it. Others could open more doors, and end in a traceback where they are no
numbers."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Import Gradio, or start it, within this: what it makes of the environment can't stop it.

    It asks itself over HTTP whether it has come up, which no proxy has to know, and which needs no certificates. All
    variables are as before when the block ends.
    """
    hidden = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_") and name not in OWN}
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy")
    hidden |= {name: os.environ[name] for name in names if name in os.environ}
    for name in hidden:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        del os.environ["NO_PROXY"], os.environ["no_proxy"]
        os.environ.update(hidden)


def choose(port: int | str | None = None, host: str | None = None) -> tuple[int, str]:
    """Return a port that is free and the address to serve at.

    ``port`` is 0 to 65535, a number or its text, and 0 is any free one; by default it is what GRADIO_SERVER_PORT says,
    or else the first free one of :data:`PORTS`. ``host`` is by default what GRADIO_SERVER_NAME says, or else 127.0.0.1:
    this machine alone. Raises InputError, naming the remedy, where either can't be had.
    """
    named = "the port" if port is not None else "GRADIO_SERVER_PORT"
    text = str(os.environ.get("GRADIO_SERVER_PORT", "") if port is None else port)
    if text and (not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535):
        raise InputError(f"{named} is {text!r}: use a whole number from 0 to 65535, 0 for any that is free")
    address = (host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1").strip("[]")
    try:
        family, _, _, _, (ip, *_) = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(_no_address(address, host)) from None
    for one in [int(text)] if text else PORTS:
        try:
            return _free(family, str(ip), one), address
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise InputError(_no_address(address, host)) from None
            reason = error.strerror
    ports = f"port {text}" if text else f"of the ports {PORTS[0]} to {PORTS[-1]} none"
    raise InputError(f"{ports} can be had ({reason}): choose another with --port, or 0 for any that is free")


def _free(family: int, ip: str, port: int) -> int:
    """Return the port, or for 0 any, once it could be had. Raises OSError."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # where a port that has just been left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((ip, port))
        return probe.getsockname()[1]


def _no_address(address: str, host: str | None) -> str:
    named = "the host" if host else "GRADIO_SERVER_NAME"
    return f"{named} is {address!r}, no address of this machine: use 127.0.0.1 for it alone, or 0.0.0.0 for its network"
