"""Packstack: answer files read, checked and edited."""
