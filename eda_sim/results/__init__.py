"""What happened: the tables of a run, and everything that is derived from them."""
