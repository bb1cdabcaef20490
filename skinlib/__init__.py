"""Helpers for the book: a stack of short modules, each importing only from below."""

__version__ = "0.1.0"
