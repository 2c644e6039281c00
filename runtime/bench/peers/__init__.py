"""The other ways to carry the same message between two Python processes.

They run in environments that may lack the rest of this project: what is imported here needs the standard library,
`msgspec`, and the peer itself.
"""
