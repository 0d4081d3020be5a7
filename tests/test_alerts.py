"""Alert rules: what they may say, and when they fire, to the last digit."""

from collections.abc import Callable
from typing import Any

import pytest

from eda_sim import Alert, InvalidInput, Run, describe, draw_timeline, simulate
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.distributions import Recorded
from eda_sim.scenario.faults import Outage
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Call, Work
from tests import brokered
from tests.worlds import rows, takes, world


def fired(run: Run, *rules: Alert | str) -> list[tuple[Any, ...]]:
    """When the rules fired and resolved, and the worst value in between."""
    return rows(run.alerts(rules), "fired_at", "resolved_at", "worst")


# -- rules as data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("response_time_p99 > 1.0", Alert("response_time_p99", threshold=1.0, direction="above")),
        ("ok_rate<0.99", Alert("ok_rate", threshold=0.99, direction="below")),
        (" backlog of payment > 1e3 ", Alert("backlog", threshold=1000, subject="payment")),
        (
            "queue of the last mile < 2",
            Alert("queue", threshold=2, direction="below", subject="the last mile"),
        ),
    ],
)
def test_a_rule_is_a_text_or_its_fields(text: str, fields: Alert) -> None:
    """Both say the same, and either way it can be read, copied and compared."""
    alert = Alert(text)
    assert alert == fields
    assert eval(repr(alert)) == alert
    assert Alert(alert.rule) == alert
    assert hash(alert) == hash(fields)


def test_a_rule_keeps_what_is_given_beside_its_text() -> None:
    """Window, waiting and name are not part of the text; the name, or the rule, is its title."""
    alert = Alert("error_rate > 0.05", window=30, lasting=120, name="page somebody")
    assert (alert.window, alert.lasting, alert.title) == (30.0, 120.0, "page somebody")
    assert alert.rule == Alert("error_rate > 0.05").title == "error_rate > 0.05"


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (
            lambda: Alert("response_time_p90 > 1"),
            "Alert.metric must be a known metric, got 'response_time_p90': "
            "did you mean 'response_time_p99'?",
        ),
        (
            lambda: Alert("backlog"),
            "Alert: must have a threshold, got the metric alone: write Alert('backlog > 0.5')",
        ),
        (
            lambda: Alert("backlog >= 3"),
            "Alert: a rule must be 'METRIC > NUMBER' or 'METRIC of SERVICE < NUMBER', "
            "got 'backlog >= 3'",
        ),
        (
            lambda: Alert("backlog > many"),
            "Alert: a rule must be 'METRIC > NUMBER' or 'METRIC of SERVICE < NUMBER', "
            "got 'backlog > many'",
        ),
        (
            lambda: Alert("backlog > 3", threshold=4),
            "Alert: threshold is in the rule 'backlog > 3' already: leave threshold= out",
        ),
        (
            lambda: Alert("backlog of payment > 3", subject="email"),
            "Alert: subject is in the rule 'backlog of payment > 3' already: leave subject= out",
        ),
        (lambda: Alert("backlog > inf"), "Alert.threshold must be a finite number, got inf"),
        (
            lambda: Alert("error_rate > 5"),
            "Alert: threshold of error_rate must be between 0 and 1, a fraction, got 5: "
            "beyond it a rule fires always or never",
        ),
        (
            lambda: Alert("backlog > -1"),
            "Alert: threshold of backlog must be >= 0, got -1: "
            "beyond it a rule fires always or never",
        ),
        (
            lambda: Alert("response_time_p50 of payment > 1"),
            "Alert: response_time_p50 is what clients see, got the subject 'payment': leave it out",
        ),
        (lambda: Alert("queue > 1", window=0), "Alert.window must be > 0, got 0"),
        (lambda: Alert("queue > 1", lasting=-1), "Alert.lasting must be >= 0, got -1"),
        (
            lambda: Alert("queue", threshold=1, direction="over"),
            "Alert.direction must be 'above' or 'below', got 'over'",
        ),
        (
            lambda: Alert("queue > 1", windw=3),
            "Alert.windw is not a known setting: did you mean 'window'?",
        ),
    ],
)
def test_a_rule_that_cannot_be_right(build: Callable[[], Alert], line: str) -> None:
    """One line says where it is wrong, what the rule is, what it got and what to do."""
    with pytest.raises(InvalidInput) as caught:
        build()
    assert str(caught.value) == line


@pytest.fixture(scope="module")
def three_at_once() -> Run:
    """Three messages at second 0, one worker, one second each: a backlog of 3, 2, 1."""
    return simulate(brokered.world([0, 0, 0], brokered.takes(1.0), duration=10.0))


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        (
            "backlog of wrker > 1",
            "Alert('backlog of wrker > 1').subject must be a service of the scenario, "
            "got 'wrker': did you mean 'worker'?",
        ),
        (
            ["backlog > 1", Alert("backlog > 1", window=5)],
            "alerts must have different names, got 'backlog > 1' 2 times: give one another name=",
        ),
        (
            3,
            "rules must be an Alert or a list of them, got int: "
            "write run.alerts('response_time_p99 > 1.0')",
        ),
        ([None], "rules must be Alerts or texts, got None: write Alert(...)"),
    ],
)
def test_rules_that_do_not_fit_the_run(three_at_once: Run, rules: Any, line: str) -> None:
    """What only the run can know is refused as well."""
    with pytest.raises(InvalidInput) as caught:
        three_at_once.alerts(rules)
    assert str(caught.value) == line


# -- traces computed by hand -------------------------------------------------------------------


def test_what_is_counted_at_the_moment(three_at_once: Run) -> None:
    """More than one is behind until the second is handled; none is behind after the third."""
    assert fired(three_at_once, "backlog > 1") == [(0.0, 2.0, 3.0)]
    assert fired(three_at_once, "backlog of worker < 1") == [(3.0, None, 0.0)]
    assert fired(three_at_once, "queue > 0") == [(0.0, 2.0, 2.0)]
    assert fired(three_at_once, "backlog > 3") == []


def test_an_alert_that_must_last(three_at_once: Run) -> None:
    """It waits, and shows what came after the wait; a condition gone by then fires nothing."""
    assert fired(three_at_once, Alert("backlog > 1", lasting=1.5)) == [(1.5, 2.0, 2.0)]
    assert fired(three_at_once, Alert("backlog > 1", lasting=2)) == []


def test_a_break_starts_the_waiting_anew() -> None:
    """Busy for 1.5 s, idle for half a second, busy for 3 s: only the second lasts 2 s."""
    run = simulate(brokered.world([0, 2], brokered.takes([1.5, 3.0]), duration=10.0))
    assert fired(run, "busy > 0") == [(0.0, 1.5, 1.0), (2.0, 5.0, 1.0)]
    assert fired(run, Alert("busy > 0", lasting=2)) == [(4.0, 5.0, 1.0)]


def test_an_average_over_the_window_is_crossed_between_events(three_at_once: Run) -> None:
    """Over 2 s the backlog averages 2.5 at second 2, and then 2.5 - (t - 2): 2.5, 1.5, 0.5, 0."""
    rule = Alert("backlog > 1.25", window=2)
    assert fired(three_at_once, rule) == [(2.0, 3.25, 2.5)]
    assert fired(three_at_once, Alert("backlog < 0.25", window=2)) == [(4.5, None, 0.0)]


@pytest.fixture(scope="module")
def two_waves() -> Run:
    """One call a second, answered a second later: at 1, 2, 3, 4 and at 11, 12, 13, 14."""
    at = [0, 1, 2, 3, 10, 11, 12, 13]
    return simulate(world(Call("M0"), at, {"a": [takes(1)]}, duration=20.0))


def test_throughput_needs_a_whole_window_and_traffic(two_waves: Run) -> None:
    """Fewer than two answers in 4 s: from 7 (the answer at 3 leaves) to 12, and again from 17.

    Nothing fires in the first 4 s, and the traffic ends while it is firing.
    """
    rule = Alert("throughput < 0.5", window=4)
    assert fired(two_waves, rule) == [(7.0, 12.0, 0.0), (17.0, None, 0.0)]
    assert fired(two_waves, Alert("throughput of a > 0.75", window=4)) == [
        (4.0, 5.0, 1.0),
        (14.0, 15.0, 1.0),
    ]


def test_utilisation_is_crossed_while_somebody_works() -> None:
    """Two seconds of work from second 4 on fill a window of 4 s to a half, and leave it again."""
    run = simulate(world(Call("M0"), [4.0], {"a": [takes(2)]}, duration=20.0))
    assert fired(run, Alert("utilisation of a > 0.25", window=4)) == [(5.0, 9.0, 0.5)]
    assert fired(run, Alert("utilisation > 0.5", window=4)) == []
    assert fired(run, Alert("utilisation < 0.25", window=4)) == [(4.0, 5.0, 0.0), (9.0, None, 0.0)]


@pytest.fixture(scope="module")
def one_slow_answer() -> Run:
    """Response times 1 at second 1, 1 at 2, 1 at 4, and 3 at 5."""
    work = Work(Recorded([1.0, 1.0, 3.0, 1.0]), "work")
    service = Service("a", workers=4, on={"M0": [work]})
    return simulate(world(Call("M0"), [0, 1, 2, 3], [service], duration=20.0))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("response_time_mean > 1.5", [(5.0, 7.0, 3.0)]),  # 2 from 5 on, 3 from 6 on, none from 7 on
        ("response_time_p50 > 2.0", [(6.0, 7.0, 3.0)]),  # of 1 and 3 it is 2
        ("response_time_p50 < 1.5", [(1.0, 5.0, 1.0)]),
        ("response_time_p50 > 3.0", []),
    ],
)
def test_response_times_in_the_window(
    one_slow_answer: Run, rule: str, expected: list[tuple[float, float, float]]
) -> None:
    """Over 2 s: what enters counts at once, what leaves no longer; an empty window is nothing."""
    assert fired(one_slow_answer, Alert(rule, window=2)) == expected


def test_an_interpolated_quantile(one_slow_answer: Run) -> None:
    """The p95 of 1 and 3 is 2.9, and of 3 alone 3, as numpy has it."""
    ((at, until, worst),) = fired(one_slow_answer, Alert("response_time_p95 > 2.75", window=2))
    assert (at, until, worst) == (5.0, 7.0, 3.0)
    assert fired(one_slow_answer, Alert("response_time_p95 > 2.95", window=2))[0][0] == 6.0


def test_an_alert_does_not_fire_on_nothing() -> None:
    """Where nobody is answered no response time is too long, and no fraction too small."""
    faults = [Outage("worker", at=1.0, lasts=50.0)]
    run = simulate(
        brokered.world([2, 3], brokered.takes(1.0), faults=faults, duration=10.0, drain=0)
    )
    silent = ["delivery_lag_p99 > 0", "delivery_lag_mean < 9", "dlq_rate < 1", "lost_rate > 0"]
    assert fired(run, *silent) == []
    assert fired(run, "backlog > 1") == [(3.0, None, 2.0)]


def test_failures_and_dead_letters_in_the_window() -> None:
    """Three messages that fail twice each: attempts fail at 1 to 6, dead letters come at 4 to 6."""
    policy = DeliveryPolicy(retry=brokered.retry(2))
    work = brokered.takes(1.0, transient=1.0)
    run = simulate(brokered.world([0, 0, 0], work, policy, duration=10.0))
    assert brokered.ends(run) == [("dead_lettered", at, 2) for at in (4.0, 5.0, 6.0)]
    assert fired(run, Alert("dead_letters > 1", window=2)) == [(5.0, 7.0, 2.0)]
    assert fired(run, Alert("dlq_rate > 0.5", window=2)) == [(4.0, 8.0, 1.0)]
    assert fired(run, Alert("error_rate of worker > 0.5", window=2)) == [(1.0, 8.0, 1.0)]
    assert fired(run, Alert("ok_rate of worker < 1", window=2)) == [(1.0, 8.0, 0.0)]


def test_what_is_called_off_is_no_error() -> None:
    """The second attempt is withdrawn when the first, given up for dead, is acknowledged."""
    policy = DeliveryPolicy(ack_timeout=1.0)
    run = simulate(brokered.world([0], brokered.takes(1.5), policy, duration=10.0))
    assert "withdrawn" in set(run.attempts["outcome"])
    assert fired(run, "error_rate of worker > 0") == []


def test_alerts_come_in_the_order_of_time(three_at_once: Run) -> None:
    """Several rules share a table, which has its columns and types even if nothing fires."""
    table = three_at_once.alerts(["backlog < 1", Alert("busy > 0", name="somebody works")])
    assert rows(table, "alert", "metric", "fired_at", "resolved_at") == [
        ("somebody works", "busy", 0.0, 3.0),
        ("backlog < 1", "backlog", 3.0, None),
    ]
    empty = three_at_once.alerts([])
    assert (list(empty.columns), len(empty)) == (list(table.columns), 0)
    assert empty.dtypes.equals(table.dtypes)


# -- in a picture ------------------------------------------------------------------------------


def bars(ax: Any) -> list[list[float]]:
    """When the bars of a picture begin and end."""
    drawn = [line for line in ax.lines if line.get_label() == "_firing"]
    return [list(line.get_xdata()) for line in drawn if line.get_linestyle() != "None"]


def test_a_timeline_shows_when_alerts_fired(three_at_once: Run) -> None:
    """A bar from firing to resolving, or to the edge; what did not fire is said, not drawn."""
    rules = ["backlog > 1", Alert("backlog < 1", name="all done"), "dead_letters > 0"]
    ax = draw_timeline(three_at_once, "backlog", alerts=rules)
    assert bars(ax) == [[0.0, 2.0], [3.0, 10.0]]
    assert [text.get_text() for text in ax.texts[:3]] == [
        "backlog > 1",
        "all done",
        "dead_letters > 0 (did not fire)",
    ]
    assert (
        "Alerts: backlog > 1 from 0 s to 2 s; all done from 3 s on; dead_letters > 0 did not fire."
    ) in describe(ax).replace("\n", " ")


def test_alerts_hide_nothing_of_the_curve(three_at_once: Run) -> None:
    """The rows stand above the greatest value, and without alerts the picture is as ever."""
    plain = draw_timeline(three_at_once, "backlog")
    assert bars(plain) == []
    assert "Alerts" not in describe(plain)
    ax = draw_timeline(three_at_once, "backlog", alerts=["backlog > 1", "queue > 0"])
    ax.figure.canvas.draw()
    below = min(text.get_window_extent().y0 for text in ax.texts if ">" in text.get_text())
    drawn = [line for line in ax.lines if line.get_label() == "_firing"]
    lowest = min(below, *(line.get_window_extent().y0 for line in drawn))
    assert ax.transData.transform((0, 3.0))[1] < lowest


def test_a_picture_lasts_until_the_last_alert_resolves() -> None:
    """A window that empties after the traffic is in the picture, and so is whose alert it is."""
    policy = DeliveryPolicy(retry=brokered.retry(1))
    failing = brokered.world([8], brokered.takes(1.0, transient=1.0), policy, duration=10.0)
    runs = {"fails": simulate(failing), "works": simulate(brokered.world([8], brokered.takes(1.0)))}
    ax = draw_timeline(runs, "backlog", alerts=Alert("dead_letters > 0", window=20))
    assert bars(ax) == [[9.0, 29.0]]
    assert ax.get_xlim()[1] >= 29.0
    words = describe(ax).replace("\n", " ")
    assert "fails: dead_letters > 0 from 9 s to 29 s; works: dead_letters > 0 did not fire" in words


def test_many_firings_are_counted(two_waves: Run) -> None:
    """Twice is drawn twice and said once; a rule that cannot be right draws nothing at all."""
    ax = draw_timeline(two_waves, "busy", alerts="busy > 0")
    assert bars(ax) == [[0.0, 4.0], [10.0, 14.0]]
    assert ax.texts[0].get_text() == "busy > 0 (2 times)"
    with pytest.raises(InvalidInput, match="did you mean"):
        draw_timeline(two_waves, "busy", alerts="busi > 0")
