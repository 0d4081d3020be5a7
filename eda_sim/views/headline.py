"""The picture of the project: the same orders through different architectures.

Four questions side by side. How long does the customer wait? When is everything
consistent, if ever? Who waits before the service that went down? And what became
of the orders in the end?
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eda_sim.errors import InvalidInput, nearest
from eda_sim.later.matplotlib import Artist, Axes, Figure, Line2D
from eda_sim.results.run import Run
from eda_sim.results.step_function import StepFunction
from eda_sim.results.summary import measured
from eda_sim.results.words import number_text, seconds_text, share_text
from eda_sim.scenario.faults import target
from eda_sim.views.canvas import clock_on, columns_for, in_lines, new_figure, part_of, put_title
from eda_sim.views.description import attach, describe, listed
from eda_sim.views.ledger import draw_ledger
from eda_sim.views.shading import Shade, rows_of_labels, shade, shades, shades_text
from eda_sim.views.style import NORMAL, looks, styled
from eda_sim.views.subjects import named
from eda_sim.views.timelines import draw_steps, key_to_stretches

_SIZE = (14.0, 9.6)
_LARGEST = 17.0
_LEAST_LAG = 0.01  # seconds; the lag's axis is linear below, so that a lag of 0 is on it


def draw_headline(
    runs: Mapping[str, Run], *, subject: str | None = None, title: str | None = None
) -> Figure:
    """Draw response time, consistency lag, queue and ledger of several architectures.

    Args:
        runs: the runs by name, of the same orders.
        subject: whose queue to show; by default the service that a fault hits, else the busiest.
        title: what to write above it instead of the finding.

    Raises:
        InvalidInput: if ``runs`` holds no run, or the subject is not a service of all of them.

    Example:
        >>> from eda_sim import draw_headline, order_chain, order_pubsub, simulate
        >>> short = {"duration": 10, "warmup": 0}
        >>> scenarios = {"sync": order_chain(**short), "pub/sub": order_pubsub(**short)}
        >>> figure = draw_headline({name: simulate(s) for name, s in scenarios.items()})
        >>> len(figure.axes)
        4
    """
    by_name = named(runs)
    whose = _subject(by_name, subject)
    end = max(_end(run) for run in by_name.values())
    shaded = shades(by_name.values(), end)
    with styled():
        figure = new_figure(*_SIZE)
        grid = figure.add_gridspec(2, 2, wspace=0.05, hspace=0.06)
        waits, lags, queue, ledger = (
            part_of(figure, grid[place]) for place in ((0, 0), (0, 1), (1, 0), (1, 1))
        )
        finding = title or _finding(by_name)
        _put_heading(figure, finding, by_name, end)
        _draw_waits(waits, by_name, shaded, end)
        _draw_lags(lags, by_name, shaded, end)
        _draw_queue(queue, by_name, whose, shaded, end)
        draw_ledger(by_name, ledger, legend=False)
    parts = [describe(ax) for ax in (waits, lags, queue, ledger)]
    attach(figure, f"{finding}.", shades_text(shaded), *parts)
    return figure


def _subject(runs: Mapping[str, Run], subject: str | None) -> str:
    first, *others = ([service.name for service in run.scenario.services] for run in runs.values())
    shared = [name for name in first if all(name in names for names in others)]
    if subject is not None:
        if subject not in shared:
            raise InvalidInput(
                f"subject must be a service of every run, got {subject!r}: "
                f"{nearest(subject, shared)}"
            )
        return subject
    if not shared:
        raise InvalidInput(
            f"runs must have a service in common, got {listed(runs)} without: "
            "draw them apart, with draw_timeline"
        )
    hit = [target(fault) for run in runs.values() for fault in run.scenario.faults]
    for name in hit:
        if name in shared:
            return name
    utilisation = next(iter(runs.values())).services()["utilisation"]
    return str(utilisation.reindex(shared).idxmax())


def _end(run: Run) -> float:
    """Return when the curves end: with the traffic, or when its last effect is there."""
    last = run.effects["at"].max() if len(run.effects) else 0.0
    return max(run.scenario.duration, float(last))


# -- the panels ------------------------------------------------------------------


def _put_heading(figure: Figure, finding: str, runs: Mapping[str, Run], end: float) -> None:
    figure.suptitle(
        in_lines(finding, _SIZE[0] - 0.4, _LARGEST), x=0.01, ha="left", fontsize=_LARGEST,
        fontweight="bold",
    )  # fmt: skip
    handles: dict[str, Artist] = {
        name: Line2D([], [], color=look.color, linestyle=look.line, linewidth=4)
        for name, look in looks(runs).items()
    }
    answers = {name: run.timeline("response_time") for name, run in runs.items()}
    handles |= key_to_stretches(answers, 0.0, end)
    figure.legend(
        [*handles.values()], [*handles], loc="outside lower center", fontsize=NORMAL + 1,
        ncols=columns_for(handles, _SIZE[0] - 2.0, len(handles), NORMAL + 1), handlelength=4,
    )  # fmt: skip


def _draw_waits(ax: Axes, runs: Mapping[str, Run], shaded: list[Shade], end: float) -> None:
    lines = {name: run.timeline("response_time") for name, run in runs.items()}
    draw_steps(ax, lines, 0.0, end, log=True, latest=True)
    medians = [
        f"{name} {seconds_text(run.summary()['response_time_p50'])} "
        f"({share_text(run.summary()['ok_rate'])} ok)"
        for name, run in runs.items()
    ]
    _finish(ax, f"The client waits: {', '.join(medians)}", shaded, end)
    ax.set_ylabel("response time (log scale)")
    longest = [
        f"{name}: median response time {seconds_text(run.summary()['response_time_p50'])}, "
        f"p99 {seconds_text(run.summary()['response_time_p99'])}."
        for name, run in runs.items()
    ]
    attach(ax, f"{_title(ax)}.", *longest)


def _draw_lags(ax: Axes, runs: Mapping[str, Run], shaded: list[Shade], end: float) -> None:
    lines = {name: lag_over_time(run) for name, run in runs.items()}
    draw_steps(ax, lines, 0.0, end, log=False, latest=True)
    most = max((line.max() for line in lines.values() if len(line.times)), default=1.0)
    never = {name: _never(run) for name, run in runs.items()}
    rows = [name for name in runs if len(never[name])]
    _lag_axis(ax, most, len(rows))
    for row, name in enumerate(rows):
        look = looks(runs)[name]
        height = _above(most) * 2.0 ** (2 * row - len(rows) + 1)  # side by side about the tick
        ax.plot(
            never[name], np.full(len(never[name]), height), color=look.color, marker="|",
            markersize=26 / (1 + len(rows)), linestyle="none", zorder=20, label=f"{name}: never",
        )  # fmt: skip
    parts = []
    for name, line in lines.items():
        longest = line.max() if len(line.times) else np.nan
        text = f"{name} at once" if longest == 0 else f"{name} within {seconds_text(longest)}"
        parts.append(text + (f", {len(never[name]):,} never" if len(never[name]) else ""))
    _finish(ax, f"After the answer, all is applied: {'; '.join(parts)}", shaded, end)
    ax.set_ylabel("consistency lag (log scale)")
    medians = [
        f"{name}: median consistency lag {seconds_text(run.summary()['consistency_lag_p50'])}, "
        f"p99 {seconds_text(run.summary()['consistency_lag_p99'])}; never complete "
        f"{len(never[name]):,} of {len(run.requests):,} requests."
        for name, run in runs.items()
    ]
    attach(ax, f"{_title(ax)}.", *medians)


def _lag_axis(ax: Axes, most: float, rows: int) -> None:
    ax.set_yscale("symlog", linthresh=_LEAST_LAG, linscale=0.5)
    ticks = [0.0, *(10.0**n for n in range(-2, 5) if 10.0**n <= most)]
    ax.set_yticks([*ticks, _above(most)], [*map(seconds_text, ticks), "never"])
    ax.set_ylim(-0.001, _above(most) * 2.0 * max(rows, 1))
    ax.minorticks_off()


def _above(most: float) -> float:
    """Where 'never' is drawn: above everything that happened."""
    return max(most, 10 * _LEAST_LAG) * 4.0


def _draw_queue(
    ax: Axes, runs: Mapping[str, Run], whose: str, shaded: list[Shade], end: float
) -> None:
    lines = {name: run.timeline("queue", whose) for name, run in runs.items()}
    draw_steps(ax, lines, 0.0, end, log=False)
    peaks = [f"{name} up to {number_text(line.max(0.0))}" for name, line in lines.items()]
    _finish(ax, f"Waiting for {whose}: {', '.join(peaks)}", shaded, end)
    ax.set_ylabel(f"waiting for {whose}")
    attach(ax, f"{_title(ax)}.")


def _finish(ax: Axes, finding: str, shaded: list[Shade], end: float) -> None:
    clock_on(ax, 0.0, end)
    shade(ax, shaded)
    put_title(ax, finding, rows_of_labels(ax, shaded))


def _title(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


# -- the numbers -----------------------------------------------------------------


def lag_over_time(run: Run) -> StepFunction:
    """Return the consistency lag of the latest request that was answered, over time."""
    lags = measured(run, run.ledger())["consistency_lag"]
    answered = run.requests.loc[lags.index, "answered_at"]
    return StepFunction.of_latest("consistency lag", answered.to_numpy(), lags.to_numpy())


def _never(run: Run) -> np.ndarray:
    """Return when those requests started that never became complete."""
    ledger = run.ledger()
    incomplete = (ledger["completed_at"].isna() & (ledger["missing"] > 0)).to_numpy()
    return run.requests["started_at"].to_numpy()[incomplete]


def _finding(runs: Mapping[str, Run]) -> str:
    """Say what an answer costs, and how many orders stay half done."""
    sizes = {len(run.requests) for run in runs.values()}
    orders = f"The same {sizes.pop():,} requests: " if len(sizes) == 1 and len(runs) > 1 else ""
    parts = []
    for name, run in runs.items():
        verdicts = run.verdicts()
        median = seconds_text(run.summary()["response_time_p50"])
        parts.append(f"{name} answers in {median} and leaves {verdicts['half_done']:,} half done")
    return f"{orders}{'; '.join(parts)}"
