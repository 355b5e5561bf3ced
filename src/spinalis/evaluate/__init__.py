"""Measures of how well a model reads, each beside its no-skill answer. Only numpy is needed.

`metrics` compares labels and probabilities, `rsna` is the score of the RSNA 2024 set, `rsna_figures` and
`rsna_tables` tell all about a prediction file, `levels` judges located levels, `votes`, `triage`
and `triage_tables` judge chains of questions, `tables` sets the figures out.
"""
