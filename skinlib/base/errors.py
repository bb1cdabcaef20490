"""Errors that people read."""


class SkinlibError(Exception):
    """A failure told in one line: what is wrong, with which file, and what to do."""

    exit_code = 1


class InputError(SkinlibError):
    """The caller gave something that can't be used. The command line exits with 2."""

    exit_code = 2
