"""Python side of evicpress: what has to run inside a serving engine or beside a model."""
