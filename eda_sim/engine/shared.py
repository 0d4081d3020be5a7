"""What several steps of a run share: protections, memories and topics, each made once.

All workers of a caller share the guards and the retry budget of a command, all attempts of an
idempotent handler what it remembers, and all publishers of an event its topic.
"""

from eda_sim.engine.memory import Memory
from eda_sim.engine.protection import Breaker, Budget, Bulkhead, Guard
from eda_sim.engine.stage import Stage
from eda_sim.engine.topic import Topic
from eda_sim.rules.plan import CallNode, HandlerNode, PublicationNode
from eda_sim.scenario.delivery import CircuitBreaker, RetryBudget


class Shared:
    """The shared things of one run, by what they are shared for."""

    def __init__(self, stage: Stage) -> None:
        self._clock = stage.clock
        self._guards: dict[tuple[str, str, CircuitBreaker | None, int | None], tuple[Guard, ...]]
        self._guards = {}
        self._budgets: dict[tuple[str, str, RetryBudget], Budget] = {}
        self._memories: dict[tuple[str, str], Memory] = {}
        self._topics: dict[str, Topic] = {}

    def guards(self, node: CallNode) -> tuple[Guard, ...]:
        """Return the guards of a call, which its caller shares for the command."""
        breaker, bulkhead = node.step.breaker, node.step.bulkhead
        key = (node.owner, node.name, breaker, bulkhead)
        if key not in self._guards:
            guards: list[Guard] = []
            if breaker is not None:
                guards.append(Breaker(self._clock, breaker))
            if bulkhead is not None:
                guards.append(Bulkhead(bulkhead))
            self._guards[key] = tuple(guards)
        return self._guards[key]

    def budget(self, node: CallNode) -> Budget | None:
        """Return the retry budget of a call, which its caller shares for the command."""
        retry = node.step.retry
        if retry is None or retry.budget is None:
            return None
        key = (node.owner, node.name, retry.budget)
        return self._budgets.setdefault(key, Budget(retry.budget))

    def memory(self, node: HandlerNode | None) -> Memory | None:
        """Return what an idempotent handler remembers of the messages that it has handled."""
        if node is None or node.policy is None or node.policy.deduplication is None:
            return None
        key = (node.owner, node.message.name)
        if key not in self._memories:
            self._memories[key] = Memory(self._clock, node.policy.deduplication)
        return self._memories[key]

    def topic(self, node: PublicationNode) -> Topic | None:
        """Return the topic of a message, where its capacity is limited."""
        if node.topic.capacity is None:
            return None
        return self._topics.setdefault(node.name, Topic(self._clock, node.topic.capacity))
