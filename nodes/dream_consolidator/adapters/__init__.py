"""Learned weights, where they lie and which are in force.

registry    a folder per digest, and the pointer to the ones in force
"""
