"""Facts about eda_sim, as tiny worlds; each docstring states the fact."""
