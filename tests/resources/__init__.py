"""Tests of the resource kinds."""
