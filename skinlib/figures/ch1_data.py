"""Figures of chapter 1, Data exploration, and of its second look at the audit."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Patch
from matplotlib.ticker import (
    PercentFormatter,
)

from skinlib.data.conditions import KEYS, by_key
from skinlib.figures.shared import (
    BLUE,
    GREY,
    LUMA,
    ORANGE,
    PALE,
    WIDTH,
    book_figure,
    photo_pairs,
    short_title,
    show_photo,
    square,
    titles,
)


@book_figure
def one_of_each(photos: Mapping[str, np.ndarray]) -> Figure:
    """Show one photo, (H, W, 3) RGB uint8, of each condition, with its title in the condition's colour below.

    Introduced in chapter 1. ``photos`` maps keys to photos.
    """
    columns = min(4, len(photos))
    rows = -(-len(photos) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 2.02 * rows), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, (key, photo) in zip(axes.flat, photos.items(), strict=False):
        condition = by_key(key)
        place.axis("on")
        show_photo(place, square(photo, 240), frame=condition.colour)
        place.set_xlabel(condition.title, fontsize=9.5)
    return figure


@book_figure
def class_counts(counts: pd.DataFrame) -> Figure:
    """Draw the photos of each condition as bars, training photos solid and test photos hatched.

    Introduced in chapter 1. ``counts`` is what ``DataSet.counts`` returns: keys as index, columns train and test.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    places = np.arange(len(counts))
    colours = [by_key(key).colour for key in counts.index]
    axes.barh(places, counts.train, color=colours)
    axes.barh(places, counts.test, left=counts.train, color="white", edgecolor=colours, hatch="////", linewidth=1)
    for place, (train, test) in zip(places, counts[["train", "test"]].to_numpy(), strict=True):
        axes.text(train + test, place, f"  {train} + {test}", va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=titles(counts.index), xlabel="photos")
    axes.set_xlim(0, 1.18 * max(1, counts.sum(axis=1).max()))
    axes.invert_yaxis()
    axes.tick_params(left=False)
    kinds = [
        Patch(facecolor=GREY, label="training"),
        Patch(facecolor="white", edgecolor=GREY, hatch="////", label="test"),
    ]
    kinds[1].set_linewidth(1)
    figure.legend(handles=kinds, loc="outside upper right", ncols=2)
    return figure


@book_figure
def contact_sheet(rows: Mapping[str, Sequence[np.ndarray]]) -> Figure:
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
        title = by_key(key).title.replace(" larva", "\nlarva")
        place.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9.5)
    return figure


@book_figure
def photo_sizes(photos: pd.DataFrame) -> Figure:
    """Plot width against height, one panel per condition, over all other photos in pale grey.

    Introduced in chapter 1. ``photos`` is a catalogue. A dot gets darker where several photos have one size.
    """
    keys = [key for key in KEYS if (photos.condition == key).any()]
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.3), sharex=True, sharey=True)
    limit = 1.08 * photos[["width", "height"]].to_numpy().max()
    for place, key in zip(axes.flat, keys, strict=False):
        own = photos[photos.condition == key]
        place.plot([0, limit], [0, limit], color=PALE, linewidth=0.8)
        place.scatter(photos.width, photos.height, s=9, color=PALE, linewidths=0)
        place.scatter(own.width, own.height, s=16, color=by_key(key).colour, alpha=0.6, linewidths=0)
        n_sizes = len(own[["width", "height"]].drop_duplicates())
        place.set_title(f"{short_title(key)}\n{n_sizes} size{'s' if n_sizes > 1 else ''}", fontsize=9)
        place.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    for place in axes.flat[len(keys) :]:
        place.axis("off")
    figure.supxlabel("width, pixels", fontsize=10)
    figure.supylabel("height, pixels", fontsize=10)
    return figure


@book_figure
def recall_bars(recall: pd.Series, chance: float, chance_name: str = "chance") -> Figure:
    """Draw the recall of each condition, 0 to 1, as bars, beside a line for what ``chance`` gives.

    Introduced in chapter 1. ``recall`` has keys as index; NaN (no photo of it) stays empty.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    places = np.arange(len(recall))
    axes.barh(places, recall.fillna(0), color=[by_key(key).colour for key in recall.index])
    for place, share in zip(places, recall, strict=True):
        axes.text(0 if np.isnan(share) else share, place, "  –" if np.isnan(share) else f"  {share:.0%}", va="center")
    axes.axvline(chance, color=GREY, linestyle="--", linewidth=1.2)
    axes.text(chance, -0.75, chance_name, color=GREY, fontsize=9.5, ha="center", va="bottom")
    axes.set(yticks=places, yticklabels=titles(recall.index), xlim=(0, 1.12), xlabel="recall: share found")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(len(recall) - 0.5, -0.7)
    axes.tick_params(left=False)
    return figure


@book_figure
def colour_stripes(colours: pd.DataFrame) -> Figure:
    """Show each photo as one stripe in its mean colour, a row per condition, from dark to bright.

    Introduced in chapter 1. ``colours`` has the columns condition (key) and red, green, blue (means, 0 to 255). The
    stripes of a condition share the row's whole width, so few photos give wide ones.
    """
    keys = [key for key in KEYS if (colours.condition == key).any()]
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for row, key in enumerate(keys):
        own = colours.loc[colours.condition == key, ["red", "green", "blue"]].to_numpy() / 255
        own = own[np.argsort(own @ LUMA, kind="stable")]
        axes.imshow(own[None], extent=(0, 100, row + 0.42, row - 0.42), aspect="auto", interpolation="nearest")
    axes.set(yticks=range(len(keys)), yticklabels=titles(keys), xlim=(0, 100), ylim=(len(keys) - 0.5, -0.5))
    axes.set_xticks([0, 50, 100], ["darkest", "median photo", "brightest"])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("photos of one condition, in order of brightness")
    return figure


@book_figure
def skin_tones(tones: pd.DataFrame, colours: Sequence[str]) -> Figure:
    """Draw how many photos of each condition show each recorded skin tone, as stacked bars.

    Introduced in chapter 1. ``tones`` has keys as index and tones 1 to 10 as columns, or 0 for "nobody recorded it";
    ``colours`` are the ten hex colours of the scale.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    places, left = np.arange(len(tones)), np.zeros(len(tones))
    for tone in tones.columns:
        style = {"color": colours[tone - 1]} if tone else {"color": "white", "hatch": "...."}
        name = f"tone {tone}" if tone else "not recorded"
        axes.barh(places, tones[tone], left=left, label=name, edgecolor="#777777", linewidth=0.6, **style)
        left += tones[tone].to_numpy()
    axes.set(yticks=places, yticklabels=titles(tones.index), xlabel="photos")
    axes.invert_yaxis()
    axes.tick_params(left=False)
    figure.legend(loc="outside upper center", ncols=6, handlelength=1.2, columnspacing=1.2)
    return figure


@book_figure
def twins(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], columns: int = 4) -> Figure:
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
        place.set_ylabel(
            by_key(key).title.replace(" larva", "\nlarva"), rotation=0, ha="right", va="center", fontsize=9.5
        )
    frames = [
        Patch(facecolor="white", edgecolor=colour, linewidth=2.5, label=words)
        for colour, words in ((ORANGE, "test photo"), (BLUE, "training photo"))
    ]
    figure.legend(handles=frames, loc="outside upper center", ncols=2)
    return figure


@book_figure
def distances(kinds: Mapping[str, np.ndarray], limit: float, xlabel: str) -> Figure:
    """Draw how far apart the photos of pairs are, each kind of pair as the share of its pairs, and a limit as a line.

    Introduced in the second look at chapter 1. ``kinds`` maps at most three names to whole numbers, int (n,).
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 2.9))
    edges = np.arange(max((values.max(initial=0) for values in kinds.values()), default=0) + 2) - 0.5
    for (name, values), colour in zip(kinds.items(), (PALE, ORANGE, BLUE), strict=False):
        shares = np.histogram(values, edges)[0] / max(len(values), 1)
        axes.bar(edges[:-1] + 0.5, shares, 0.94, color=colour, alpha=0.8, label=f"{name}: {len(values):,} pairs")
    axes.axvline(limit + 0.5, color="black", linewidth=1.2, linestyle=(0, (4, 3)), label=f"limit: {limit:g}")
    axes.set(xlabel=xlabel, ylabel="share of the pairs", xlim=(-0.8, edges[-1] + 0.3))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(loc="outside upper center", ncols=3)
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
    places, other_places = ((np.asarray(each) + 0.5) * times - 0.5 for each in (places, other_places))
    turn, shift = matrix[:, :2], (matrix[:, 2] + 0.5) * times - 0.5
    matrix = np.column_stack([turn, shift - turn @ np.full(2, (times - 1) / 2)])
    side *= times
    squares = [cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in (photo, other)]
    colours = plt.get_cmap("viridis")(np.linspace(0, 1, max(len(places), 2)))[: len(places)]
    for axes, picture, points, title in zip(
        panels, squares, (places, other_places), ("a photo", "another file"), strict=False
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
def mean_detail(details: Mapping[str, np.ndarray]) -> Figure:
    """Show where the photos of each condition have fine detail on average: bright where many have an edge or letters.

    Introduced in chapter 1. ``details`` maps keys to (n, n) arrays of detail; each map fills the scale by itself.
    """
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.1))
    for place in axes.flat[len(details) :]:
        place.axis("off")
    for place, (key, detail) in zip(axes.flat, details.items(), strict=False):
        low, high = np.percentile(detail, [1, 99.5])
        image = place.imshow(detail, cmap="gray", vmin=low, vmax=high)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        place.set_title(short_title(key), fontsize=9.5, loc="center")
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.5, aspect=40, ticks=[low, high])
    bar.ax.set_xticklabels(["smooth", "much detail"])
    return figure
