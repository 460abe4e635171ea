"""What the hosts of a site are made of, and what of it will make trouble; only read."""

from stackbook.hostfacts.judge import host_findings
from stackbook.hostfacts.reading import host_survey

__all__ = ["host_findings", "host_survey"]
