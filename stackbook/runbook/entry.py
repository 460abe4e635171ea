"""The engine as papermill finds it by name (``papermill --engine stackbook``).

papermill loads every entry point while it is itself imported, which may be because ours imports it: so this one imports
nothing until it is used.
"""

from __future__ import annotations

from typing import Any


class Engine:
    """Stands for `stackbook.runbook.kernel.RunbookEngine`."""

    @classmethod
    def execute_notebook(cls, *arguments: Any, **named: Any) -> Any:
        """Execute a notebook with our engine."""
        from stackbook.runbook.kernel import RunbookEngine

        return RunbookEngine.execute_notebook(*arguments, **named)
