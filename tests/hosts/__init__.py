"""Tests of hosts: this machine, and others over SSH."""
