"""Every message of a run can be shown in a CloudEvents 1.0 envelope that others can read.

Two oracles: the rules of the specification, written down here, and the ``cloudevents``
package, which refuses what breaks them.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eda_sim import (
    Branch,
    Broker,
    Call,
    Constant,
    InvalidInput,
    Parallel,
    Publish,
    Regular,
    Retry,
    Run,
    Scenario,
    Send,
    Service,
    Traffic,
    UniformKeys,
    Work,
    event_flow,
    order_chain,
    order_pubsub,
    simulate,
    town_announcement,
)
from eda_sim.results.envelope import EPOCH

REQUIRED = {"id", "source", "specversion", "type"}
# RFC 3339, section 5.6, in UTC.
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# RFC 3986, section 2: what may stand in a URI reference.
URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-F]{2})+")


def envelopes(run: Run) -> list[dict[str, Any]]:
    """The envelope of every message of a run, in the order of its table."""
    return [run.envelope(message) for message in run.messages["message"]]


RUNS = {
    "event flow": simulate(event_flow(duration=1, warmup=0), seed=2),
    "chain": simulate(order_chain(duration=1, warmup=0), seed=2),
    "square": simulate(town_announcement(duration=60, busy_at=30), seed=2),
}


@pytest.mark.parametrize("name", RUNS)
def test_an_envelope_obeys_the_specification(name: str) -> None:
    """Required attributes, names in lower case and digits, the types of section "Type System"."""
    for envelope in envelopes(RUNS[name]):
        attributes = {key: value for key, value in envelope.items() if key != "data"}
        assert attributes.keys() >= REQUIRED
        assert all(re.fullmatch("[a-z0-9]{1,20}", key) for key in attributes)
        integer = attributes.pop("dataversion")
        assert type(integer) is int
        assert 1 <= integer < 2**31
        assert all(type(value) is str and value for value in attributes.values())
        assert envelope["specversion"] == "1.0"
        assert RFC_3339.fullmatch(envelope["time"])
        assert URI_REFERENCE.fullmatch(envelope["source"])


@pytest.mark.parametrize("name", RUNS)
def test_another_library_reads_and_writes_the_same(name: str) -> None:
    """As JSON, read by the CloudEvents package and written again, an envelope is what it was."""
    for envelope in envelopes(RUNS[name]):
        text = json.dumps(envelope, allow_nan=False)
        event = JSONFormat().read(CloudEvent, text.encode())
        assert event.get_id() == envelope["id"]
        assert event.get_extension("correlationid") == envelope["correlationid"]
        again = json.loads(JSONFormat().write(event))
        assert datetime.fromisoformat(again.pop("time")) == event.get_time()
        assert datetime.fromisoformat(envelope.pop("time")) == event.get_time()
        assert again == envelope


def test_source_and_id_together_are_unique() -> None:
    """No two messages of a run look like one sent twice."""
    made = envelopes(RUNS["event flow"])
    assert len({(each["source"], each["id"]) for each in made}) == len(made)


def test_time_counts_from_the_start_of_2026() -> None:
    """Second 0 of every run is midnight, UTC; a message is as old as its table says."""
    run = RUNS["event flow"]
    assert datetime(2026, 1, 1, tzinfo=UTC) == EPOCH
    for message, published_at in run.messages[["message", "published_at"]].itertuples(index=False):
        since = datetime.fromisoformat(run.envelope(message)["time"]) - EPOCH
        assert abs(since - timedelta(seconds=published_at)) <= timedelta(microseconds=1)


def test_correlation_is_the_request_and_causation_the_parent() -> None:
    """The event points at the command whose handling published it, the command at nobody."""
    run = simulate(order_pubsub(duration=1, warmup=0), seed=7)
    commands = [each for each in envelopes(run) if each["type"] == "PlaceOrder"]
    events = [each for each in envelopes(run) if each["type"] == "OrderPlaced"]
    assert not any("causationid" in each for each in commands)
    command_of = {each["correlationid"]: each["id"] for each in commands}
    assert command_of.keys() == set(map(str, run.requests["request"]))
    assert {each["correlationid"]: each["causationid"] for each in events} == command_of


def tiny(*steps: Any, **settings: Any) -> Scenario:
    """One request a second for three seconds, to a service that does ``steps``."""
    does = {"Do": list(steps)}
    others = [
        Service("the other", on={"Help": [Work(Constant(0.1), "help")]}),
        Service("listener", on={"Done": [Work(Constant(0.1), "listen")]}),
    ]
    return Scenario(
        "tiny",
        traffic=[
            Traffic(
                settings.pop("ask", Call("Do")), Regular(1), keys=UniformKeys(5), name="a client"
            )
        ],
        services=[Service("doer", on=does), *others],
        broker=Broker(),
        duration=3,
    )


def test_subject_is_the_key_and_a_name_with_a_space_still_a_uri() -> None:
    """Subject is the aggregate that the request is about; a URI reference holds no space."""
    run = simulate(tiny(Work(Constant(0.1), "do")), seed=1)
    made = envelopes(run)
    assert [each["subject"] for each in made] == [str(key) for key in run.requests["key"]]
    assert {each["source"] for each in made} == {"a%20client"}


def test_each_publication_carries_its_own_data_and_version() -> None:
    """Told apart by its place in the handler, also inside a branch and side by side."""
    first = Publish("Done", data={"part": 1, "lines": [{"sku": "tea"}]}, version=3)
    second, third = Publish("Done", data={"part": 2}), Publish("Done", data={"part": 3}, version=9)
    run = simulate(tiny(first, Parallel([Branch(1.0, [second]), third]), Send("Help")), seed=1)
    made = [each for each in envelopes(run) if each["correlationid"] == "1"]
    by_part = {each["data"].get("part"): each for each in made if each["type"] == "Done"}
    assert {part: each["dataversion"] for part, each in by_part.items()} == {1: 3, 2: 1, 3: 9}
    assert by_part[1]["data"] == {"part": 1, "lines": [{"sku": "tea"}]}
    assert [each["data"] for each in made if each["type"] in ("Do", "Help")] == [{}, {}]


def test_a_message_made_again_has_a_new_id_and_the_same_data() -> None:
    """An attempt that fails after publishing publishes again: two messages, one content."""
    fails = [Publish("Done", data={"part": 1}), Work(Constant(0.1), "do", transient=1.0)]
    run = simulate(tiny(*fails, ask=Call("Do", retry=Retry(max_attempts=2))), seed=1)
    made = [each for each in envelopes(run) if each["type"] == "Done"]
    made = [each for each in made if each["correlationid"] == "0"]
    assert len({each["id"] for each in made}) == 2
    assert [each["data"] for each in made] == [{"part": 1}, {"part": 1}]


def test_a_second_source_has_its_own_data() -> None:
    """Ids tell the sources of traffic apart: each client's publication carries its own data."""
    listener = Service("listener", on={"Seen": [Work(Constant(0.1), "listen")]})
    publish = [Publish("Seen", data={"by": name}) for name in ("left", "right")]
    scenario = Scenario(
        "two clients",
        traffic=[
            Traffic(publish[0], Regular(1), name="left"),
            Traffic(publish[1], Regular(1), name="right"),
        ],
        services=[listener],
        broker=Broker(),
        duration=3,
    )
    made = envelopes(simulate(scenario))
    assert len(made) == 6
    assert all(each["data"] == {"by": each["source"]} for each in made)


def test_an_envelope_is_the_readers_own() -> None:
    """Changing what one got changes neither the scenario nor the next envelope."""
    run = simulate(tiny(Publish("Done", data={"lines": [1]})), seed=1)
    (message, *_) = run.messages.loc[run.messages["name"] == "Done", "message"]
    run.envelope(message)["data"]["lines"].append(2)
    assert run.envelope(message)["data"] == {"lines": [1]}


@pytest.mark.parametrize("unknown", [99_999, -1, np.int64(10**15)])
def test_an_unknown_message_is_refused(unknown: int) -> None:
    """One line says which id and where to look."""
    with pytest.raises(InvalidInput, match=rf"got {unknown}: look in the column 'message'"):
        RUNS["chain"].envelope(unknown)
