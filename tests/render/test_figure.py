"""Figures that follow light and dark."""

from __future__ import annotations

import matplotlib as mpl

from stackbook.render.figure import Drawing


def test_a_figure_is_svg_in_the_colour_of_the_text() -> None:
    """The bundle has inline SVG for JupyterLab, SVG for the report, and the alternative text; equal figures are equal."""
    mpl.use("svg")
    from matplotlib import pyplot as plt

    def drawn() -> Drawing:
        figure, axes = plt.subplots()
        axes.plot([1, 2], color="#3b82d0")
        axes.set_title("a <b>")
        return Drawing(figure, "a line")

    first, second = drawn(), drawn()
    data, metadata = first._repr_mimebundle_()
    assert first.svg == second.svg
    assert "stroke: currentColor" in data["text/html"] and "#3b82d0" in data["text/html"] and "a &lt;b&gt;" in data["text/html"]
    assert 'aria-label="a line"' in data["text/html"] and metadata == {"image/svg+xml": {"alt": "a line"}}
    assert "#ffffff" not in data["text/html"]
    assert plt.get_fignums() == []
