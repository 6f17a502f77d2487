"""Estimators: one file for each kind, which registers at the doors when it is loaded."""
