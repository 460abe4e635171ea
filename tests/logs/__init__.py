"""Tests of finding, searching and parsing logs."""
