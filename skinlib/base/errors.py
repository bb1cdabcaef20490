"""Errors that people read."""


class SkinlibError(Exception):
    """A failure told in one line: what is wrong, with which file, and what to do."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of this error, as IPython asks it: the line, and no traceback."""
        return [f"skinlib: {self}"]


class InputError(SkinlibError):
    """The caller gave something that can't be used. The command line exits with 2."""

    exit_code = 2
