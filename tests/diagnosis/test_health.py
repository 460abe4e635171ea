"""What health says about hosts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stackbook.health import agents, log_rates, unanswered, units
from stackbook.logs.asking import Answers
from stackbook.logs.event import Skipped

from .made_up import BEGIN, Logs, made_up

SYSTEMCTL = """\
#!/bin/sh
for word; do
  case $word in
    show|-*) continue ;;
    *nova-conductor) load=loaded active=activating sub=auto-restart file=enabled times=28 ;;
    *nova-scheduler) load=loaded active=failed sub=failed file=enabled times=5 ;;
    *nova-compute) load=loaded active=active sub=running file=disabled times=0 ;;
    *nova-api) load=loaded active=active sub=running file=enabled times=9 ;;
    *) load=not-found active=inactive sub=dead file= times=0 ;;
  esac
  printf 'LoadState=%s\\nActiveState=%s\\nSubState=%s\\nUnitFileState=%s\\nNRestarts=%s\\n' $load $active $sub "$file" $times
  printf 'ActiveEnterTimestamp=Mon 2026-11-23 17:16:16.250000 UTC\\nStateChangeTimestamp=Mon 2026-11-23 17:16:16.250000 UTC\\n\\n'
done
"""


def test_a_wrong_clock_is_an_error(logs: Logs) -> None:
    """A host whose clock is two hours behind is among the worst; the others are not named."""
    date = logs.folder / "compute1" / "usr" / "bin" / "date"
    date.parent.mkdir(parents=True)
    date.write_text('#!/bin/sh\nexec /bin/date -d "2 hours ago" "$@"\n')
    date.chmod(0o755)
    site = made_up(logs)
    (row,) = log_rates(site, Answers(None))
    assert (row["level"], row["subject"]) == ("error", "compute1")
    assert row["summary"].startswith("the clock of compute1 is 2:00:0")


def test_what_the_errors_say(logs: Logs) -> None:
    """A service that logs many errors is told with the last of them: what it means where that is known, else where it stands."""
    ago = (datetime.now(UTC) - BEGIN).total_seconds() - 3600
    refused = "(pymysql.err.OperationalError) (1040, 'Too many connections')"
    for number in range(6):
        logs.add("controller1", "cinder-api", ago + number, "ERROR", refused)
        logs.add("compute1", "nova-compute", ago + number, "ERROR", f"never seen {number}" + "." * 300)
    found = {row["subject"]: row for row in log_rates(made_up(logs), Answers(None))}
    known, unknown = found["cinder-api on controller1"], found["nova-compute on compute1"]
    assert known["summary"].startswith("6 errors logged in the last day, 0 in the day before; the last: MariaDB refuses")
    assert "max_connections = " in known["hint"]
    assert "the last: never seen 5..." in unknown["summary"] and unknown["summary"].endswith("…")
    assert unknown["hint"] == "read compute1:/var/log/nova/nova-compute.log"


def test_services_that_do_not_stay(logs: Logs) -> None:
    """What ended, what ends again and again, what will not come up; what was restarted long ago and runs is left alone."""
    program = logs.folder / "controller1" / "usr" / "bin" / "systemctl"
    program.parent.mkdir(parents=True)
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    found = {row["subject"]: (row["level"], row["summary"]) for row in units(made_up(logs), Answers(None))}
    assert {found.pop(host)[0] for host in ("compute1", "compute2")} == {"warning"}  # there is no systemctl
    assert found == {
        "openstack-nova-conductor on controller1": ("error", "ends again and again: systemd started it 28 times by now"),
        "openstack-nova-scheduler on controller1": ("error", "ended by itself, 2026-11-23 17:16:16"),
        "services of controller1": (
            "warning",
            "openstack-nova-compute: running, but not enabled: they will not come up with their host",
        ),
    }


def test_what_one_api_does_not_answer_is_one_row() -> None:
    """The same reason for several questions is told once, with a hint; another reason by itself."""
    answers = Answers(None)
    for path in ("/os-services", "/volumes/detail"):
        answers.skipped.append(Skipped("", f"API block_storage: {path}", "HTTP 500: no", "stackbook trace req-1"))
    answers.skipped.append(Skipped("", "API network", "the cloud does not answer", "stackbook doctor"))
    assert [(row["subject"], row["summary"], row["hint"]) for row in unanswered(answers)] == [
        ("API block_storage: 2 questions", "HTTP 500: no", "stackbook trace req-1"),
        ("API network", "the cloud does not answer", "stackbook doctor"),
    ]


class FakeAnswers(Answers):
    """Answers that were noted on a cloud whose cell database refused connections."""

    def rows(self, service: str, path: str, key: str) -> list[dict[str, Any]]:
        """The one listing that nova gave."""
        return [{"binary": "nova-compute", "host": "deb1", "status": "UNKNOWN"}] if path == "/os-services" == f"/os-{key}" else []


def test_a_cell_that_does_not_answer(logs: Logs) -> None:
    """Nova tells of what is in it, and no more: that is an error, too."""
    row, *_ = agents(made_up(logs), FakeAnswers(None))
    assert (row["level"], row["subject"]) == ("error", "nova-compute on deb1")
    assert "its cell's database does not answer" in row["summary"]
