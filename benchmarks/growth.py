"""Does a run ten times as long take ten times the time and the memory?"""

from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import measure

MESSAGES = (10_000, 30_000, 100_000, 300_000)


class Point(NamedTuple):
    """One size of the fan-out workload."""

    messages: int
    deliveries: int
    seconds: float
    memory: int  # bytes

    @property
    def microseconds(self) -> float:
        """Time for each delivery."""
        return self.seconds / self.deliveries * 1e6

    @property
    def bytes(self) -> float:
        """Peak memory for each delivery."""
        return self.memory / self.deliveries


def grow() -> list[Point]:
    """Measure the engine at every size."""
    points = []
    for messages in MESSAGES:
        m = measure("fan_out", "engine", messages)
        points.append(Point(messages, m.handled, m.seconds, m.peak - m.peak_before))
    return points


def draw(points: list[Point], directory: Path) -> Path:
    """Draw time and memory over the number of deliveries; return the file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = [point.deliveries / 1000 for point in points]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    panels = (
        ("CPU time (seconds)", [point.seconds for point in points]),
        ("peak memory (MB)", [point.memory / 1e6 for point in points]),
    )
    for ax, (label, values) in zip(axes, panels, strict=True):
        ax.plot(sizes, values, "o-", color="#0072B2", label="measured")
        line = [values[-1] * size / sizes[-1] for size in sizes]
        ax.plot(sizes, line, "--", color="#E69F00", label="proportional to the largest")
        ax.set(xlabel="deliveries (thousands)", ylabel=label, xlim=0, ylim=0)
        ax.legend(loc="upper left")
    figure.suptitle("fan_out: time and memory grow in proportion to the deliveries")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "growth.png"
    figure.savefig(path, dpi=120)
    return path
