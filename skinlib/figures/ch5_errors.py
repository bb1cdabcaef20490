"""Figures of chapter 5, Error analysis, and of its second look at shortcuts."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from skinlib.data.classes import Classes
from skinlib.figures.shared import GREY, ORANGE, WIDTH, book_figure, overlay, short_title, show_photo, square


@book_figure
def wrong_answer(
    photo: np.ndarray,
    heat: np.ndarray,
    probabilities: pd.Series,
    truth: str,
    classes: Classes,
    mask: np.ndarray | None = None,
) -> Figure:
    """Show a photo, the map of the model's answer to it, and the probabilities it gave.

    Introduced in chapter 5. ``photo`` is uint8 (H, W, 3), ``heat`` float (H, W), ``mask`` bool (H, W) or None;
    ``probabilities`` has keys as index, ``truth`` is the key of the true condition.
    """
    shape = np.clip(photo.shape[1] / photo.shape[0], 0.6, 1.3)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.9), width_ratios=[shape, shape, 1.1])
    answer = probabilities.idxmax()
    show_photo(left, photo, f"label: {short_title(truth, classes)}")
    overlay(middle, photo, heat, mask)
    middle.set_title(f"answer: {short_title(answer, classes)}", fontsize=9.5, loc="center")
    places = np.arange(len(probabilities))
    right.barh(places, probabilities, color=[classes[key].colour for key in probabilities.index])
    for place, (key, value) in zip(places, probabilities.items(), strict=True):
        weight = "bold" if key in (answer, truth) else "normal"
        words = f" {short_title(key, classes)}" + (" (label)" if key == truth else "")
        right.text(value, place, words, va="center", fontsize=8.5, weight=weight)
    right.set(xlim=(0, 1.9), ylim=(len(places) - 0.4, -0.6), xticks=[0, 0.5, 1], yticks=[], xlabel="probability")
    right.xaxis.set_label_coords(0.26, -0.13)
    right.spines.bottom.set_bounds(0, 1)
    return figure


@book_figure
def photo_rows(rows: Mapping[str, Sequence[np.ndarray]], frames: Sequence[str]) -> Figure:
    """Show rows of photos, each with its name above it and frames of one colour.

    Introduced in chapter 5. ``rows`` maps names to lists of photos, (H, W, 3) RGB uint8.
    """
    longest = max(5, *(len(photos) for photos in rows.values()))
    figure = plt.figure(figsize=(WIDTH, len(rows) * (WIDTH / longest + 0.26)))
    for part, (name, photos), colour in zip(
        np.atleast_1d(figure.subfigures(len(rows), 1)), rows.items(), frames, strict=True
    ):
        part.suptitle(name, x=0.005, ha="left", fontsize=10)
        for i, axes in enumerate(part.subplots(1, longest)):
            axes.axis("off")
            if i < len(photos):
                axes.axis("on")
                show_photo(axes, square(photos[i], 180), frame=colour)
    return figure


@book_figure
def maps_side_by_side(photo: np.ndarray, maps: Mapping[str, np.ndarray], mask: np.ndarray | None = None) -> Figure:
    """Show a photo and several heat maps of it, each with its name above.

    Introduced in chapter 5. ``maps`` maps names to float (H, W); ``mask`` is bool (H, W) or None.
    """
    shape = np.clip(photo.shape[0] / photo.shape[1], 0.6, 1.4)
    figure, panels = plt.subplots(1, len(maps) + 1, figsize=(WIDTH, 0.4 + shape * WIDTH / (len(maps) + 1)))
    show_photo(panels[0], photo, "the photo")
    for axes, (name, heat) in zip(panels[1:], maps.items(), strict=True):
        overlay(axes, photo, heat, mask)
        axes.set_title(name, fontsize=9.5, loc="center")
    return figure


@book_figure
def tone_agreement(table: pd.DataFrame, measured: Mapping[str, str], colours: Sequence[str]) -> Figure:
    """Draw measured typology angles against the true angle of each tone, a panel for each way to measure.

    Introduced in chapter 5. ``table`` has a row per photo and the columns tone (Monk, 1 to 10), true_angle and those
    that ``measured`` maps to a panel's title; all angles are in degrees. ``colours`` are the ten hex colours of the
    scale. Dots are photos, dashes their medians; on the diagonal the measurement is right.
    """
    figure, panels = plt.subplots(1, len(measured), figsize=(WIDTH, 3.9), sharex=True, sharey=True, squeeze=False)
    rng = np.random.default_rng(0)
    for axes, (column, title) in zip(panels.flat, measured.items(), strict=True):
        axes.plot([-90, 90], [-90, 90], "--", color=GREY, linewidth=1.2)
        for tone, rows in table.dropna(subset=column).groupby("tone"):
            true, angles = rows.true_angle.iloc[0], rows[column]
            spread = true + rng.uniform(-3, 3, len(rows))
            axes.scatter(spread, angles, s=26, color=colours[tone - 1], edgecolors="#777777", linewidths=0.6, zorder=2)
            axes.plot([true - 6, true + 6], [angles.median()] * 2, color=ORANGE, linewidth=2.5, zorder=3)
        axes.set(title=title, xlim=(-95, 95), ylim=(-95, 95), aspect="equal")
        axes.set(xticks=range(-90, 91, 45), yticks=range(-90, 91, 45))
        axes.grid(axis="y")
    figure.supxlabel("true angle of the tone, degrees (dark to light)", fontsize=10)
    panels[0, 0].set_ylabel("measured angle, degrees")
    lines = [
        Line2D([], [], color=ORANGE, linewidth=2.5, label="median of a tone"),
        Line2D([], [], color=GREY, linewidth=1.2, linestyle="--", label="measured right"),
    ]
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    return figure
