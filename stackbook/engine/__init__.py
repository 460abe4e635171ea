"""Plan, apply, verify and undo: the engine that every runbook shares."""

from stackbook.engine.apply import Outcome, apply
from stackbook.engine.planning import Planned, plan, verify
from stackbook.engine.undo import plan_undo

__all__ = ["Outcome", "Planned", "apply", "plan", "plan_undo", "verify"]
