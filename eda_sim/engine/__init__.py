"""How it happens: the SimPy engine, a file for each actor.

Read it in this order: ``world`` puts the actors on the stage, ``clients`` start
requests, ``calls`` and ``broker`` carry messages (``subscription`` and ``delivery``
take over where the broker has accepted one), a ``service`` has workers (``worker``)
that handle them, ``steps`` is what they do, ``faults`` break things, ``protection`` keeps
that from spreading, ``recorder`` writes down what happened, and ``incidents`` what went
wrong. An engine only records: whatever can be derived from the tables is derived in
``eda_sim.results``.
"""
