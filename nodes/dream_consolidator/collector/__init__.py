"""Salient exchanges, kept to learn from.

examples    one kept exchange, and the keyed digests that split and deduplicate
store       the sealed store of examples
"""
