"""Engines: the gradient backends, one file for each array framework."""
