"""Attention state of one model made into that of another, without reading the text again. Rows: `kv.features`.

projector    rows of one model to rows of another: linear maps, fitted by ridge regression
surprise     how far a model with such state is from what it would say with its own
manager      capture, project, install, go on
fit, maps    a map fitted to what both models read, and kept by their versions
"""
