"""Scripts that keep the project itself in order; nothing here is part of ``eda_sim``."""
