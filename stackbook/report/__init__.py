"""Reports: one self-contained page per run, and an index of the runs."""

from stackbook.report.index import write_index
from stackbook.report.page import write

__all__ = ["write", "write_index"]
