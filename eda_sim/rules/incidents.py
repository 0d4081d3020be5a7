"""What can go wrong with a message on its way, by name.

An engine writes each of these down when and where it happens, and nothing else needs
to be said about a request that ends badly: whatever is missing, done twice or done too
late in the ledger has one of them behind it, or the end of the run. Of two at one instant
the one that stands later here follows from the other. To be given up is no reason, but
what follows from one: it is here for the sake of its time.
"""

from typing import Final

INCIDENTS: Final = {
    # of work
    "transient_failure": "the work failed, as another try may not",
    "permanent_failure": "the work fails for this request, however often it is tried",
    "poison_message": "the message fails, however often it is tried",
    "bad_deployment": "the work failed in the version that was deployed just then",
    # of instances
    "crashed": "the instance died while it was handling the message",
    "returned": "the instance that held it was gone before it had begun with it",
    "refused": "no instance was up",
    # of those who protect themselves
    "inbox_full": "the inbox was full",
    "rate_limited": "the token bucket was empty",
    "shed": "others had waited too long already",
    "bulkhead_full": "the caller had as many such calls under way as it may",
    "short_circuited": "the circuit breaker was open",
    "topic_full": "the topic was full",
    # of patience
    "timed_out": "its caller waited no longer",
    "deadline_passed": "nobody waited for it any more",
    "budget_exhausted": "the retry budget did not allow another try",
    "acknowledgement_timed_out": "the broker waited no longer for its acknowledgement",
    # of links
    "cut_off": "nothing passed the link",
    "lost_on_the_way": "it got lost on the link",
    "acknowledgement_lost": "its acknowledgement did not reach the broker",
    "confirmation_lost": "the broker had accepted it, but its publisher did not hear of that",
    "doubled": "it arrived twice",
    "deduplicated": "the broker had it already, and knew that",
    "accepted_again": "it was published again, and the broker accepted it again",
    "held_up": "it was held up on the link, and others overtook it",
    # of dead letters
    "dead_lettered": "it was given up, and kept in the dead-letter queue",
    "redriven": "it left the dead-letter queue to be handled again",
}
