"""How fast the engine is, always as a ratio to code that does the same work.

``make bench`` runs everything. Seconds belong to a machine and a day; ratios, taken
from runs that alternate on the same machine in the same minute, travel better.
"""
