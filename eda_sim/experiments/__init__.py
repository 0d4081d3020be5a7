"""Many runs: what one lucky run cannot tell.

Every estimate here carries its interval and the number of replications behind
it. Nothing is drawn: the pictures live in ``views``.
"""
