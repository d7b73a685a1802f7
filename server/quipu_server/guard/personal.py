"""Finds personal data: mail addresses, phone numbers, US social security numbers, payment cards."""

import re
from collections.abc import Iterator, Sequence

from phonenumbers import SUPPORTED_REGIONS, PhoneNumberMatcher

from quipu_server.guard.findings import Finding, joined

KINDS = ("card", "ssn", "email", "phone")
"""Of findings that overlap, the first one names the whole."""

# 64 characters before the @ (RFC 5321); letters of all scripts, as in internationalised addresses.
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+%'-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")

# Areas 000, 666 and 900 to 999 are never given, nor are groups 00 and 0000. Three hyphens look the same.
_HYPHEN = "[-\u2010\u2011]"
_SSN = re.compile(rf"(?<![\w-])(\d{{3}}){_HYPHEN}(\d{{2}}){_HYPHEN}(\d{{4}})(?![\w-])")
_NAMED_SSN = re.compile(
    r"\b(?:SSN|social security(?: number| no\.?)?)\W{0,3}(?:is\s+)?(\d{3} ?\d{2} ?\d{4})(?!\w)", re.I
)

# 13 to 19 digits, with one space or hyphen between groups.
_DIGIT_RUNS = re.compile(rf"(?<![\w.])\d(?:[ \u00a0]?{_HYPHEN}?\d){{12,}}(?!\w)")
_GROUP = re.compile(r"\d+")
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa: 13, 16, 19
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|35(?:2[89]|[3-8]\d))\d{12,15}"  # Discover, UnionPay, JCB
)
_MOST_CARD_DIGITS = 19

_LEAST_PHONE_DIGITS = 7
_LINE = re.compile(r"[^\n]+")
_MOST_TRIES = 200
"""Of what is no phone number, in a line; each costs about 0.1 ms."""

_MAY_BE_PHONE = re.compile(rf"(?:\d\W{{0,4}}){{{_LEAST_PHONE_DIGITS}}}")


def is_region(region: str) -> bool:
    """Tell whether phone numbers of a country are known, or none is meant."""
    return region == "" or region in SUPPORTED_REGIONS


def find_personal(text: str, region: str) -> Sequence[Finding]:
    """Personal data in a text, in order and apart from each other."""
    found = list(_emails(text))
    if _MAY_BE_PHONE.search(text):
        found += [*_ssns(text), *_cards(text)]
        found += _all_phones(_masked(text, found), region)
    return joined(found, KINDS) if found else found


def _emails(text: str) -> Iterator[Finding]:
    if "@" in text:
        yield from (Finding(*match.span(), "email") for match in _EMAIL.finditer(text))


def _all_phones(text: str, region: str) -> Sequence[Finding]:
    """Phone numbers, also those that were taken for a part of their neighbours at first."""
    found: list[Finding] = []
    while more := list(_phones(text, region)):
        found += more
        text = _masked(text, more)
    return found


def _masked(text: str, findings: Sequence[Finding]) -> str:
    """The text with something that is no part of a number in the places of the findings."""
    characters = list(text)
    for start, end, _ in findings:
        characters[start:end] = "|" * (end - start)
    return "".join(characters)


def _phones(text: str, region: str) -> Iterator[Finding]:
    """Line by line, so that tables of numbers, of which each is tried in many ways, have a bound."""
    for line in _LINE.finditer(text):
        if _MAY_BE_PHONE.search(line[0]):
            for match in PhoneNumberMatcher(line[0], region or None, max_tries=_MOST_TRIES):
                # A bracket that is opened before the number and closed after it is none of it.
                is_open = match.raw_string[0] in "(（[" and not set(match.raw_string) & set(")）]")
                yield Finding(line.start() + match.start + is_open, line.start() + match.end, "phone")


def _ssns(text: str) -> Iterator[Finding]:
    for match in _SSN.finditer(text):
        area, group, serial = map(int, match.groups())
        if area not in (0, 666) and area < 900 and group and serial:
            yield Finding(*match.span(), "ssn")
    yield from (Finding(*match.span(1), "ssn") for match in _NAMED_SSN.finditer(text))


def _cards(text: str) -> Iterator[Finding]:
    """Card numbers among the groups of digits, also with other numbers beside them."""
    for run in _DIGIT_RUNS.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            size = _card_size(text, groups[first : first + _MOST_CARD_DIGITS])
            if size:
                yield Finding(groups[first][0], groups[first + size - 1][1], "card")
            first += size or 1


def _card_size(text: str, groups: Sequence[tuple[int, int]]) -> int:
    """How many of the groups from the first on are a card number; 0 when none are."""
    digits, best = "", 0
    for size, (start, end) in enumerate(groups, start=1):
        digits += _ascii(text[start:end])
        if len(digits) > _MOST_CARD_DIGITS:
            break
        if _CARD.fullmatch(digits) and passes_luhn(digits):
            best = size
    return best


def _ascii(digits: str) -> str:
    """Digits of any script as those of ASCII."""
    return "".join(str(int(digit)) for digit in digits)


def passes_luhn(digits: str) -> bool:
    """Tell whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[::-2]))) % 10 == 0
