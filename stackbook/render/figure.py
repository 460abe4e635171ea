"""Figures of matplotlib as SVG that follows light and dark, in JupyterLab and in reports."""

from __future__ import annotations

import io
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

from stackbook.render.svg import inline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBERS = count(1)
SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "stackbook", "font.size": 9}
"""Text stays text, and equal figures are equal files."""


class Drawing:
    """A figure as SVG; black lines and letters take the colour of the text around it.

    Args:
        figure: Drawn with matplotlib; it is closed. Colours other than black stay: choose such as read on light and dark.
        alt: What it shows, for those who can't see it.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        import matplotlib as mpl
        from matplotlib import pyplot as plt

        drawn = io.StringIO()
        with mpl.rc_context(SETTINGS):
            figure.savefig(drawn, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
        self.svg, self.alt = drawn.getvalue(), alt

    def __repr__(self) -> str:
        return f"figure: {self.alt}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        shown = inline(self.svg, next(_NUMBERS), self.alt) or escape(self.alt)
        return {"text/plain": repr(self), "text/html": shown, "image/svg+xml": self.svg}, {"image/svg+xml": {"alt": self.alt}}
