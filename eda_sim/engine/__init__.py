"""How it happens: the SimPy engine, a file for each actor.

Read it in this order:

- the ``world`` makes a step of each node of the plan and puts the actors on the ``stage``; the
  ``clock`` says what comes first;
- ``clients`` start each ``request``; ``calls`` carry commands, a ``publication`` what goes through
  the broker, whose side of it is the ``acceptance``;
- from there a ``subscription`` lets messages travel to one subscriber, whose ``terms`` say what is
  promised for each ``delivery``;
- each of its attempts is a ``job``, as is a call's. In front of a ``service`` jobs wait in the
  ``common_queue`` until a ``worker`` of its ``instances`` takes them; its ``books`` note how
  that goes. What not everybody may take is ``waiting`` in ``lanes`` or by ``prefetching``;
- ``steps`` are what a worker does. What several of them have in common is ``shared``: their
  ``protection``, and the ``memory`` of what has been done;
- ``faults`` break services and ``links``; an ``outbox``, a ``topic`` with a capacity,
  ``dead_letters`` and an ``autoscaler`` are there where the scenario has them;
- the ``recorder`` writes down what happened, ``incidents`` what went wrong, and ``standstill``
  ends a run in which time does not go on.

What performs a node of the plan is its *Step* (``WorkStep``, ``CallStep``, ``PublicationStep``,
``ParallelStep``, ``BranchStep``); what performs another description is its *Actor*
(``ServiceActor``, ``ClientsActor``, ``FaultActor``, ``AutoscalerActor``, ``OutboxActor``,
``RedriveActor``); what has no description has its plain name.

An engine only records: whatever can be derived from the tables is derived in
``eda_sim.results``.
"""
