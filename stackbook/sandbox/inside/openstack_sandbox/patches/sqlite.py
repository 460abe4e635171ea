"""Makes oslo.db's SQLite stand many threads: immediate write transactions, WAL, pooled connections.

Why: oslo.db opens every transaction with a deferred BEGIN. A writer that has read before then has to upgrade its read
snapshot, and SQLite refuses that at once ("database is locked") when another writer was faster; ``busy_timeout`` does
not help. Writers that say BEGIN IMMEDIATE wait in line instead. Connections are pooled because each new one parses the
whole schema again (milliseconds for neutron's two hundred tables). And oslo.db sleeps for zero seconds whenever a
connection is given back, for eventlet's sake: on a busy machine that costs a thread its turn, milliseconds each time.
"""

from __future__ import annotations

import sqlite3
from typing import Any

BUSY_TIMEOUT_MS = 60_000
POOL_SIZE = 8
POOL_OVERFLOW = 64
_IMMEDIATE = "sqlite_immediate"
_BEGUN = "in_transaction"  # oslo.db's own mark: a transaction was begun on this connection


def apply() -> None:
    """Patch oslo.db and SQLAlchemy; call once, before the first engine is made."""
    from sqlalchemy import Engine, event

    event.listen(Engine, "connect", _set_pragmas)
    event.listen(Engine, "checkin", _forget_transaction)
    event.listen(Engine, "begin", _begin_immediate)
    _pool_connections()
    _do_not_yield()
    _mark_writers()


def _set_pragmas(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")


def _forget_transaction(_connection: Any, record: Any) -> None:
    # A session dropped without close() is rolled back by the pool, without the events that clear oslo.db's mark. Left
    # in place, it would make the connection's next user write without a transaction.
    record.info.pop(_BEGUN, None)


def _begin_immediate(connection: Any) -> None:
    if connection.get_execution_options().get(_IMMEDIATE) and _BEGUN not in connection.info:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.info[_BEGUN] = True


def _pool_connections() -> None:
    from oslo_db.sqlalchemy import engines
    from sqlalchemy import pool

    def pooled(url: Any, engine_args: dict[str, Any], _options: dict[str, Any]) -> None:
        if engine_args.get("poolclass") is pool.NullPool:
            engine_args.update(poolclass=pool.QueuePool, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW)
            engine_args["connect_args"]["check_same_thread"] = False

    engines._init_connection_args.dispatch_for("sqlite")(pooled)


def _do_not_yield() -> None:
    from oslo_db.sqlalchemy import engines

    engines._thread_yield = lambda _connection, _record: None


def _mark_writers() -> None:
    """Bind writer sessions and connections to a view of the engine that carries the mark."""
    from oslo_db.sqlalchemy import enginefacade

    factory = enginefacade._TransactionFactory
    writer = enginefacade._WRITER
    create_session, create_connection = factory._create_session, factory._create_connection

    def session(self: Any, mode: Any, bind: Any = None) -> Any:
        if mode is writer and bind is None:
            bind = _immediate(self)
        return create_session(self, mode, bind)

    def connection(self: Any, mode: Any) -> Any:
        return _immediate(self).connect() if mode is writer else create_connection(self, mode)

    factory._create_session, factory._create_connection = session, connection


def _immediate(factory: Any) -> Any:
    if not factory._started:
        factory._start()
    engine = factory._writer_engine
    return engine.execution_options(**{_IMMEDIATE: True}) if engine.dialect.name == "sqlite" else engine
