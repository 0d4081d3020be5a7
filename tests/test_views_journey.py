"""The sequence diagram and its Mermaid text tell the same journey as ``Run.journey``."""

from itertools import combinations
from math import isnan
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Rectangle

from eda_sim import (
    Backoff,
    Broker,
    Call,
    DeliveryPolicy,
    InvalidInput,
    Loss,
    Outage,
    Publish,
    Retry,
    Run,
    Service,
    describe,
    draw_journey,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.results.journey import Journey
from eda_sim.results.words import seconds_text
from eda_sim.scenario.distributions import Constant
from eda_sim.views.sequence import LONGEST, SHORTEST, Sheet
from tests.worlds import takes, world

ARROWS = ("->>", "-->>", "--x", "-)", "--)")


def orders_through_a_chain() -> Run:
    """A chain whose payment is down when the request comes."""
    faults = [Outage("payment", at=1, lasts=10)]
    return simulate(order_chain(duration=5, warmup=0, faults=faults), seed=1)


def orders_through_a_broker() -> Run:
    """Publish/subscribe with a payment that fails now and then."""
    return simulate(order_pubsub(duration=5, warmup=0, payment_transient=0.5), seed=1)


def given_up_and_repeated() -> Run:
    """Calls that take longer than anybody waits: two tries, both in vain."""
    call = Call("M0", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0.5)))
    services = [Service("a", workers=2, on={"M0": [takes(2)]})]
    return simulate(world(call, [0.0], services, network=Constant(0.25)))


def lost_on_the_way_back() -> Run:
    """A call whose reply gets lost."""
    fault = Loss(1.0, at=0.5, lasts=2.0)
    return simulate(world(Call("M0", timeout=3.0), [0.0], {"a": [takes(1)]}, faults=[fault]))


def dead_lettered() -> Run:
    """An event that can never be handled, and another subscriber that can."""
    services = [
        Service("a", on={"Said": [takes(1, transient=1.0)]}),
        Service("b", on={"Said": [takes(1, "listen")]}),
    ]
    twice = DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(0.5)))
    broker = Broker(publish=Constant(0.25), deliver=Constant(0.5), delivery=twice)
    faults = [Outage("b", at=1.0, lasts=0.5)]
    return simulate(world(Publish("Said"), [0.0], services, broker=broker, faults=faults))


RUNS = {
    "chain": orders_through_a_chain,
    "broker": orders_through_a_broker,
    "timeouts": given_up_and_repeated,
    "lost": lost_on_the_way_back,
    "dead letter": dead_lettered,
}
CASES = [
    *(pytest.param("chain", r, id=f"chain {r}") for r in (0, 30, 80)),
    *(pytest.param("broker", r, id=f"broker {r}") for r in (0, 7, 60)),
    pytest.param("timeouts", 0, id="timeouts"),
    pytest.param("lost", 0, id="lost"),
    pytest.param("dead letter", 0, id="dead letter"),
]
_made: dict[str, Run] = {}


def run_of(name: str) -> Run:
    """Each run is simulated once."""
    if name not in _made:
        _made[name] = RUNS[name]()
    return _made[name]


def labelled(ax: Axes, kind: type) -> list[Any]:
    """The artists of a kind that stand for something."""
    artists = ax.lines if kind is Line2D else ax.patches
    return [a for a in artists if type(a) is kind and str(a.get_label())[:1] not in ("", "_")]


def sheet_of(journey: Journey) -> Sheet:
    """The places of a journey, without its labels."""
    return Sheet(journey, [])


@pytest.mark.parametrize(("name", "request_id"), CASES)
def test_every_arrow_and_activity_is_drawn(name: str, request_id: int) -> None:
    """As many lines as arrows, as many bars as activities and waits, a head for everybody."""
    run = run_of(name)
    journey, ax = run.journey(request_id), draw_journey(run, request_id)
    drawn = sorted(str(line.get_label()) for line in labelled(ax, Line2D))
    assert drawn == sorted(f"{a.kind} {a.name} {a.sender} {a.receiver}" for a in journey.arrows)
    bars = [bar.get_label() for bar in labelled(ax, Rectangle)]
    for activity in journey.activities:
        what = f"{activity.who} {activity.name} {activity.attempt} {activity.outcome}"
        assert what in bars
    heads = [text.get_text() for text in ax.texts if text.get_text() in journey.participants]
    assert heads == list(journey.participants)


@pytest.mark.parametrize(("name", "request_id"), CASES)
def test_time_runs_downwards_and_arrows_never_up(name: str, request_id: int) -> None:
    """What is later is lower; an arrow ends no higher than it began."""
    run = run_of(name)
    ax, sheet = draw_journey(run, request_id), sheet_of(run.journey(request_id))
    places = [sheet.y(at) for at in sheet.times]
    assert places == sorted(places, reverse=True)
    for line in labelled(ax, Line2D):
        begin, end = line.get_ydata()
        assert end <= begin + 1e-9


@pytest.mark.parametrize(("name", "request_id"), CASES)
def test_texts_of_a_journey_do_not_overlap(name: str, request_id: int) -> None:
    """Times, names, works and failures can all be read, and stay inside the figure."""
    ax = draw_journey(run_of(name), request_id)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    boxes = [(t.get_text(), t.get_window_extent().padded(-1)) for t in (*ax.texts, ax.title)]
    for (text, box), (other, another) in combinations(boxes, 2):
        assert not (box.width > 0 and another.width > 0 and box.overlaps(another)), (text, other)
    for text, box in boxes:
        assert box.x1 <= figure.bbox.x1, text


def test_what_failed_is_hatched_and_marked() -> None:
    """Both tries at the event failed; the last one says where it ended."""
    ax = draw_journey(run_of("dead letter"), 0)
    hatches = {bar.get_label(): bar.get_hatch() for bar in labelled(ax, Rectangle)}
    assert hatches["a Said 1 failed"]
    assert hatches["a Said 2 failed"]
    assert not hatches["b Said 2 ok"]
    texts = [text.get_text() for text in ax.texts]
    assert "✗ failed" in texts
    assert "✗ dead-lettered (attempt 2)" in texts
    assert "✗ crashed" in texts
    assert "listen" in texts


def test_a_reply_that_came_too_late_ends_in_a_cross() -> None:
    """Both replies find a caller who has given up."""
    ax = draw_journey(run_of("timeouts"), 0)
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("✗") == 2
    assert "✗ timed out (attempt 1)" in texts


def test_what_never_arrives_ends_on_its_way() -> None:
    """Its line stops short, with a cross; one that arrives reaches its lifeline."""
    ax, sheet = draw_journey(run_of("lost"), 0), sheet_of(run_of("lost").journey(0))
    lines = {str(line.get_label()): line for line in labelled(ax, Line2D)}
    between = sheet.x("a") - sheet.x("clients")
    there, back = (
        np.ptp(lines[name].get_xdata()) for name in ("call M0 clients a", "reply M0 a clients")
    )
    assert there > 0.8 * between
    assert back < 0.4 * between
    assert [text.get_text() for text in ax.texts].count("✗") == 1


def test_a_step_down_grows_with_the_time_it_stands_for() -> None:
    """Between a third of an inch and an inch, more for a longer time."""
    run = run_of("broker")
    sheet = sheet_of(run.journey(7))
    lasts = np.diff(sheet.times)
    steps = -np.diff([sheet.y(at) for at in sheet.times])
    assert steps.min() == pytest.approx(SHORTEST)
    assert steps.max() == pytest.approx(LONGEST)
    order = np.argsort(lasts)
    assert (np.diff(steps[order]) >= -1e-9).all()


def test_times_that_look_alike_get_more_digits() -> None:
    """No two neighbouring times are written the same."""
    for request_id in (0, 30, 80):
        ticks = sheet_of(run_of("chain").journey(request_id)).ticks
        assert all(a != b for a, b in zip(ticks, ticks[1:], strict=False))  # noqa: RUF007


@pytest.mark.parametrize(("name", "request_id"), CASES)
def test_the_words_of_a_journey_are_its_story(name: str, request_id: int) -> None:
    """How it went, then every step, with its time."""
    run = run_of(name)
    journey = run.journey(request_id)
    words = describe(draw_journey(run, request_id))
    assert words.startswith(journey.title)
    assert words.endswith(str(journey).split("\n", 1)[1])
    assert f"{len(journey.arrows):,} arrow" in words


def test_the_title_is_how_it_went() -> None:
    """The answer's time is that of the requests table."""
    run = run_of("broker")
    row = run.requests.iloc[7]
    waited = seconds_text(row["answered_at"] - row["started_at"])
    title = " ".join(draw_journey(run, int(row["request"])).get_title(loc="left").split())
    assert title.startswith(f"Request 7 of customers: ok after {waited};")
    assert draw_journey(run, 7, title="Mine").get_title(loc="left") == "Mine"


# -- Mermaid -----------------------------------------------------------------------


def arrow_lines(text: str) -> list[str]:
    """The lines of Mermaid text that are arrows."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line.split(":")[0].startswith("p") and ":" in line]


@pytest.mark.parametrize(("name", "request_id"), CASES)
def test_mermaid_has_a_line_for_every_arrow(name: str, request_id: int) -> None:
    """Between the same two, of the same kind, in the same number."""
    run = run_of(name)
    journey = run.journey(request_id)
    text = journey.to_mermaid()
    ids = {who: f"p{i}" for i, who in enumerate(journey.participants)}
    heads = {"call": "->>", "reply": "-->>", "publish": "-)", "send": "-)", "deliver": "--)"}
    expected = []
    for arrow in journey.arrows:
        in_vain = arrow.kind == "reply" and (arrow.too_late or isnan(arrow.arrives))
        head = "--x" if in_vain else heads[arrow.kind]
        expected.append(f"{ids[arrow.sender]}{head}{ids[arrow.receiver]}")
    assert sorted(line.split(":")[0] for line in arrow_lines(text)) == sorted(expected)


@pytest.mark.parametrize(("name", "request_id"), CASES)
def test_mermaid_ends_only_what_has_begun(name: str, request_id: int) -> None:
    """Deactivating somebody who is not active is an error in Mermaid; it never happens."""
    run = run_of(name)
    active: dict[str, int] = {}
    for line in run.journey(request_id).to_mermaid().splitlines():
        word, _, who = line.strip().partition(" ")
        if word == "activate":
            active[who] = active.get(who, 0) + 1
        elif word == "deactivate":
            active[who] -= 1
            assert active[who] >= 0
    assert not any(active.values())
    journey = run.journey(request_id)
    begun = len(journey.activities)
    assert journey.to_mermaid().count("    activate ") == begun


def test_mermaid_survives_names_that_mean_something_to_it() -> None:
    """A semicolon would end the line, a hash begin an entity: both are written as entities."""
    services = [Service("a; b", on={"Ask": [takes(1, "#1; done")]})]
    text = simulate(world(Call("Ask"), [0.0], services)).journey(0).to_mermaid()
    assert "participant p1 as a#59; b" in text
    assert "#35;1#59; done" in text


def test_an_unknown_request_is_refused() -> None:
    """The picture of a journey passes on the journey's own refusal."""
    with pytest.raises(InvalidInput, match="request must be the id of one of"):
        draw_journey(run_of("chain"), 10**6)


def test_heads_are_apart() -> None:
    """However long the names, their boxes do not touch."""
    names = ["customer-relationship-management", "b", "enterprise-resource-planning"]
    services = [
        Service(names[0], on={"Ask": [Call("B")]}),
        Service(names[1], on={"B": [Call("C")]}),
        Service(names[2], on={"C": [takes(1)]}),
    ]
    ax = draw_journey(simulate(world(Call("Ask"), [0.0], services)), 0)
    heads = [p.get_window_extent() for p in ax.patches if isinstance(p, FancyBboxPatch)]
    assert len(heads) == 4
    assert not any(a.overlaps(b) for a, b in combinations(heads, 2))
