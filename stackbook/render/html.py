"""Plans, proofs, outcomes, findings and errors as HTML that reads well in JupyterLab and in a report, light and dark.

Whatever comes from a site is text: every value passes `text`. The markup uses elements and ``sb-`` classes only, no
ids, no inline style but the width of a bar, so that the report's sanitizer lets it pass as it is. Without the style
sheet (a notebook that JupyterLab does not trust) it still reads: insertions and deletions are ``ins`` and ``del``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Protocol

from stackbook.plans import Change, Plan
from stackbook.render.table import table
from stackbook.render.text import SIGNS, Claimed, line_diff, parts, phrases, sides
from stackbook.render.values import one_line, shown

_KIND = re.compile(r"[a-z][a-z0-9-]*")
LEVELS = {"error": "bad", "critical": "bad", "warning": "warn", "info": "note", "ok": "good", "good": "good"}


class Done(Protocol):
    """What applying a plan did."""

    @property
    def status(self) -> str:
        """``applied`` or ``unchanged``."""

    @property
    def digest(self) -> str:
        """The plan's name."""

    @property
    def done(self) -> int:
        """Changes made."""

    @property
    def planned(self) -> int:
        """Changes planned."""

    @property
    def seconds(self) -> float:
        """How long it took."""


def text(value: Any) -> str:
    """`value` as escaped text of an element or attribute."""
    return escape(shown(value, ""))


def block(*parts: str, kind: str = "") -> str:
    """`parts` as one output: a ``div`` of class ``sb`` with its style sheet."""
    return f'<div class="{f"sb {kind}".strip()}"><style>{style()}</style>{"".join(parts)}</div>'


@cache
def style() -> str:
    """The style sheet of all outputs, without comments and line breaks."""
    raw = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", raw, flags=re.DOTALL)).strip()


def plan_html(plan: Plan) -> str:
    """The plan as a before/after diff in the colours of diffs, with its counts and the digest that approves it."""
    if not len(plan):
        kept = f"{plan.kept} as they should be" if plan.kept else "nothing asked for"
        return block(line("good", f"Nothing to do on {plan.site}", f"{kept} · {plan.digest}"))
    return block(_plan_head(plan), *map(change_html, plan), kind="sb-plan")


def proof_html(shown: Claimed) -> str:
    """A green line when the table is empty, as expected; else the red rows that contradict."""
    return block(proof(shown.claim, list(shown)))


def proof(claim: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """A claim and its counterexamples."""
    listed = list(rows)
    if not listed:
        return line("good", claim, "empty, as expected")
    return line("bad", f"expected: {claim}", f"found {len(listed)}") + table(listed, kind="sb-against")


def outcome_html(outcome: Done) -> str:
    """One line: what was done and how long it took."""
    if outcome.status == "unchanged":
        return block(line("good", "Nothing to do", outcome.digest))
    whole = outcome.done == outcome.planned
    said = f"{outcome.done} of {outcome.planned} changes made"
    return block(line("good" if whole else "bad", said, f"{outcome.seconds:.1f} s · {outcome.digest}"))


def findings_html(findings: Iterable[Mapping[str, Any]]) -> str:
    """Findings with level, subject, summary and hint, each with a coloured edge."""
    listed = list(findings)
    return block(*map(finding, listed)) if listed else block(line("good", "No findings"))


def error_html(error: Mapping[str, Any]) -> str:
    """An error as its record holds it: what, found, one next step."""
    return block(
        callout("bad", str(error.get("type") or "Error"), error.get("what"), found_list(error.get("found")), error.get("hint"))
    )


def table_html(rows: Any, caption: str = "") -> str:
    """Rows or a DataFrame as a table: numbers right-aligned, small bars for shares such as used of total."""
    return block(table(rows, caption=caption))


def line(kind: str, said: str, aside: str = "") -> str:
    """One line with a mark: ``good``, ``bad``, ``warn`` or ``note``."""
    mark = {"good": "✓", "bad": "✗", "warn": "!", "note": "i"}[kind]
    more = f' <span class="sb-aside">{text(aside)}</span>' if aside else ""
    return f'<div class="sb-line sb-{kind}"><b class="sb-mark">{mark}</b> <span class="sb-said">{text(said)}</span>{more}</div>'


def _plan_head(plan: Plan) -> str:
    counts = " ".join(
        f'<span class="sb-count sb-{action}">{SIGNS[action].replace("-", "−")} {count} to {action}</span>'
        for action, count in plan.counts.items()
        if count
    )
    lasting = f' <span class="sb-count sb-lasting">! {len(plan.irreversible)} can’t be undone</span>' if plan.irreversible else ""
    kept = f"{plan.kept} as they should be · " if plan.kept else ""
    aside = f'<span class="sb-aside">{kept}{text(plan.site)}</span>'
    return f'<div class="sb-head"><span>Plan <code>{text(plan.digest)}</code></span> {counts}{lasting} {aside}</div>'


def change_html(change: Change) -> str:
    """One change: its sign and address, then a row per field with before and after."""
    sign = SIGNS[change.action].replace("-", "−")
    lasting = "" if change.reversible else ' <span class="sb-count sb-lasting">! can’t be undone</span>'
    reason = f' <span class="sb-aside">{text(change.reason)}</span>' if change.reason else ""
    mark = f'<b class="sb-sign">{sign}</b>'
    head = f'<div class="sb-address">{mark} <code>{address(change.address)}</code>{lasting}{reason}</div>'
    fields = "".join(_field(change, name, pair) for name, pair in parts(change))
    fields += "".join(f'<tr><td colspan="2">{escape(words)}</td></tr>' for words in phrases(change))
    listed = f'<table class="sb-fields"><tbody>{fields}</tbody></table>' if fields else ""
    return f'<div class="sb-change sb-{change.action}">{head}{listed}</div>'


def address(value: str) -> str:
    """A resource's address, its kind set off from its name."""
    kind, slash, name = value.partition("/")
    if not slash or not _KIND.fullmatch(kind):
        return escape(one_line(value))
    return f'<span class="sb-kind">{escape(kind)}/</span>{escape(one_line(name))}'


def _field(change: Change, name: str, pair: Mapping[str, Any]) -> str:
    before, after = sides(change, pair)
    if "\n" in f"{before}{after}":
        value = f'<pre class="sb-lines">{"".join(_diff_lines(before or "", after or ""))}</pre>'
    else:
        tagged = (("del", before, pair["before"]), ("ins", after, pair["after"]))
        arrow = ' <span class="sb-arrow">→</span> '
        value = arrow.join(f"<{tag}>{_side(side, raw)}</{tag}>" for tag, side, raw in tagged if side is not None)
    return f"<tr><th>{escape(one_line(name))}</th><td>{value}</td></tr>"


def _side(side: str, raw: Any) -> str:
    """A value on one side of a field; words of ours (site chooses, none, empty) in italics, to tell them from values."""
    return f"<i>{escape(side)}</i>" if raw in (None, [], {}) else escape(side)


def _diff_lines(before: str, after: str) -> Iterator[str]:
    for sign, said in line_diff(before, after):
        if sign == "@":
            yield f'<span class="sb-alike">⋯ {escape(said)}\n</span>'
        else:
            tag = {"+": "ins", "-": "del"}.get(sign, "span")
            yield f"<{tag}>{sign.replace('-', '−')} {escape(said)}\n</{tag}>"


def finding(found: Mapping[str, Any]) -> str:
    """One finding as a box with a coloured edge."""
    kind = LEVELS.get(str(found.get("level", "info")).lower(), "note")
    return callout(kind, found.get("subject"), found.get("summary"), "", found.get("hint"))


def callout(kind: str, title: Any, said: Any, more: str, hint: Any) -> str:
    """A box with a coloured edge: title, what is said, more (HTML), one next step."""
    head = f'<div class="sb-title">{text(title)}</div>' if title else ""
    what = f'<div class="sb-what">{text(said)}</div>' if said else ""
    step = f'<div class="sb-hint"><b>Try</b> {text(hint)}</div>' if hint else ""
    return f'<div class="sb-callout sb-{kind}">{head}{what}{more}{step}</div>'


def found_list(found: Any) -> str:
    """What an error found, as a list; nothing for nothing."""
    if found in (None, "", [], {}):
        return ""
    items = found if isinstance(found, (list, tuple)) else [found]
    listed = "".join(f"<li>{text(item)}</li>" for item in items)
    return f'<div class="sb-found"><b>Found</b><ul>{listed}</ul></div>'
