"""Servers for one machine, run as our own child processes.

Production names addresses instead; nothing outside ``runtime`` and the tests knows that these
exist.
"""
