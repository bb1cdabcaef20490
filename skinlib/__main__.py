"""The command line: ``python -m skinlib COMMAND``.

Exit codes: 0 done; 1 a failure; 2 a wrong call or bad input; 128 and the number of the signal that ended it, such as
130 after Ctrl-C. Errors are one line on standard error.
"""

import argparse
import contextlib
import errno
import signal
import sys

from skinlib.base import process
from skinlib.base.errors import InputError, SkinlibError
from skinlib.commands import asking, keeping, photos, serving, training

EXTRAS = {
    "gradio": "app",
    "keras": "learn",
    "matplotlib": "figures",
    "onnx": "export",
    "onnxruntime": "app",
    "openvino": "learn",
    "pooch": "fetch",
    "ray": "cluster",
    "requests": "fetch",
    "scipy": "judge",
    "sklearn": "judge",
    "starlette": "app",
    "tensorflow": "learn",
    "tf2onnx": "export",
    "usearch": "audit",
    "yaml": "export",
}
"""What a command may miss, as it is imported, and the extra of the package that brings it."""


UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""How writing fails: no room, a quota, too large a file, a terminal that has gone, a stream that is closed."""
GOES_ON = ("fetch", "audit", "croissant", "train", "results", "export", "app")
"""Commands that keep what is finished when they are interrupted, so that a second call need not do it again."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if arguments is None:
        process.read_as_utf8()
    process.open_streams()
    options = argparse.Namespace(name=None)
    try:
        with process.stoppable():
            _parser().parse_args(arguments, options)
            code = options.command(options) or 0
            sys.stdout.flush()
            return code
    except SkinlibError as error:
        return _failed(_one_line(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRAS:
            raise
        extra = EXTRAS[error.name.partition(".")[0]]
        return _failed(f"{error.name} is not installed: pip install 'skinlib[{extra}]'", InputError.exit_code)
    except BrokenPipeError:
        return 128 + 13  # whoever read has had enough, and SIGPIPE, which Python ignores, would have said so
    except OSError as error:
        # Whoever writes a file names it. The stream that is printed to has no name.
        printed = error.filename is None and error.errno in UNWRITABLE
        place = "standard output: " if printed else ""
        return _failed(f"{place}{_one_line(error)}: check that the place exists, is writable and has room")
    except MemoryError as error:
        return _failed(f"not enough memory ({_one_line(error)}): use fewer or smaller photos, or another machine")
    except KeyboardInterrupt as error:
        goes_on = "; what is finished is kept: the same command goes on from there" if options.name in GOES_ON else ""
        if isinstance(error, process.Stopped):
            return _failed(f"ended by {error}{goes_on}", 128 + error.number)
        return _failed(f"interrupted{goes_on}", 128 + signal.SIGINT)
    finally:
        process.drop_what_cannot_be_written()


def _failed(line: str, code: int = 1) -> int:
    with contextlib.suppress(OSError):
        print(f"skinlib: {line}", file=sys.stderr)
    return code


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skinlib",
        description="The book's work as commands. DATA is 'sample', 'clinical', or a folder: of class folders, or of "
        "train/ and test/ that hold them. Not a medical device: nothing here is a diagnosis.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name, function, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function, name=name)
        return added

    for room in (photos, training, asking, serving, keeping):
        room.add_to(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
