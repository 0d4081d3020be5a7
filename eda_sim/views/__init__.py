"""Pictures: functions of a scenario, a run, several runs or a comparison.

A file draws one picture. Every ``draw_`` function takes ``ax=None`` and returns
the Axes it drew on, or a Figure where one Axes is not enough; none shows it, so
that a notebook shows it once. ``style`` says how things look, ``canvas`` what all
pictures share, and ``description`` keeps what each picture says in words.

Nothing is measured here. What a picture shows comes from ``results`` and
``experiments``.
"""
