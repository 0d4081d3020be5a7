"""Run every benchmark and print one table: ``python -m benchmarks``."""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from tqdm.auto import tqdm

from benchmarks.growth import draw, grow
from benchmarks.measure import Measurement, measure
from benchmarks.workloads import WORKLOADS


def main() -> None:
    """Measure, print, and draw the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="how often each pair is run")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for the plot")
    parser.add_argument("--no-growth", action="store_true", help="leave the growth out")
    options = parser.parse_args()
    console = Console(width=110)
    measured = {name: _measure(name, options.pairs) for name in WORKLOADS}
    console.print(_table(measured, options.pairs))
    console.print(f"import eda_sim: {_import_seconds(options.pairs):.2f} s (median, new process)")
    if not options.no_growth:
        points = grow()
        for point in points:
            console.print(
                f"fan_out, {point.messages:>7,} messages: {point.microseconds:5.1f} µs and "
                f"{point.bytes:4.0f} bytes for each delivery"
            )
        console.print(f"plot: {draw(points, options.out)}")


class Pairs(NamedTuple):
    """A workload's measurements, and in the same run those of what it is compared with."""

    engine: list[Measurement]
    other: list[Measurement]


def _measure(name: str, pairs: int) -> Pairs:
    workload, found = WORKLOADS[name], Pairs([], [])
    other = ("fan_out", "engine") if workload.by_hand is None else (name, "by_hand")
    for _ in tqdm(range(pairs), desc=name, leave=False):
        found.engine.append(measure(name, "engine", workload.size))
        found.other.append(measure(*other, WORKLOADS[other[0]].size))
    return found


def _table(measured: Mapping[str, Pairs], pairs: int) -> Table:
    table = Table(title=f"the engine against SimPy written by hand, medians of {pairs} pairs")
    for column in ("workload", "engine", "by hand", "ratio (range)", "bytes each"):
        table.add_column(column, justify="left" if column == "workload" else "right")
    for name, (engine, other) in measured.items():
        workload = WORKLOADS[name]
        ratios = sorted(
            _each(theirs) / _each(ours) for ours, theirs in zip(engine, other, strict=True)
        )
        ratio = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        by_hand = f"{median(map(_each, other)) * 1e6:.1f} µs"
        if workload.by_hand is None:
            by_hand = f"no twin; fan_out\nby the engine: {by_hand}"
        table.add_row(
            workload.name,
            f"{median(map(_each, engine)) * 1e6:.1f} µs/{workload.unit}",
            by_hand,
            ratio,
            f"{median((m.peak - m.peak_before) / m.handled for m in engine):.0f}",
        )
    return table


def _each(measurement: Measurement) -> float:
    return measurement.seconds / measurement.handled


def _import_seconds(times: int) -> float:
    code = (
        "from time import perf_counter as now; began = now(); import eda_sim; print(now() - began)"
    )
    return median(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(times)
    )


if __name__ == "__main__":
    main()
