"""The helpers of the book: nine rooms, each importing only from those below it. See the README."""

__version__ = "0.1.0"
