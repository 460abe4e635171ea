"""Configuration files against what the services know of their options."""

from stackbook.options.judge import Finding, findings
from stackbook.options.knowledge import Knowledge, knowledge, projects

__all__ = ["Finding", "Knowledge", "findings", "knowledge", "projects"]
