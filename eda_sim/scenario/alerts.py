"""Alert rules: what somebody wants to be told of, as data.

A rule is a metric, a threshold and a direction, over a sliding window; it says
nothing of a run. What fired, and when, is in ``results.alerts``.

``lasting`` is what Prometheus calls ``for``: the condition must have held that long
without a break before the alert fires, and one instant without it starts the
waiting anew (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/).
"""

import re
from dataclasses import KW_ONLY
from math import isnan, nan
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, model_validator
from pydantic_core import ArgsKwargs

from eda_sim.errors import nearest
from eda_sim.scenario.description import Name, PositiveSeconds, Seconds, description

DEFAULT_WINDOW: Final = 60.0  # seconds

_TIMES = {
    "response_time": "request started -> client has its ok, of the answers in the window, seconds",
    "delivery_lag": "message published -> handled, of those handled in the window, seconds",
}
STATISTICS: Final = ("mean", "p50", "p95", "p99")

GAUGES: Final = {
    "backlog": "deliveries published and not ended (a subscriber's: its consumer lag)",
    "queue": "attempts that wait for a worker",
    "busy": "workers that are busy",
    "requests": "requests started and not answered",
    "instances": "instances of the service",
}
FRACTIONS: Final = {
    "ok_rate": "fraction of the answers in the window that were ok (of a service: of its attempts)",
    "error_rate": "fraction of the answers in the window that were not ok",
    "dlq_rate": "fraction of the deliveries ended in the window that were dead-lettered",
    "lost_rate": "fraction of the deliveries ended in the window that were lost",
    "utilisation": "fraction of the workers' time in the window during which they were busy",
}
METRICS: Final = {
    **GAUGES,
    **FRACTIONS,
    "throughput": "requests answered ok (of a service: attempts) in the window, per second",
    "dead_letters": "deliveries dead-lettered in the window",
    **{f"{time}_{statistic}": _TIMES[time] for time in _TIMES for statistic in STATISTICS},
}
# Only the clients know these, so they have no service as their subject.
_OF_CLIENTS = ("requests", *(f"response_time_{statistic}" for statistic in STATISTICS))

_RULE = re.compile(
    r"\s*(?P<metric>\w+)(?:\s+of\s+(?P<subject>.+?))?\s*(?P<sign>[<>])(?P<number>.*)"
)
_DIRECTIONS = {">": "above", "<": "below"}


def _known_metric(metric: str) -> str:
    if metric not in METRICS:
        raise ValueError(f"must be a known metric, got {metric!r}: {nearest(metric, METRICS)}")
    return metric


@description
class Alert:
    """A rule that fires while a metric is above or below a threshold.

    A rule is written as people know it from monitoring tools, ``"METRIC > NUMBER"`` or
    ``"METRIC of SERVICE < NUMBER"``, or field by field. ``eda_sim.scenario.alerts.METRICS``
    says what each metric is.

    Args:
        metric: the name of a metric, or a whole rule.
        threshold: in the metric's unit: seconds, fractions, counts, or counts a second.
        direction: whether it fires ``above`` the threshold or ``below`` it, never at it.
        subject: a service; without it, all together.
        window: how far it looks back, in seconds. Without it, 60 s; a ``backlog``, ``queue``,
            ``busy``, ``requests`` or ``instances`` is then taken as it is at the moment, and with
            it as its average over the window.
        lasting: seconds for which the metric must have been there before the alert fires.
        name: what to call it; the rule, if not said.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> Alert("response_time_p99 > 1.0", window=60)
        Alert('response_time_p99', threshold=1.0, window=60.0)
        >>> Alert("backlog of payment > 100") == Alert("backlog", threshold=100, subject="payment")
        True
        >>> Alert("ok_rate", threshold=0.99, direction="below").rule
        'ok_rate < 0.99'
    """

    metric: Annotated[Name, AfterValidator(_known_metric)]
    _: KW_ONLY
    threshold: float = nan  # never stays so: no rule is without one
    direction: Literal["above", "below"] = "above"
    subject: Name | None = None
    window: PositiveSeconds | None = None
    lasting: Seconds = 0.0
    name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_rule(cls, given: Any) -> Any:
        if isinstance(given, ArgsKwargs):
            given = {**dict(zip(("metric",), given.args, strict=False)), **(given.kwargs or {})}
        rule = given.get("metric") if isinstance(given, dict) else None
        if not isinstance(rule, str) or not set(rule) & set("<>="):
            return given
        return {**given, **_parsed(rule, given)}

    @model_validator(mode="after")
    def _fits_its_metric(self) -> "Alert":
        if isnan(self.threshold):
            raise ValueError(
                f"must have a threshold, got the metric alone: write Alert('{self.metric} > 0.5')"
            )
        if self.threshold < 0 or (self.metric in FRACTIONS and self.threshold > 1):
            least = "between 0 and 1, a fraction" if self.metric in FRACTIONS else ">= 0"
            raise ValueError(
                f"threshold of {self.metric} must be {least}, got {self.threshold:g}: beyond it a "
                "rule fires always or never"
            )
        if self.subject is not None and self.metric in _OF_CLIENTS:
            raise ValueError(
                f"{self.metric} is what clients see, got the subject {self.subject!r}: leave it out"
            )
        return self

    @property
    def rule(self) -> str:
        """The rule as a text, without window and waiting."""
        whose = "" if self.subject is None else f" of {self.subject}"
        sign = ">" if self.direction == "above" else "<"
        return f"{self.metric}{whose} {sign} {self.threshold:.12g}"

    @property
    def title(self) -> str:
        """What to call it: its name, or the rule."""
        return self.rule if self.name is None else self.name


def _parsed(rule: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that a rule's text gives."""
    found = _RULE.fullmatch(rule)
    try:
        number = float(found["number"]) if found else nan
    except ValueError:
        number = nan
    if found is None or isnan(number):
        raise ValueError(
            f"a rule must be 'METRIC > NUMBER' or 'METRIC of SERVICE < NUMBER', got {rule!r}"
        )
    said = {"metric": found["metric"], "threshold": number}
    said["direction"] = _DIRECTIONS[found["sign"]]
    if found["subject"] is not None:
        said["subject"] = found["subject"]
    for name in sorted(said.keys() & given.keys() - {"metric"}):
        raise ValueError(f"{name} is in the rule {rule!r} already: leave {name}= out")
    return said
