"""No question before each use of a pooled SQLite connection whether it still lives.

Why: oslo.db has SQLAlchemy send ``SELECT 1`` at each checkout, for servers that close idle connections. A file does not;
and under load each statement may wait 5 ms for the interpreter's lock.
"""

from __future__ import annotations


def apply() -> None:
    """Patch SQLAlchemy's SQLite dialect."""
    from sqlalchemy.dialects.sqlite.base import SQLiteDialect

    SQLiteDialect.do_ping = lambda _dialect, _connection: True
