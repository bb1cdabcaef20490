"""The command line: ``python -m skinlib COMMAND``.

Exit codes: 0 done; 1 a failure; 2 a wrong call or bad input. Errors are one line on standard error.
"""

import argparse
import codecs
import io
import os
import sys

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


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if arguments is None and codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        # In such a locale no file with an accent in its name can be told of: begin anew without it.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        # A name may have characters that it can't hold.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except SkinlibError as error:
        print(f"skinlib: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRAS:
            raise
        extra = EXTRAS[error.name.partition(".")[0]]
        print(f"skinlib: {error.name} is not installed: pip install 'skinlib[{extra}]'", file=sys.stderr)
        return InputError.exit_code
    except OSError as error:
        print(f"skinlib: {_one_line(error)}: check that the place exists, is writable and has room", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("skinlib: interrupted; what is finished is kept: the same command goes on from there", file=sys.stderr)
        return 1


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
        added.set_defaults(command=function)
        return added

    for room in (photos, training, asking, serving, keeping):
        room.add_to(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
