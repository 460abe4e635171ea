"""Configuration files of OpenStack services, read as oslo.config reads them and edited a line at a time.

Source of the rules: ``oslo_config/iniparser.py`` and ``cfg.ConfigParser`` (oslo.config 10). For an option with one value
the last one counts, across repeated sections; an option with many values collects them all; a line that begins with a
blank continues the one before; ``;`` after a value is part of it. An edit leaves every other line as it is, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackbook.errors import BadInput

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_QUOTES = ("'", '"')


@dataclass(frozen=True)
class Assignment:
    """One ``option = value`` with its continuation lines."""

    section: str
    option: str
    value: str
    start: int
    """Index of its first line."""
    stop: int
    """Index after its last line."""


class IniText:
    """The text of one configuration file.

    Raises BadInput, with the line's number, for what oslo.config would refuse.
    """

    def __init__(self, content: bytes, name: str = "the file") -> None:
        self.name = name
        self.lines = _LINE.findall(content.decode("utf-8", "surrogateescape"))
        self.assignments: list[Assignment] = []
        self.sections: list[tuple[str, int]] = []
        """Normalized section names with the index of their header's line."""
        self._parse()

    def content(self) -> bytes:
        """The file's bytes."""
        return "".join(self.lines).encode("utf-8", "surrogateescape")

    def values(self, section: str, option: str) -> list[str]:
        """All values of the option, in the file's order; for an option with one value the last counts."""
        return [found.value for found in self._of(section, option)]

    def options(self) -> dict[tuple[str, str], list[str]]:
        """All values by normalized section and option."""
        found: dict[tuple[str, str], list[str]] = {}
        for item in self.assignments:
            found.setdefault((item.section, item.option), []).append(item.value)
        return found

    def with_value(self, section: str, option: str, value: str) -> IniText:
        """The text in which the option's last value, the one that counts, is `value`."""
        found = self._of(section, option)
        if found and found[-1].value == value:
            return self
        lines = list(self.lines)
        if found:
            last = found[-1]
            lines[last.start : last.stop] = self._rewritten(last, value)
            return self._again(lines)
        return self._inserted(section, option, [value])

    def with_values(self, section: str, option: str, values: list[str]) -> IniText:
        """The text in which the option has exactly `values`, in this order; no values removes it."""
        found = self._of(section, option)
        if [item.value for item in found] == values:
            return self
        if not found:
            return self._inserted(section, option, values)
        return self._again(self._replaced(found, values))

    def _replaced(self, found: list[Assignment], values: list[str]) -> list[str]:
        """The lines with the assignments' places filled by `values`: surplus places go, surplus values follow the last."""
        lines = list(self.lines)
        places = {item.start: values[number : number + 1] for number, item in enumerate(found)}
        places[found[-1].start] = values[len(found) - 1 :]
        for item in reversed(found):
            new = [self._rewritten(item, value) for value in places[item.start]]
            lines[item.start : item.stop] = [line for group in new for line in _ended(group, self._newline())]
        return lines

    def _parse(self) -> None:
        section, open_at, option, value = "", 0, "", list[str]()

        def close(stop: int) -> None:
            nonlocal option
            if option:
                self.assignments.append(Assignment(normalized(section), option, "\n".join(value), open_at, stop))
            option = ""

        for index, raw in enumerate(self.lines):
            line = raw.rstrip()
            if line.startswith((" ", "\t")):
                if not option:
                    raise self._wrong(index, "a continuation line follows no option")
                value.append(line.lstrip())
                continue
            close(index)
            if not line or line.startswith(("#", ";")):
                continue
            if line.startswith("["):
                section = self._section(index, line)
                continue
            option, first = self._assignment(index, line)
            if not section:
                raise self._wrong(index, "an option stands before the first [section]")
            open_at, value = index, [first]
        close(len(self.lines))

    def _section(self, index: int, line: str) -> str:
        if not line.endswith("]") or len(line) <= len("[]"):
            raise self._wrong(index, "a section is written [name]")
        self.sections.append((normalized(line[1:-1]), index))
        return line[1:-1]

    def _assignment(self, index: int, line: str) -> tuple[str, str]:
        at = _delimiter(line)
        if at < 0:
            raise self._wrong(index, "neither '=' nor ':' in the line")
        option, value = line[:at].strip(), line[at + 1 :].strip()
        if not option:
            raise self._wrong(index, "no option before the '='")
        quoted = value and value[0] == value[-1] and value.startswith(_QUOTES)
        return option, value[1:-1] if quoted else value

    def _wrong(self, index: int, why: str) -> BadInput:
        found = self.lines[index].rstrip()[:120]
        return BadInput(f"{self.name}, line {index + 1}: {why}", found=found, hint="mend this line; the service refuses it too")

    def _of(self, section: str, option: str) -> list[Assignment]:
        wanted = (normalized(section), option)
        return [item for item in self.assignments if (item.section, item.option) == wanted]

    def _rewritten(self, item: Assignment, value: str) -> list[str]:
        """The assignment's lines with another value: its own indentation around the delimiter and line end are kept."""
        first = self.lines[item.start]
        at = _delimiter(first)
        spaces = re.match(r"[ \t]*", first[at + 1 :].rstrip("\r\n"))
        even = " " if first[:at].endswith((" ", "\t")) else ""
        gap = spaces[0] if spaces and first[at + 1 :].strip() else even
        end = _end(self.lines[item.stop - 1])
        return _assigned(first[: at + 1] + gap, value, self._newline(), end)

    def _inserted(self, section: str, option: str, values: list[str]) -> IniText:
        if not values:
            return self
        newline = self._newline()
        new = [line for value in values for line in _assigned(f"{option} = ", value, newline, newline)]
        lines = list(self.lines)
        place = self._place(section, option)
        if place is None:
            place = len(lines)
            gap = [newline] if lines and lines[-1].strip() else []
            new = [*gap, f"[{section}]{newline}", *new]
        if place == len(lines) and lines:
            lines[-1:] = _ended([lines[-1]], newline)
        lines[place:place] = new
        return self._again(lines)

    def _place(self, section: str, option: str) -> int | None:
        """Where a new option goes: after its commented-out template, else at the section's end; None without the section."""
        wanted = normalized(section)
        spans = [
            (start + 1, self.sections[number + 1][1] if number + 1 < len(self.sections) else len(self.lines))
            for number, (name, start) in enumerate(self.sections)
            if name == wanted
        ]
        template = re.compile(rf"[#;][ \t]*{re.escape(option)}[ \t]*[=:]")
        templates = [at for start, stop in spans for at in range(start, stop) if template.match(self.lines[at])]
        if templates:
            return templates[-1] + 1
        if not spans:
            return None
        start, stop = spans[-1]
        return self._after_content(start, stop)

    def _after_content(self, start: int, stop: int) -> int:
        """After the section's last assignment, so that comments that introduce the next section stay with it."""
        ends = [item.stop for item in self.assignments if start <= item.start < stop]
        return ends[-1] if ends else start

    def _newline(self) -> str:
        return _end(self.lines[0]) or "\n" if self.lines else "\n"

    def _again(self, lines: list[str]) -> IniText:
        return IniText("".join(lines).encode("utf-8", "surrogateescape"), self.name)


def normalized(section: str) -> str:
    """A section's name as oslo.config compares it: lower case, except DEFAULT."""
    return section if section == "DEFAULT" else section.lower()


def check_value(value: str) -> str:
    """`value` itself; raises BadInput for one that a configuration file can't hold."""
    lines = value.split("\n")
    if (
        "\r" in value
        or any(not line or line != line.strip() for line in lines[1:])
        or (len(lines) > 1 and lines[0] != lines[0].strip())
    ):
        raise BadInput("a value of several lines can't hold blank lines or lines with blanks around them", found=repr(value))
    return value


def _assigned(before: str, value: str, newline: str, end: str) -> list[str]:
    first, *rest = check_value(value).split("\n")
    told = [before + _quoted(first), *(f"    {line}" for line in rest)]
    return [*(line + newline for line in told[:-1]), told[-1] + end]


def _quoted(value: str) -> str:
    stripped = value != value.strip()
    unquoted = bool(value) and value[0] == value[-1] and value.startswith(_QUOTES)
    return f'"{value}"' if stripped or unquoted else value


def _ended(lines: list[str], newline: str) -> list[str]:
    return [*lines[:-1], lines[-1] if _end(lines[-1]) else lines[-1] + newline]


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _delimiter(line: str) -> int:
    places = [at for at in (line.find("="), line.find(":")) if at >= 0]
    return min(places, default=-1)
