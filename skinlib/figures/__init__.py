"""Figures that need more than a few lines, one file a chapter, and what they share."""

import os

from skinlib.base.settings import load_settings

if not os.access(os.path.expanduser("~"), os.W_OK):  # Matplotlib would complain that it has no place for its fonts
    os.environ.setdefault("MPLCONFIGDIR", str(load_settings().cache / "matplotlib"))
