"""Secrets taken out of text, in time linear in its length.

Covers what oslo.utils' ``mask_password`` does (its 35 keys as ``key=value``, quoted pairs, options, XML) and what that
leaks: unquoted headers, bare Fernet and web tokens, credentials in URLs, PEM and ceph keys, signatures, tables of the
command line. Ids, digests, MAC addresses and request ids stay.

One pattern finds where a secret may begin; from there plain scanning finds where it ends. Every repeat is bounded or
can't overlap with what follows it, so no text makes it slow.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
SHORT = 8
"""Known secrets below this length are masked as whole words only; longer ones wherever they stand."""

Span = tuple[int, int]
Form = Callable[[str, int], list[Span]]
"""The secrets of one form in a text, for a place where it may begin."""

_STEMS = re.compile(
    r"pass|pswd|pwd|token|secret|key|configdrive|user[_-]?data|temp[_-]?url|x-amz-signature|cephclusterfsid"
    r"|keystonecredential|barbicansimplecryptokek|swifthashsuffix|authorization|cookie"
    r"|-----begin |://|gaaaa|eyj|aq|bearer"
)
"""Where a secret may begin, in lower case; each branch begins with a letter of its own, which is what makes it fast."""
_BEFORE_KEY = (
    *("api", "access", "auth", "encryption", "private", "encrypted", "fernet", "ssl", "ssh", "secret", "signing", "rndc"),
    *("cephadmin", "cephclient", "cephmanilaclient", "cephmds", "cephmon", "cephrgw", "heartbeat", "remoteauth"),
)
_BEFORE_PASS = ("_", "-", "admin", "user", "root", "new", "chap", "db")


def _after(words: Iterable[str]) -> str:
    return "(?:" + "|".join(f"(?<={word})" for word in words) + ")"


_KEYS = (
    rf"pass(?:word|wd|phrase|code)(?:[_-]?hash)?|{_after(_BEFORE_PASS)}pass(?![a-z])|pswd|(?<!old)pwd|token|secret(?:_uuid)?"
    rf"|{_after(word + joint for word in _BEFORE_KEY for joint in ('', '_', '-'))}key"
    r"|configdrive|user[_-]?data|temp[_-]?url[_-]?(?:sig|key)|x-amz-signature|cephclusterfsid|keystonecredential"
    r"|barbicansimplecryptokek|swifthashsuffix|authorization|cookie"
)
_KEY = re.compile(rf"(?:{_KEYS})[0-9]{{0,8}}", re.IGNORECASE)
_KEY_NAME = re.compile(rf"(?:{_KEYS})[0-9]{{0,8}}\Z", re.IGNORECASE)
_FERNET = re.compile(r"gAAAA[\w-]{16,}+(?:=|%3D){0,2}")
_WEB_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?")
_CEPH = re.compile(r"(?<![A-Za-z0-9+/])AQ[A-Za-z0-9+/]{36}==")
_BEARER = re.compile(r"\bbearer[ \t]{1,8}([\w.~+/=-]{16,}+)", re.IGNORECASE)
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r"((?:[^-]|-(?!----)){0,16384}+(?=-----END )|(?:(?:\\[nr]|\s)*+[A-Za-z0-9+/=]{16,}+)*+)"
)
_ANNOTATED = r":[ \t]{0,8}(?:str|bytes|SecretStr|Any|object)(?:[ \t]{0,8}\|[ \t]{0,8}None)?[ \t]{0,8}="
_SIGN = rf"{_ANNOTATED}|=>|={{1,2}}|:=|:(?!//)|(?<![ \t])%3[DA]|,"  # an encoded sign after a space is a secret's own
_ASSIGNED = re.compile(
    rf"(?P<closed>\\{{0,7}}[\"'`]?)[ \t]{{0,16}}(?P<sign>{_SIGN})(?P<gap>\s{{0,64}})",
    re.IGNORECASE,
)
_OPTION = re.compile(r"[ \t]{1,16}")
_FLAGGED = re.compile(r"[\"']?[ \t]{0,8},?[ \t]{0,8}(?<![\w.])[\"']?--?[A-Za-z]{1,16}[\"']?(?:[ \t]{0,8},[ \t]{0,8}|[ \t]{1,8})")
_CELL = re.compile(r"[ \t]{1,64}\|[ \t]{1,8}(?P<value>[^|\n]{1,2000}+)\|[ \t]{0,16}(?=\r?\n|\Z)")
_QUOTED = re.compile(r"[uUbBrR]{0,2}(?P<escape>\\{0,7})(?P<quote>\"{3}|'{3}|[\"'`])")
_STRUCTURE = re.compile(r"[{\[]\s{0,64}(?:u?[\"'{\[\]}]|\Z|\n)|\{SHA\d+\}", re.IGNORECASE)
_BARE = re.compile(
    r"(?:[^\s\"'`<>\\,;&)\]}]++|\\(?![\"'])|[,;&](?!\s|\Z|[\"'`]|[\w.-]{1,64}[=:])|[)\]}](?![)\]},;:.]{0,8}(?:\s|\Z|[\"'`])))*+"
)
_SCHEME = re.compile(r"(?:basic|bearer|negotiate)[ \t]{1,8}|(?:digest|aws[\w-]{1,20})[ \t]{1,8}(?P<rest>.*)", re.IGNORECASE)
_LITERAL = re.compile(r"(?:none|null|true|false|~|\*+|<[\w .-]{1,40}>)?", re.IGNORECASE)
_KEY_PATH = re.compile(r"/[\w./-]{1,200}\.(?:pem|key|crt|cert)")
_MULTILINE = ("user", "private")


def redact(text: str) -> str:
    """`text` with the values of secret keys, tokens, credentials in URLs and private keys replaced by ``***``."""
    parts, kept = [], 0
    for start, end in _secrets(text):
        parts += [text[kept:start], MASK]
        kept = end
    return "".join([*parts, text[kept:]])


class Redactor:
    """Redacts by form and, besides, known values verbatim, also as quoted in URLs, JSON, HTML and base64.

    Args:
        secrets: Passwords and tokens in use. One of fewer than 8 characters is masked as a whole word only.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in _spellings(secret)}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(_exactly, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        return redact(self._known.sub(MASK, text) if self._known else text)

    def values(self, data: Any) -> Any:
        """JSON data without secrets: every string in it, and whole values under a key such as ``password``."""
        if isinstance(data, str):
            return self(data)
        if isinstance(data, dict):
            return {self._name(name): self._value(name, item) for name, item in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.values(item) for item in data]
        return data

    def _name(self, name: Any) -> Any:
        return self._known.sub(MASK, name) if self._known and isinstance(name, str) else name

    def _value(self, name: Any, item: Any) -> Any:
        secret = isinstance(name, str) and isinstance(item, str) and _KEY_NAME.search(name)
        return MASK if secret and not _LITERAL.fullmatch(item) else self.values(item)


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    if len(secret) >= SHORT:
        yield quote(secret, safe="")
        yield quote_plus(secret)
        yield base64.b64encode(secret.encode(errors="replace")).decode()


def _exactly(secret: str) -> str:
    whole = re.escape(secret)
    return whole if len(secret) >= SHORT else rf"(?<!\w){whole}(?!\w)"


def _secrets(text: str) -> Iterator[Span]:
    lowered, position = _lowered(text), 0
    while stem := _STEMS.search(lowered, position):
        position = stem.end()
        for start, end in _FORMS.get(stem[0], _pair)(text, stem.start()):
            if end > start:
                yield start, end
            position = max(position, end)


def _lowered(text: str) -> str:
    """`text` in lower case, character by character: some letters have a lower case of two."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(low if len(low := each.lower()) == 1 else each for each in text)


def _token(pattern: re.Pattern[str]) -> Form:
    """A form that has no key: the last group of `pattern`, or all of it."""

    def spans(text: str, start: int) -> list[Span]:
        found = pattern.match(text, start)
        return [found.span(found.lastindex or 0)] if found else []

    return spans


def _url(text: str, start: int) -> list[Span]:
    """The passwords of ``scheme://user:password@host``, also with unquoted slashes, and of each host in a list."""
    begin = start + len("://")
    authority = _AUTHORITY.match(text, begin)
    named = authority[0] if authority else ""
    if "@" not in named:
        whole = _UNSPACED.match(text, begin)
        named = whole[0] if whole else ""
        if "@" not in named or _PORT.match(named):
            return []
    hosts = named[: named.rindex("@") + 1].split(",")
    if not all("@" in host and ":" in host for host in hosts):
        hosts = [",".join(hosts)]
    return list(_passwords(hosts, begin))


_AUTHORITY = re.compile(r"[^\s\"'`<>/?#\\]{0,2048}")
_UNSPACED = re.compile(r"[^\s\"'`<>]{0,512}")
_PORT = re.compile(r"[^:@]*(?:/|:\d{1,5}(?:/|\Z))|\[")


def _passwords(hosts: Iterable[str], position: int) -> Iterator[Span]:
    for host in hosts:
        if ":" in host:
            yield position + host.index(":") + 1, position + host.rindex("@")
        position += len(host) + 1


def _pair(text: str, start: int) -> list[Span]:
    """The value that belongs to a secret key, in whichever form it is given."""
    key = _KEY.match(text, start)
    if not key:
        return []
    for form in (_assigned, _element, _cell, _after_option, _after_flag):
        span = form(text, key)
        if span is not None:
            return [] if _harmless(text, key, span) else [span]
    return []


def _harmless(text: str, key: re.Match[str], span: Span) -> bool:
    value = text[span[0] : span[1]]
    if key[0].lower() == "pwd" and value.startswith("/"):
        return True
    return bool(_LITERAL.fullmatch(value.strip())) or (key[0].lower().endswith("key") and bool(_KEY_PATH.fullmatch(value)))


def _assigned(text: str, key: re.Match[str]) -> Span | None:
    sign = _ASSIGNED.match(text, key.end())
    if not sign or (sign["sign"] == "," and not sign["closed"]):
        return None
    start = sign.end()
    if "\n" in sign["gap"] and not sign["closed"].strip("\\"):
        return start, start
    if sign["sign"] == "," and not _QUOTED.match(text, start):
        return None
    if sign["sign"] == "," and _FLAGGED.match(text, key.end()):
        return None
    if text[max(0, key.start() - 1) : key.start()] == "/" and sign["sign"] == ":":
        return None
    return _value(text, start, key, sign["sign"])


def _value(text: str, start: int, key: re.Match[str], sign: str = "=") -> Span:
    quoted = _QUOTED.match(text, start)
    if quoted:
        return quoted.end(), _closing(text, quoted, multiline=key[0].lower().startswith(_MULTILINE))
    if _STRUCTURE.match(text, start):
        return start, start
    if key[0].lower() == "cookie" and sign == ":":
        return start, _line_end(text, start)
    if key[0].lower() == "authorization" and (scheme := _SCHEME.match(text, start)):
        start = scheme.end() if scheme["rest"] is None else scheme.start("rest")
        if scheme["rest"] is not None:
            return start, scheme.end()
    bare = _BARE.match(text, start)
    end = bare.end() if bare else start
    if sign.startswith("%"):
        end = min((at for at in (text.find("%26", start, end), end) if at >= 0), default=end)
    return start, end


def _closing(text: str, opened: re.Match[str], *, multiline: bool) -> int:
    """Where a quoted value ends: at its quote with as many backslashes as the opening one, else with the line."""
    multiline = multiline or len(opened["quote"]) > 1
    escape, position = len(opened["escape"]), opened.end()
    while (at := text.find(opened["quote"], position)) >= 0:
        if not multiline and text.find("\n", position, at) >= 0:
            break
        before = at
        while before > position and text[before - 1] == "\\":
            before -= 1
        slashes = at - before
        if slashes < escape:
            return before
        if (slashes - escape) % (2 * (escape + 1)) == 0:
            return at - escape
        position = at + 1
    return _line_end(text, opened.end())


def _line_end(text: str, start: int) -> int:
    at = text.find("\n", start)
    return len(text) if at < 0 else at


def _element(text: str, key: re.Match[str]) -> Span | None:
    """The content of an XML element whose name ends with the key."""
    tag = text.rfind("<", max(0, key.start() - 64), key.start())
    if tag < 0 or not _TAG.fullmatch(text, tag + 1, key.start()):
        return None
    ended = _TAG_END.match(text, key.end())
    if not ended:
        return None
    end = text.find("<", ended.end())
    return ended.end(), end if end >= 0 else _line_end(text, ended.end())


_TAG = re.compile(r"[\w:.-]*")
_TAG_END = re.compile(r"(?:\s[^<>/]{0,200})?>")


def _cell(text: str, key: re.Match[str]) -> Span | None:
    """The last cell of a table's row whose first cell ends with the key."""
    cell = _CELL.match(text, key.end())
    row = text[max(0, key.start() - 80) : key.start()].rpartition("\n")[2]
    if not cell or not re.fullmatch(r"\s*\|[^|]*", row):
        return None
    return cell.start("value"), cell.start("value") + len(cell["value"].rstrip())


def _after_option(text: str, key: re.Match[str]) -> Span | None:
    """The word after ``--os-password``, or the quoted value after a bare key."""
    gap = _OPTION.match(text, key.end())
    if not gap:
        return None
    if _QUOTED.match(text, gap.end()):
        return _value(text, gap.end(), key)
    named = re.search(r"--[\w-]{0,40}\Z", text[max(0, key.start() - 44) : key.start()])
    return _value(text, gap.end(), key) if named and not text.startswith("--", gap.end()) else None


def _after_flag(text: str, key: re.Match[str]) -> Span | None:
    """The value in ``'node.session.auth.password', '-v', 'secret'``, as iscsiadm is called."""
    flag = _FLAGGED.match(text, key.end())
    dashed = re.search(r"--[\w-]{0,40}\Z", text[max(0, key.start() - 44) : key.start()])
    return _value(text, flag.end(), key) if flag and not dashed else None


_FORMS: dict[str, Form] = {
    "-----begin ": _token(_PEM),
    "://": _url,
    "gaaaa": _token(_FERNET),
    "eyj": _token(_WEB_TOKEN),
    "aq": _token(_CEPH),
    "bearer": _token(_BEARER),
}
