"""Follow the advice of an audit: change what it names, with the same luck, and look again.

A remedy is a setting and what to say there instead: strong enough that it would help at once
if it can help at all.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from eda_sim import Backoff, DeliveryPolicy, Retry, Run, Scenario, simulate
from eda_sim.results.audit.remedies import NONE

MOST_ROUNDS = 12
_LATER = 2000.0  # seconds: nothing goes on for that long but what never ends
_AGAIN = Retry(max_attempts=60, backoff=Backoff(0.5, factor=1.0))

_SETTING = re.compile(r"^(.+?) = ")


class Effect(NamedTuple):
    """What the audit found wrong."""

    request: int
    problem: str
    service: str
    label: str
    message: str

    @classmethod
    def of(cls, row: Any) -> "Effect":
        """Return the effect of which a row of an audit tells."""
        return cls(*(getattr(row, name) for name in cls._fields))


def _retry(old: Retry | None, problem: str) -> Retry | None:
    return None if problem == "repeated" else _AGAIN


def _policy(old: DeliveryPolicy, problem: str) -> DeliveryPolicy:
    if problem == "out_of_order":
        return replace(old, prefetch=None, ordered=True)
    if old.guarantee == "at_most_once":
        return replace(old, guarantee="at_least_once", idempotent=True)
    plain = {"idempotent": False, "ack_timeout": None, "counts_crashes": False}
    return replace(old, guarantee="at_most_once", **plain)


def _other_guarantee(old: str, problem: str) -> str:
    return "at_least_once" if old == "at_most_once" else "at_most_once"


# setting -> changed value
CHANGES: Final[dict[str, Callable[[Any, str], Any]]] = {
    "retry": _retry,
    "max_attempts": lambda old, problem: 60,
    "timeout": lambda old, problem: 1.0 if old is None else 20.0,
    "propagate_deadline": lambda old, problem: False,
    "guarantee": _other_guarantee,
    "idempotent": lambda old, problem: True,
    "ack_timeout": lambda old, problem: None,
    "ordered": lambda old, problem: True,
    "retry_topic": lambda old, problem: False,
    "delivery": _policy,
    "when_unreachable": lambda old, problem: "wait",
    "deduplicates": lambda old, problem: _LATER,
    "when_full": lambda old, problem: "wait",
    "workers": lambda old, problem: 1,
    "instances": lambda old, problem: 1,
    "autoscale": lambda old, problem: None,
    "drain": lambda old, problem: _LATER,
    "redrives": lambda old, problem: replace(old, at=_LATER),
}


def value_at(scenario: Scenario, path: str) -> Any:
    """Return what stands at a path, by the same rules by which ``replace`` finds it."""
    part: Any = scenario
    for dotted, bracketed in re.findall(r"([^.\[\]]+)|\[([^\[\]]+)\]", path):
        part = _inside(part, dotted or bracketed)
    return part


def _inside(part: Any, token: str) -> Any:
    if isinstance(part, tuple):
        return part[int(token)] if token.isdigit() else _named(part, token)
    if not hasattr(part, "__dataclass_fields__"):
        return part[token]
    if token in part.__dataclass_fields__:
        return getattr(part, token)
    for room in ("services", "traffic", "on", "steps"):
        inside = getattr(part, room, ())
        if token in inside if hasattr(inside, "keys") else _named(inside, token) is not None:
            return _inside(inside, token)
    return _inside(part.steps, token)


def _named(parts: Any, name: str) -> Any:
    for part in parts:
        if name in [getattr(part, of, None) for of in ("name", "label", "command", "event")]:
            return part
    return None


def settings_of(policy: str) -> list[str]:
    """Return the paths that a policy names."""
    return [match[1] for one in policy.split(" and ") if (match := _SETTING.match(one))]


def follow(scenario: Scenario, policy: str, problem: str) -> Scenario:
    """Return the scenario with what a policy names changed."""
    for path in settings_of(policy):
        old = value_at(scenario, path)
        name = re.findall(r"[a-z_]+", re.sub(r"\[[^\]]*\]", "", path))[-1]
        scenario = scenario.replace(path, CHANGES[name](old, problem))
    return scenario


def findings(run: Run, effect: Effect) -> list[Any]:
    """Return what a run's audit says of one effect."""
    found = run.audit(effect.request).itertuples()
    return [row for row in found if Effect.of(row) == effect]


def outcome_of_advice(scenario: Scenario, seed: int, effect: Effect) -> tuple[str, list[str]]:
    """Follow the advice until the effect is as it was meant, or no policy would help.

    Return ``mended``, ``none`` (the audit says that none would help) or ``in vain`` (it names
    again what has been changed already), and the advice that was followed.
    """
    followed: list[str] = []
    for _ in range(MOST_ROUNDS):
        found = findings(simulate(scenario, seed), effect)
        if not found:
            return "mended", followed
        policy = found[-1].policy
        if policy == NONE:
            return "none", followed
        paths = settings_of(policy)
        if not paths or set(paths) <= set(followed):
            return f"in vain: {found[-1].explanation}", followed
        followed += paths
        scenario = follow(scenario, policy, effect.problem)
    return "in vain: too many rounds", followed
