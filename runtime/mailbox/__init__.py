"""Arrays from one process of a host to another without a copy on the way: a ring of slots in shared memory.

layout   where what lies in the file
locks    byte ranges that the kernel gives back when their holder dies
box      putting in and taking out
"""
