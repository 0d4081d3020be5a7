"""A scenario is data: it can be written down, read again, checked by an editor, and shipped."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_sim.catalog import CATALOG
from eda_sim.errors import InvalidInput
from eda_sim.scenario.distributions import Constant, Exponential
from eda_sim.scenario.frozen import FrozenDict
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from tests.strategies import scenarios

# Of what is odd in random worlds is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")

# Each world is a whole system: forty differ enough.
few = settings(max_examples=40)

SCHEMA = Scenario.json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

GREETER = Scenario(
    "one service",
    traffic=[Traffic(Call("Greet"), Poisson(rate=80))],
    services=[Service("greeter", on={"Greet": [Work(Exponential(0.01), "greet")]})],
)

GREETER_YAML = """\
name: one service
traffic:
- message: {kind: call, command: Greet}
  arrivals: {kind: poisson, rate: 80}
services:
- name: greeter
  on:
    Greet:
    - {kind: work, duration: {kind: exponential, mean: 10.0e-3}, label: greet}
"""

# -- there and back ------------------------------------------------------------


@few
@given(scenarios())
def test_plain_data_gives_the_scenario_back(scenario: Scenario) -> None:
    """Whatever can be described can be written as plain data and as YAML, and read again."""
    assert Scenario.from_dict(scenario.to_dict()) == scenario
    assert Scenario.from_yaml(scenario.to_yaml()) == scenario


@few
@given(scenarios())
def test_plain_data_is_plain(scenario: Scenario) -> None:
    """What is written down is what JSON knows, so that any program can read it."""
    plain = scenario.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert Scenario.from_dict(json.loads(json.dumps(plain))) == scenario


@few
@given(scenarios())
def test_a_scenario_can_be_shipped(scenario: Scenario) -> None:
    """Pickled and unpickled, a scenario equals itself, is as hashable and as frozen."""
    copy = pickle.loads(pickle.dumps(scenario))
    assert copy == scenario
    assert copy is not scenario
    assert hash(copy) == hash(scenario)
    assert not mutable_parts(copy)


@few
@given(scenarios())
def test_the_representation_is_the_call_that_builds_it(scenario: Scenario) -> None:
    """``repr`` is Python that gives the same scenario, in the words that its author used."""
    from eda_sim.scenario import broker, delivery, distributions, faults, service, steps, traffic

    words: dict[str, Any] = {"Scenario": Scenario}
    for module in (broker, delivery, distributions, faults, service, steps, traffic):
        words |= vars(module)
    assert eval(repr(scenario), words) == scenario


def test_yaml_written_by_hand() -> None:
    """A file says only what its author decided; ``on`` needs no quotes."""
    assert Scenario.from_yaml(GREETER_YAML) == GREETER


def test_defaults_are_not_written() -> None:
    """What stands at its default is left out, and steps without a policy are just a list."""
    assert GREETER.to_dict() == yaml.safe_load(GREETER_YAML.replace(" on:", ' "on":'))


def test_a_policy_of_its_own_is_written() -> None:
    """A handler with a delivery policy keeps it, beside its steps."""
    own = {"Greet": {"steps": [], "delivery": {"dead_letter": False}}}
    scenario = GREETER.replace("greeter.on", own)
    assert scenario.to_dict()["services"][0]["on"] == own


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_survives_yaml(name: str) -> None:
    """Names like ``on``, ``no``, ``12`` or ``- x`` come back as the texts that they were."""
    assert Scenario.from_yaml(GREETER.replace(name=name).to_yaml()).name == name


@pytest.mark.parametrize(
    "name", ["on", "off", "yes", "no", "true", "12", "1e3", "null", "~", "a: b"]
)
def test_names_that_look_like_something_else(name: str) -> None:
    """YAML's special words are ordinary names of services, messages and labels here."""
    scenario = Scenario(
        name,
        traffic=[Traffic(Call(f"Do {name}"), Poisson(1))],
        services=[Service(name, on={f"Do {name}": [Work(Constant(1), name)], name: []})],
    )
    assert Scenario.from_yaml(scenario.to_yaml()) == scenario


def test_files(tmp_path: Path) -> None:
    """A file is written where it is asked for, and read from a Path."""
    path = tmp_path / "größe.yaml"
    named = GREETER.replace(name="Grüße")
    assert named.to_yaml(path) == path.read_text(encoding="utf-8")
    assert Scenario.from_yaml(path) == named


def test_what_an_event_carries_survives() -> None:
    """An event's data may be nested; read again, it equals what was written."""
    data = {"items": [{"sku": "A1", "n": 2}], "gift": True, "note": None, "total": 9.5}
    publish = Publish("OrderPlaced", data=data, version=3)
    scenario = Scenario.from_dict(
        {
            "name": "announcement",
            "broker": {},
            "services": [],
            "traffic": [
                {
                    "message": {
                        "kind": "publish",
                        "event": "OrderPlaced",
                        "data": data,
                        "version": 3,
                    },
                    "arrivals": {"kind": "regular", "rate": 1},
                }
            ],
        }
    )
    assert scenario.traffic[0].message == publish
    assert scenario.to_dict()["traffic"][0]["message"]["data"] == data
    assert Scenario.from_yaml(scenario.to_yaml()) == scenario


# -- the JSON Schema -------------------------------------------------------------


def test_the_schema_is_one() -> None:
    """The JSON Schema obeys the draft that it names."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@few
@given(scenarios())
def test_the_schema_accepts_every_scenario(scenario: Scenario) -> None:
    """Whatever can be described satisfies the JSON Schema, so no editor marks it red."""
    VALIDATOR.validate(scenario.to_dict())


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_the_schema_accepts_the_catalog(name: str) -> None:
    """Each ready scenario satisfies the JSON Schema."""
    VALIDATOR.validate(CATALOG[name]().to_dict())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("traffic", 0, "arrivals", "rate"), 0),
        (("traffic", 0, "arrivals", "kind"), "poison"),
        (("services", 0, "workers"), 0),
        (("services", 0, "wrkers"), 1),
        (("services", 0, "on", "Greet", 0, "transient"), 1.5),
        (("services", 0, "on", "Greet", 0, "duration"), 0.01),
        (("duration",), "long"),
    ],
)
def test_the_schema_refuses_what_the_scenario_refuses(path: tuple[Any, ...], value: Any) -> None:
    """An editor marks the same mistakes that building the scenario refuses."""
    plain = GREETER.to_dict()
    VALIDATOR.validate(plain)
    inside = plain
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(plain)
    with pytest.raises(InvalidInput):
        Scenario.from_dict(plain)


# -- frozen ----------------------------------------------------------------------


def mutable_parts(part: Any) -> list[Any]:
    """Return whatever inside a description could be changed in place."""
    if is_dataclass(part):
        frozen = type(part).__dataclass_params__.frozen  # type: ignore[attr-defined]
        inner = [mutable_parts(getattr(part, field.name)) for field in fields(part)]
        return [] if frozen and not any(inner) else [part, *inner]
    if isinstance(part, tuple):
        return [found for item in part for found in mutable_parts(item)]
    if isinstance(part, Mapping):
        inner = [found for item in part.values() for found in mutable_parts(item)]
        return inner if isinstance(part, FrozenDict) else [part, *inner]
    return [] if isinstance(part, (str, int, float, bool, type(None))) else [part]


@few
@given(scenarios())
def test_frozen_all_the_way_down(scenario: Scenario) -> None:
    """No part of a scenario, however deep, can be changed in place."""
    assert not mutable_parts(scenario)


def test_what_was_given_is_not_kept() -> None:
    """Changing the lists and dicts a scenario was built from does not change the scenario."""
    steps = [Work(Constant(1), "w")]
    data: dict[str, Any] = {"items": [1, 2]}
    on = {"A": steps, "B": [Publish("Happened", data=data)]}
    service = Service("s", on=on)
    before = repr(service)
    steps.clear()
    on.clear()
    data["items"].append(3)
    assert repr(service) == before


def test_a_published_event_cannot_be_changed() -> None:
    """What an event carries is frozen too, lists within lists included."""
    publish = Publish("OrderPlaced", data={"items": [{"sku": "A1", "sizes": [1, 2]}]})
    assert not mutable_parts(publish)
    assert hash(publish) == hash(pickle.loads(pickle.dumps(publish)))
    with pytest.raises(TypeError, match="does not change"):
        publish.data["items"][0]["sku"] = "B2"


def test_setting_a_field_is_refused() -> None:
    """Assigning to a description raises, and so does deleting."""
    with pytest.raises(FrozenInstanceError):
        GREETER.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del GREETER.services[0].workers  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        lambda on: on.__setitem__("Other", Handler([])),
        lambda on: on.__delitem__("Greet"),
        lambda on: on.pop("Greet"),
        lambda on: on.popitem(),
        lambda on: on.clear(),
        lambda on: on.update(Other=Handler([])),
        lambda on: on.setdefault("Other", Handler([])),
        lambda on: on.__ior__({"Other": Handler([])}),
    ],
)
def test_what_a_service_handles_cannot_be_changed(change: Any) -> None:
    """Every way in which Python changes a dict is refused, with the remedy."""
    with pytest.raises(TypeError, match=r"does not change: use scenario\.replace"):
        change(GREETER.services[0].on)
    assert list(GREETER.services[0].on) == ["Greet"]


# -- equality --------------------------------------------------------------------


def test_equal_descriptions_are_equal() -> None:
    """Two scenarios built alike are equal and hash alike; one changed number makes them differ."""
    again = Scenario.from_yaml(GREETER_YAML)
    assert again == GREETER
    assert hash(again) == hash(GREETER)
    assert {GREETER: "found"}[again] == "found"
    assert GREETER.replace("greeter.Greet.greet.duration.mean", 0.02) != GREETER


def test_a_list_of_steps_is_a_handler() -> None:
    """Steps alone and a Handler of the same steps are the same description."""
    work = Work(Constant(1), "w")
    assert Service("s", on={"A": [work]}) == Service("s", on={"A": Handler([work])})


def test_distributions_of_different_kinds_differ() -> None:
    """A constant and an exponential with the same number are not the same."""
    assert Constant(0.05) != Exponential(0.05)
