"""XML from strangers: no DTD, no entities, bounded in size, depth and number of elements."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from stackbook.errors import BundleRefused

MOST = 4 << 20
MOST_DEPTH, MOST_ELEMENTS = 64, 50_000


class _Bounded(TreeBuilder):
    """Builds a tree no deeper and no larger than a sound OVF."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = self.count = 0

    def start(self, tag: str, attributes: dict[str, str], /) -> Element:
        self.depth += 1
        self.count += 1
        if self.depth > MOST_DEPTH or self.count > MOST_ELEMENTS:
            raise BundleRefused(f"its XML is deeper than {MOST_DEPTH} or has more than {MOST_ELEMENTS} elements")
        return super().start(tag, attributes)

    def end(self, tag: str, /) -> Element:
        self.depth -= 1
        return super().end(tag)


def parse(content: bytes, place: str) -> Element:
    """The root element; refused are DTDs, entities, references to outside and what is no XML."""
    from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        parser.feed(content)
        root = parser.close()
    except DefusedXmlException as error:
        what = f"{place}: it holds a document type or entities, which could name other files or grow without end"
        raise BundleRefused(
            what, found=type(error).__name__, hint="an OVF needs none: take them out, or export it again"
        ) from None
    except BundleRefused as error:
        raise BundleRefused(f"{place}: {error.what}") from None
    except (ParseError, ValueError, LookupError) as error:  # the last two: encodings that do not exist
        raise BundleRefused(f"{place}: it is no sound XML", found=str(error)[:200], hint="copy or export it again") from None
    return root  # type: ignore[no-any-return]


def local(element: Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """The attribute of that name, in whatever namespace; empty when there is none."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def children(element: Element, name: str) -> Iterator[Element]:
    """The direct children of that name, in whatever namespace."""
    return (child for child in element if local(child) == name)


def child(element: Element, name: str) -> Element | None:
    """The first direct child of that name."""
    return next(children(element, name), None)


def text(element: Element, name: str) -> str:
    """The text of the first direct child of that name; empty when there is none."""
    found = child(element, name)
    return (found.text or "").strip() if found is not None else ""
