"""Runbooks: find and describe them, check their parameters, execute them headless, record the run."""
