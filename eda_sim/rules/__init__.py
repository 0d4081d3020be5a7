"""What every engine obeys and every result trusts.

The ``plan`` says what a scenario sets in motion, ``order`` and ``identity`` what comes first at
one instant and what an id is made of; ``luck``, ``addresses`` and ``quantiles`` are the random
numbers, addressed. ``lifecycle`` has what can become of a call, a delivery, an instance and a
breaker, ``outcomes`` how things end; ``protection``, ``memory``, ``scaling``, ``backoff`` and
``partitioning`` decide by arithmetic alone. ``tables`` and ``incidents`` are what a run writes
down.
"""
