"""Figures of the page Performance."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    MaxNLocator,
)

from skinlib.figures.ch7_scaling import STAGE_COLOURS, STAGE_MARKS
from skinlib.figures.shared import BLUE, GREY, WIDTH, book_figure, powers_of_ten


@book_figure
def engine_speeds(engines: pd.DataFrame, limits: Mapping[int, float], ours: Sequence[str] = ()) -> Figure:
    """Draw the photos a second of each engine, with the slowest and the fastest turn, and the machine's limits.

    Introduced on the Performance page. ``engines`` has names as index and columns bits, per_second, slowest and
    fastest; ``limits`` maps bits to photos a second; engines that are ``ours`` are blue. Each number of bits has a
    panel, since the second is several times as fast, with the limits up to its own.
    """
    groups = {bits: part for bits, part in engines.groupby("bits", sort=False)}
    heights = [len(part) + 1 for part in groups.values()]
    size = (WIDTH, 0.6 * len(groups) + 0.4 * sum(heights))
    figure, panels = plt.subplots(len(groups), 1, figsize=size, height_ratios=heights, squeeze=False)
    for axes, (bits, part) in zip(panels[:, 0], groups.items(), strict=True):
        drawn = {width: limit for width, limit in limits.items() if width >= bits}
        places, most = np.arange(len(part)), max(part.fastest.max(), *drawn.values())
        axes.barh(places, part.per_second, 0.66, color=[BLUE if name in ours else "#BDBDBD" for name in part.index])
        axes.hlines(places, part.slowest, part.fastest, color="black", linewidth=1.2)
        for place, (name, value) in enumerate(part.per_second.items()):
            ink = "white" if name in ours else "black"
            axes.text(0.01 * most, place, f"{value:.0f}", va="center", fontsize=9.5, color=ink)
        for row, (width, limit) in enumerate(drawn.items()):
            axes.axvline(limit, color="black", linewidth=1.2, linestyle=(0, (4, 3)))
            side = "left" if limit < most / 2 else "right"
            axes.text(limit, -0.55 - 0.42 * row, f" limit, {width} bits ", fontsize=9, va="bottom", ha=side)
        axes.set(yticks=places, yticklabels=list(part.index), xlim=(0, 1.06 * most))
        axes.set(ylim=(len(part) - 0.5, -0.6 - 0.42 * len(drawn)))
        axes.tick_params(left=False)
        axes.set_xlabel("photos a second")
    return figure


@book_figure
def growth(table: pd.DataFrame) -> Figure:
    """Draw the time and the memory of several ways against the number of files, all axes logarithmic.

    Introduced on the Performance page. ``table`` has a row for each way and size: way, files, seconds, megabytes and
    reckoned, which is True where the time comes from a part of the work: such a point is hollow.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.5))
    for axes, column, words in zip(panels, ("seconds", "megabytes"), ("seconds", "peak memory, MB"), strict=True):
        for place, (way, part) in enumerate(table.groupby("way", sort=False)):
            colour, mark = STAGE_COLOURS[place], STAGE_MARKS[place]
            axes.plot(part.files, part[column], color=colour, marker=mark, markersize=6, label=way)
            hollow = part[part.reckoned] if column == "seconds" else part[:0]
            axes.plot(hollow.files, hollow[column], mark, color=colour, markersize=6, markerfacecolor="white")
        axes.set(xscale="log", yscale="log", xlabel="files", ylabel=words)
        powers_of_ten(axes.xaxis, axes.yaxis)
        axes.grid()
    low, high = table.megabytes.min(), table.megabytes.max()
    panels[1].set_ylim(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high * 1.01)))
    handles, labels = panels[0].get_legend_handles_labels()
    if table.reckoned.any():
        handles.append(Line2D([], [], marker="o", color=GREY, linestyle="", markerfacecolor="white", markersize=6))
        labels.append("reckoned from a part")
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


@book_figure
def same_losses(gaps: pd.DataFrame, line: tuple[str, float], seconds: pd.Series) -> Figure:
    """Draw how far each way's training loss lies from the ordinary way's, epoch by epoch, and the time of each way.

    Introduced on the Performance page. ``gaps`` has epochs as index and a column of absolute differences for each way,
    drawn on a logarithmic axis; ``line`` is a name and a difference to compare them with; ``seconds`` has the names of
    all ways as index, the ordinary one first.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.3), width_ratios=(1.15, 1))
    colours = dict(zip(seconds.index, ("#9A9A9A", *STAGE_COLOURS)[: len(seconds)], strict=True))
    for place, way in enumerate(gaps):
        values = np.maximum(gaps[way], 1e-9)  # an axis of logarithms has no 0
        left.plot(gaps.index, values, marker=STAGE_MARKS[place], color=colours[way], label=way)
    left.axhline(line[1], color="black", linewidth=1.2, linestyle=(0, (4, 3)), label=line[0])
    left.set(yscale="log", xlabel="epoch", ylabel="difference of the loss")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    powers_of_ten(left.yaxis)
    left.grid(axis="y")
    places = np.arange(len(seconds))
    right.barh(places, seconds, 0.6, color=[colours[way] for way in seconds.index])
    for height, value in zip(places, seconds, strict=True):
        right.text(value, height, f"  {value:.3g} s", va="center", fontsize=9.5)
    right.set(yticks=places, xlabel="seconds", xlim=(0, 1.35 * seconds.max()), ylim=(len(seconds) - 0.4, -0.6))
    right.set_yticklabels([textwrap.fill(way, 16) for way in seconds.index])
    right.tick_params(left=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@book_figure
def time_by_part(parts: pd.DataFrame) -> Figure:
    """Draw a bar of seconds for each way, cut into the parts of its work, and its speed against the first.

    Introduced on the Performance page. ``parts`` has ways as index and a column of seconds for each part, 0 where a way
    lacks it.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.35 + 0.5 * len(parts)))
    left, places, total = np.zeros(len(parts)), np.arange(len(parts)), parts.sum(axis=1)
    for number, part in enumerate(parts):
        axes.barh(places, parts[part], 0.66, left, color=STAGE_COLOURS[number], label=part)
        left += parts[part].to_numpy()
    for place, value in zip(places, total, strict=True):
        times = f", {total.iloc[0] / value:.3g} times as fast" if place else ""
        axes.text(value, place, f"  {value:.3g} s{times}", va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=list(parts.index), xlabel="seconds", xlim=(0, 1.22 * total.max()))
    axes.invert_yaxis()
    axes.tick_params(left=False)
    figure.legend(loc="outside upper center", ncols=3)
    return figure
