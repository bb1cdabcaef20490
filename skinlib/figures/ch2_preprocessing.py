"""Figures of chapter 2, Preprocessing."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from skinlib.figures.shared import GREY, LUMA, WIDTH, book_figure, show_photo


@book_figure
def pixel_patch(photo: np.ndarray, top: int, left: int, side: int = 6) -> Figure:
    """Show a photo, (H, W, 3) RGB uint8, and a patch of ``side`` × ``side`` of its pixels with their three numbers.

    Introduced in chapter 2.
    """
    figure, (whole, patch) = plt.subplots(1, 2, figsize=(WIDTH, 3.5), width_ratios=(1, 1))
    show_photo(whole, photo, "the photo")
    whole.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="white", linewidth=2.5))
    whole.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="black", linewidth=1))
    pixels = photo[top : top + side, left : left + side]
    show_photo(patch, pixels, f"{side} × {side} of its pixels: red, green, blue")
    patch.images[0].set_interpolation("nearest")
    for (row, column), bright in np.ndenumerate(pixels @ LUMA > 110):
        numbers = "\n".join(str(number) for number in pixels[row, column])
        patch.text(column, row, numbers, ha="center", va="center", fontsize=8, color="black" if bright else "white")
    whole.annotate(
        "", xy=(0, 0.5), xycoords=patch.transAxes, xytext=(left + side, top + side / 2), textcoords="data",
        arrowprops={"arrowstyle": "->", "color": GREY, "linewidth": 1.2},
    )  # fmt: skip
    return figure


@book_figure
def journey(rows: Mapping[str, Sequence[tuple[str, np.ndarray]]]) -> Figure:
    """Show one photo on its way into the network: a row for each step, each with up to four titled pictures.

    Introduced in chapter 2. ``rows`` maps a step's name to (title, picture) pairs; pictures are (H, W, 3) RGB, uint8 or
    float 0..1, or signed floats (H, W), which are drawn from blue (negative) over white (0) to red.
    """
    columns = max(len(pictures) for pictures in rows.values())
    figure, axes = plt.subplots(len(rows), columns, figsize=(WIDTH, 2.08 * len(rows)), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for line, (step, pictures) in zip(axes, rows.items(), strict=True):
        for place, (title, picture) in zip(line[: len(pictures)], pictures, strict=True):
            place.axis("on")
            show_photo(place, picture, title)
            if picture.ndim == 2:
                place.images[0].set(cmap="RdBu_r", clim=(-152, 152))
        line[0].set_ylabel(step, fontsize=10)
    return figure
