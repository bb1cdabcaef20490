"""Figures of chapter 1, Data exploration, and of its second look at the audit."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Patch

from skinlib.data.classes import Classes
from skinlib.figures.shared import (
    BLUE,
    LUMA,
    ORANGE,
    WIDTH,
    book_figure,
    photo_pairs,
    short_title,
    show_photo,
    square,
    titles,
)


@book_figure
def one_of_each(photos: Mapping[str, np.ndarray], classes: Classes) -> Figure:
    """Show one photo, (H, W, 3) RGB uint8, of each condition, with its title in the condition's colour below.

    Introduced in chapter 1. ``photos`` maps keys to photos.
    """
    columns = min(4, len(photos))
    rows = -(-len(photos) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 2.02 * rows), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, (key, photo) in zip(axes.flat[: len(photos)], photos.items(), strict=True):
        condition = classes[key]
        place.axis("on")
        show_photo(place, square(photo, 240), frame=condition.colour)
        place.set_xlabel(condition.title, fontsize=9.5)
    return figure


@book_figure
def contact_sheet(rows: Mapping[str, Sequence[np.ndarray]], classes: Classes) -> Figure:
    """Show one row of photos, cropped to squares, for each condition.

    Introduced in chapter 1. ``rows`` maps keys to lists of photos, (H, W, 3) RGB uint8.
    """
    longest = max(len(photos) for photos in rows.values())
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, 0.76 * len(rows)), squeeze=False)
    for place, (key, photos) in zip(axes.flat, rows.items(), strict=True):
        strip = np.full((96, 100 * longest - 4, 3), 255, np.uint8)
        for i, photo in enumerate(photos):
            strip[:, 100 * i : 100 * i + 96] = square(photo, 96)
        show_photo(place, strip)
        title = short_title(key, classes)
        place.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9.5)
    return figure


@book_figure
def colour_stripes(colours: pd.DataFrame, classes: Classes) -> Figure:
    """Show each photo as one stripe in its mean colour, a row per condition, from dark to bright.

    Introduced in chapter 1. ``colours`` has the columns condition (key) and red, green, blue (means, 0 to 255). The
    stripes of a condition share the row's whole width, so few photos give wide ones.
    """
    keys = [key for key in classes.keys if (colours.condition == key).any()]
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for row, key in enumerate(keys):
        own = colours.loc[colours.condition == key, ["red", "green", "blue"]].to_numpy() / 255
        own = own[np.argsort(own @ LUMA, kind="stable")]
        axes.imshow(own[None], extent=(0, 100, row + 0.42, row - 0.42), aspect="auto", interpolation="nearest")
    axes.set(yticks=range(len(keys)), yticklabels=titles(keys, classes), xlim=(0, 100), ylim=(len(keys) - 0.5, -0.5))
    axes.set_xticks([0, 50, 100], ["darkest", "median photo", "brightest"])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("photos of one condition, in order of brightness")
    return figure


@book_figure
def twins(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], classes: Classes, columns: int = 4) -> Figure:
    """Show test photos beside training photos that show the same, a row of pairs for each condition.

    Introduced in chapter 1. ``rows`` maps keys to at most ``columns`` pairs (test, training), each (H, W, 3) RGB uint8.
    Test photos have an orange frame, training photos a blue one. Without any pair the figure says so.
    """
    if not any(rows.values()):
        return photo_pairs([], [])
    side, line, gap = 96, 4, 16
    step = 2 * side + gap
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, 0.3 + 0.75 * len(rows)), squeeze=False)
    for place, (key, pairs) in zip(axes.flat, rows.items(), strict=True):
        strip = np.full((side, columns * step - gap, 3), 255, np.uint8)
        for i, pair in enumerate(pairs[:columns]):
            for left, photo, colour in zip((i * step, i * step + side), pair, (ORANGE, BLUE), strict=True):
                strip[:, left : left + side] = np.round(255 * np.array(to_rgb(colour)))
                strip[line:-line, left + line : left + side - line] = square(photo, side - 2 * line)
        show_photo(place, strip)
        place.set_ylabel(short_title(key, classes), rotation=0, ha="right", va="center", fontsize=9.5)
    frames = [
        Patch(facecolor="white", edgecolor=colour, linewidth=2.5, label=words)
        for colour, words in ((ORANGE, "test photo"), (BLUE, "training photo"))
    ]
    figure.legend(handles=frames, loc="outside upper center", ncols=2)
    return figure


@book_figure
def laid_on(
    photo: np.ndarray, other: np.ndarray, places: np.ndarray, other_places: np.ndarray, matrix: np.ndarray, side: int
) -> Figure:
    """Show features that two photos share, and one photo laid on the other: a chequerboard of squares from both.

    Introduced in chapter 1. The photos are uint8 (H, W, 3). ``places`` and ``other_places`` are (k, 2), x and y, and
    ``matrix`` is the affine map, (2, 3), from the first to the second: all on photos squeezed to ``side`` × ``side``.
    """
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH, 2.75))
    times = max(384 // side, 1)  # drawn larger than they were compared, so that there is something to see
    places, other_places = ((np.asarray(spots) + 0.5) * times - 0.5 for spots in (places, other_places))
    turn, shift = matrix[:, :2], (matrix[:, 2] + 0.5) * times - 0.5
    matrix = np.column_stack([turn, shift - turn @ np.full(2, (times - 1) / 2)])
    side *= times
    squares = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in (photo, other)]
    colours = plt.get_cmap("viridis")(np.linspace(0, 1, max(len(places), 2)))[: len(places)]
    for axes, picture, points, title in zip(
        panels[:2], squares, (places, other_places), ("a photo", "another file"), strict=True
    ):
        show_photo(axes, picture, title)
        axes.scatter(*points.T, s=16, c=colours, edgecolors="white", linewidths=0.6)
        axes.set(xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5))
    for start, end, colour in zip(places, other_places, colours, strict=True):
        line = ConnectionPatch(
            start, end, "data", "data", axesA=panels[0], axesB=panels[1], color=colour, linewidth=0.6
        )
        figure.add_artist(line)
    laid = cv2.warpAffine(squares[0], matrix, (side, side), borderValue=(255, 255, 255))
    rows, columns = np.indices((side, side)) * 4 // side
    from_first = (rows + columns) % 2 == 0
    show_photo(panels[2], np.where(from_first[..., None], laid, squares[1]), "squares from both in turn")
    return figure


@book_figure
def mean_detail(details: Mapping[str, np.ndarray], classes: Classes) -> Figure:
    """Show where the photos of each condition have fine detail on average: bright where many have an edge or letters.

    Introduced in chapter 1. ``details`` maps keys to (n, n) arrays of detail; each map fills the scale by itself.
    """
    rows = -(-len(details) // 4)
    figure, axes = plt.subplots(rows, 4, figsize=(WIDTH, 0.5 + 1.8 * rows), squeeze=False)
    for place in axes.flat[len(details) :]:
        place.axis("off")
    for place, (key, detail) in zip(axes.flat[: len(details)], details.items(), strict=True):
        low, high = np.percentile(detail, [1, 99.5])
        image = place.imshow(detail, cmap="gray", vmin=low, vmax=high)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        place.set_title(short_title(key, classes), fontsize=9.5, loc="center")
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.5, aspect=40, ticks=[low, high])
    bar.ax.set_xticklabels(["smooth", "much detail"])
    return figure
