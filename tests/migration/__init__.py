"""Tests of moving machines."""
