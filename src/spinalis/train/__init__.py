"""Training: data sets, networks, recipes, fitting, export and judging. The only room that imports torch."""
