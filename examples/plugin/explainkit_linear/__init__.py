"""A linear model of pixels, and how explainkit explains it."""
