"""The terms of a subscription: what one subscriber of one message has been promised.

They are the delivery policy in force, as the engine needs it, with the random numbers and the
turns of its node in the plan. What becomes of each delivery under them is in ``delivery``.
"""

from eda_sim.engine.dead_letters import DeadLetters
from eda_sim.engine.job import Handling
from eda_sim.engine.prefetching import Line
from eda_sim.engine.stage import Stage
from eda_sim.engine.waiting import Queue
from eda_sim.rules.luck import Times, times
from eda_sim.rules.plan import HandlerNode
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.faults import BROKER

_ONCE = Retry(max_attempts=1)


class Terms:
    """What holds for every delivery of one message to one subscriber at one place."""

    def __init__(
        self,
        stage: Stage,
        node: HandlerNode,
        broker: Broker,
        policy: DeliveryPolicy,
        handling: Handling,
        common_queue: Queue,
        letters: DeadLetters | None,
        line: Line | None,
    ) -> None:
        luck, address = stage.luck, node.address
        turnaround = address.of("turnaround")
        self.clock = stage.clock
        self.note = stage.incidents.note
        self.network = stage.network
        self.again = stage.standstill.again
        self.codes = stage.recorder.codes
        self.service = stage.recorder.names.code(node.owner)
        self.message_name = node.message.name
        self.handling = handling
        self.common_queue = common_queue
        self.letters = letters
        self.line = line  # where it waits to be pushed to an instance
        self.at_most_once = policy.guarantee == "at_most_once"
        self.retry = _ONCE if self.at_most_once else policy.retry
        self.keeps_dead = policy.dead_letter and not self.at_most_once
        self.counts_crashes = policy.counts_crashes
        self.at_the_head = policy.requeue == "head"
        self.retry_topic = policy.retry_topic
        self.ack_timeout = policy.ack_timeout
        self.republish_after = broker.republish_after
        # Whether a delivery must know which of its attempts waits.
        self.remembers = policy.ordered or policy.ack_timeout is not None
        self.acknowledges = broker.turnaround.mean > 0 and not self.at_most_once
        self.turnaround = times(luck, broker.turnaround, *turnaround)
        self.jitter = Times(luck.stream(*address.of("jitter")), float)
        self.ack_link = stage.network.link(node.owner, BROKER, address.of("acknowledge"))
        self.acknowledged = node.acknowledged
        self.times_out = node.times_out
        self.due = node.is_due

    @property
    def given_up(self) -> str:
        """What happens to a delivery that is given up, as its lifecycle calls it."""
        return "dead_lettered" if self.keeps_dead else "discarded"
