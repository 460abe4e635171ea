"""Packstack's answer files: the options of each release, what a file says, and what contradicts itself in it."""
