"""Engines that die at each commit in turn, under virtual time, and what must hold after every recovery."""
