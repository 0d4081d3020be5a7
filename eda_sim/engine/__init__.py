"""How it happens: the SimPy engine, a file for each actor.

Read it in this order: ``world`` puts the actors on the stage, ``clients`` start
requests, ``calls`` and ``broker`` carry messages (``subscription`` and ``delivery`` take
over where the broker has accepted one), ``service`` and ``worker`` those that handle
them, ``steps`` is what a worker does, ``faults`` break things, ``protection`` and
``breaker`` keep that from spreading, and ``recorder`` writes down what happened. An
engine only records: whatever can be derived from the tables is derived in
``eda_sim.results``.
"""
