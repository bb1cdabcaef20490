"""Every figure of the book, one function each, in the order of the chapters.

Each function takes tables and arrays, never a file name, and returns a :class:`matplotlib.figure.Figure` that is
closed in pyplot: a notebook cell that ends in it shows it once. :func:`book_figure` does both, and the style.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("book.mplstyle")
"""The style sheet, for figures drawn in a notebook itself: ``plt.style.use(plots.STYLE)``."""

WIDTH = 7.2
"""Inches across a full figure."""
BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#555555", "#C9C9C9"
"""Colours for things that are no condition: the main thing, what it is compared with, text, background."""


def book_figure(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a function that draws a figure: draw it in the book's style, and close it in pyplot."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        before = set(plt.get_fignums())
        with plt.style.context(STYLE):
            try:
                figure = draw(*args, **kwargs)
            finally:
                for number in set(plt.get_fignums()) - before:
                    plt.close(number)
        return figure

    return drawn


def show_photo(axes: Axes, photo: np.ndarray, title: str = "", frame: str | None = None) -> None:
    """Show a photo, (H, W, 3) RGB, uint8 or float 0..1, without ticks; ``frame`` is the colour of a line around it."""
    axes.imshow(photo)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9.5, loc="center")
    for spine in axes.spines.values():
        spine.set(visible=frame is not None, color=frame, linewidth=2.5)


# --- chapter 1, Data exploration ------------------------------------------------------------------------------------


# --- chapter 2, Preprocessing ---------------------------------------------------------------------------------------


# --- chapter 3, Training --------------------------------------------------------------------------------------------


# --- chapter 4, Evaluation ------------------------------------------------------------------------------------------


# --- chapter 5, Error analysis --------------------------------------------------------------------------------------
