"""Benchmarks: each is one command that measures, compares side by side, and ends in one record with its goals."""
