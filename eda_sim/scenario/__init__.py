"""What is described: frozen, checked descriptions of a system, a file a concept.

Nothing here simulates, measures or plots; a description can be drawn, written
down as YAML, changed into a copy, and given to an engine.
"""
