"""Figures of chapter 7, Scaling up."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    NullLocator,
    PercentFormatter,
    ScalarFormatter,
)

from skinlib.figures.shared import GREY, PALE, STAGE_COLOURS, STAGE_MARKS, WIDTH, book_figure, powers_of_ten

SPANS = {"a minute": 60, "an hour": 3600, "a day": 86_400, "a month": 30 * 86_400, "a year": 365 * 86_400}
"""Seconds in what people count time in."""


@book_figure
def time_per_stage(measured: pd.DataFrame, projected: pd.DataFrame) -> Figure:
    """Draw the time of each stage against the photos, both logarithmic: measured solid, projected dashed.

    Introduced in chapter 7. Both tables have numbers of photos as index and a column of seconds for each stage; a
    stage that was not measured at a size has NaN there. Of the projection the part beyond a stage's last measured size
    is drawn.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.9))
    last = projected.index.max()
    axes.set(xscale="log", yscale="log", xlim=(0.7 * measured.index.min(), 1.4 * last))
    for words, seconds in SPANS.items():
        axes.axhline(seconds, color=PALE, linewidth=1, zorder=0)
        axes.text(1.01, seconds, words, transform=axes.get_yaxis_transform(), fontsize=9, color=GREY, va="center")
    handles = []
    for place, stage in enumerate(measured):
        points, mark = measured[stage].dropna(), STAGE_MARKS[place]
        ahead = projected[stage][projected.index > points.index.max()]
        ahead = pd.concat([points.iloc[-1:], ahead])
        axes.plot(points.index, points, marker=mark, color=STAGE_COLOURS[place], markersize=6)
        axes.plot(ahead.index, ahead, color=STAGE_COLOURS[place], linestyle=(0, (4, 2.5)), linewidth=1.5)
        handles.append(Line2D([], [], marker=mark, color=STAGE_COLOURS[place], markersize=6, label=stage))
    powers_of_ten(axes.xaxis, axes.yaxis)
    axes.set(xlabel="photos", ylabel="seconds")
    handles.append(Line2D([], [], color=GREY, linestyle=(0, (4, 2.5)), linewidth=1.5, label="projected"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def span(seconds: float) -> str:
    """Return a time in words, in the largest unit of which it holds two: "3 hours". Introduced in chapter 7."""
    for unit, size in (("years", 365 * 86_400), ("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} seconds"


@book_figure
def shares_of_time(stages: pd.DataFrame) -> Figure:
    """Draw one bar for each number of photos, cut into the shares of the time that its stages took.

    Introduced in chapter 7. ``stages`` has numbers of photos as index and a column of seconds for each stage, none
    missing. The whole time stands on the right.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.25 + 0.62 * len(stages)))
    shares = stages.div(stages.sum(axis=1), axis=0)
    left, places = np.zeros(len(stages)), np.arange(len(stages))
    for number, stage in enumerate(stages):
        axes.barh(
            places, shares[stage], 0.68, left, color=STAGE_COLOURS[number], edgecolor="white", linewidth=1, label=stage
        )
        for place, (start, share) in enumerate(zip(left, shares[stage], strict=True)):
            if share >= 0.06:
                ink = "white" if number < 3 else "black"  # the first three colours are dark
                axes.text(start + share / 2, place, f"{share:.0%}", ha="center", va="center", fontsize=9, color=ink)
        left += shares[stage].to_numpy()
    for place, total in enumerate(stages.sum(axis=1)):
        axes.text(1.01, place, span(total), va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=[f"{n:,} photos" for n in stages.index], xlim=(0, 1.17), xlabel="share of time")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.spines.bottom.set_bounds(0, 1)
    axes.tick_params(left=False)
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(stages.columns), columnspacing=1.2, handlelength=1.2)
    return figure


@book_figure
def speed_ups(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw how many times as fast each stage is with more workers, a panel for each setting, all axes logarithmic.

    Introduced in chapter 7. Each table has numbers of workers as index and a column of speed-ups for each stage. The
    dashed line is what one would wish for: n workers, n times as fast.
    """
    figure, all_axes = plt.subplots(1, len(panels), figsize=(WIDTH, 4.1), sharey=True, squeeze=False)
    for axes, (title, table) in zip(all_axes[0], panels.items(), strict=True):
        axes.plot(table.index, table.index, color=GREY, linestyle=(0, (4, 2.5)), linewidth=1.2, label="as many times")
        for place, stage in enumerate(table):
            axes.plot(table.index, table[stage], color=STAGE_COLOURS[place], label=stage)
            axes.plot(table.index[-1], table[stage].iloc[-1], STAGE_MARKS[place], color=STAGE_COLOURS[place])
        axes.set(xscale="log", yscale="log", xlabel="workers")
        ticks = [n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if n <= table.index.max()]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(ScalarFormatter())
        axes.set_title(title, fontsize=9.5)
        axes.grid()
    all_axes[0][0].set_ylabel("times as fast")
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    handles = [
        Line2D([], [], color=line.get_color(), linestyle=line.get_linestyle(), marker=mark, label=label)
        for line, label, mark in zip(handles, labels, ["", *STAGE_MARKS][: len(handles)], strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure
