"""The plan says what a scenario means: every step at every place, numbered."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from eda_sim.rules import unfolding
from eda_sim.rules.plan import CallNode, HandlerNode, Plan, PublicationNode
from eda_sim.scenario.scenario import Scenario
from tests.everything import everything
from tests.strategies import scenarios


def unfolded(node: unfolding.Node) -> Iterator[unfolding.Node]:
    """Every node of an unfolding, in the order of reading."""
    yield node
    steps: list[unfolding.Node] = []
    if isinstance(node, unfolding.MessageNode):
        steps = [step for handler in node.handlers for step in handler.steps]
    elif isinstance(node, unfolding.ParallelNode):
        steps = [*node.steps]
    elif isinstance(node, unfolding.BranchNode):
        steps = [*node.then, *node.otherwise]
    for step in steps:
        yield from unfolded(step)


@given(scenarios() | everything())
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")
def test_the_plan_is_the_unfolding(scenario: Scenario) -> None:
    """The same steps in the same order, with the same addresses, places and message numbers."""
    for source, planned in zip(scenario.traffic, Plan(scenario).unfoldings, strict=True):
        before = [
            (node.address, node.place, getattr(node, "number", None))
            for node in unfolded(unfolding.unfold(scenario, source))
        ]
        after = [
            (
                node.text,
                node.place,
                node.said if isinstance(node, (CallNode, PublicationNode)) else None,
            )
            for node in planned.as_read
            if not isinstance(node, HandlerNode)
        ]
        assert before == after
