"""What every engine obeys and every result trusts.

Random numbers that are addressed, the state tables of calls and deliveries, the
tables that a run writes down, what comes first at one instant, and the
unfolding that says what a request sets in motion.
"""
