"""What a program owes to the one who started it: signals that end it tidily, and streams that may be gone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from skinlib.base.process import Stopped, open_streams, stoppable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_raised_and_the_next_does_not_disturb_the_tidying(number):
    signal.signal(number, signal.SIG_DFL)  # whoever started the tests may have it ignored
    tidied = False
    with pytest.raises(Stopped, match=signal.Signals(number).name) as caught, stoppable():
        try:
            os.kill(os.getpid(), number)
            time.sleep(1)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            tidied = True
    assert tidied and caught.value.number == number and isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored():
    """As `nohup` has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_no_file_takes_the_place_of_a_stream_that_was_closed(closed, tmp_path):
    code = (
        "import os, sys\n"
        "from skinlib.base.process import open_streams\n"
        "open_streams()\n"
        "file = open(sys.argv[1], 'w')\n"
        "assert file.fileno() > 2\n"
        "print('printed'); print('printed', file=sys.stderr); os.write(1, b'x'); os.write(2, b'x')\n"
        "sys.stdout.isatty(), sys.stderr.isatty()\n"
        "file.write('fine')"
    )

    def close():
        for descriptor in closed:
            os.close(descriptor)

    subprocess.run([sys.executable, "-c", code, tmp_path / "file"], preexec_fn=close, check=True, capture_output=True)
    assert (tmp_path / "file").read_text() == "fine"


def test_open_streams_stay_as_they_are():
    before = sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino
    open_streams()
    assert (sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino) == before
