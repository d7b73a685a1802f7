"""Finds secrets: keys and tokens by the forms that their makers gave them, and passwords by what stands before them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_PLACEHOLDER = re.compile(
    r"[<$%{\[(*].*|x{3,}.*|\.{3,}|(?:your|my|the|some|example|changeme|redacted|placeholder|dummy)\b.*"
    r"|(?:your|my|example)[-_].*|.*(?:\(|env[.\[]).*",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER_OF_SOMETHING = re.compile(r"\d+(?:-[a-z]+)+|\d+(?:st|nd|rd|th|[a-z]{1,2})?", re.IGNORECASE)
_TIME_OR_PLACE = re.compile(r"https?://.*|[\w/]*\d+(?:[-/.:]\d+)+\w?", re.IGNORECASE)

SECRET_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)|pwd"
    r"|(?:api|secret|access|private|auth|encryption|signing|account|master)[_ -]?(?:key|secret|token)"
    r"|client[_ -]?secret|refresh[_ -]?token|(?:db|user|root|admin|my|smtp|mysql|postgres)[_-]?pass(?:word|wd)?"
    r"|\w{0,30}[_-](?:password|passwd|secret|api[_-]?key|token))"
)
_SECRET_NAME = re.compile(rf"{SECRET_NAMES}|secret|token", re.IGNORECASE)


def _is_mixed(value: str) -> bool:
    """Letters and digits, as chance makes them and words hardly ever are."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def _is_random(value: str) -> bool:
    return _is_mixed(value) and any(map(str.isupper, value))


def _is_password(value: str) -> bool:
    """Something that a person would choose, and no word, number, time, or what stands for a password."""
    value = value.strip("\"'`.,;:!?)]}")
    if len(value) < 6 or _PLACEHOLDER.fullmatch(value) or _TIME_OR_PLACE.fullmatch(value):
        return False
    return not _NUMBER_OF_SOMETHING.fullmatch(value) and (_is_mixed(value) or bool(re.search(r"[!@#$%^&*+=]", value)))


def _is_real(value: str) -> bool:
    return not _PLACEHOLDER.fullmatch(value)


@dataclass(frozen=True, slots=True)
class Form:
    """A form of secrets. hints: a text without any of them, in lower case, has none; check: of the first group."""

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = field(default=lambda _: True)

    def is_in(self, text: str, lowered: str) -> bool:
        """Tell whether a text has such a secret."""
        if not any(hint in lowered for hint in self.hints):
            return False
        return any(self.check(match[match.re.groups]) for match in self.pattern.finditer(text))


def _form(kind: str, hints: str, pattern: str, check: Callable[[str], bool] | None = None, flags: int = 0) -> Form:
    compiled = re.compile(pattern, flags | re.ASCII)
    return Form(kind, tuple(hints.split()), compiled, check or (lambda _: True))


_I = re.IGNORECASE
_BEFORE, _AFTER = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"

FORMS = (
    _form("private_key", "-----begin", r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"),
    _form("aws_access_key", "akia asia abia acca", rf"{_BEFORE}(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}{_AFTER}"),
    _form(
        "aws_secret_key",
        "secret",
        r"aws.{0,20}secret.{0,20}[=:]\s{0,4}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        flags=_I,
    ),
    _form("gcp_api_key", "aiza", rf"{_BEFORE}AIza[0-9A-Za-z_-]{{35}}(?![0-9A-Za-z_-])"),
    _form("gcp_token", "ya29. gocspx-", rf"{_BEFORE}(?:ya29\.[0-9A-Za-z_-]{{20,}}|GOCSPX-[0-9A-Za-z_-]{{28}})"),
    _form(
        "azure_key", "accountkey sharedaccesskey", r"(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{40,88}={1,2}", flags=_I
    ),
    _form("azure_token", "sig=", r"[?&]sig=[A-Za-z0-9%+/]{40,100}(?:=|%3d)", flags=_I),
    _form("azure_client_secret", "q~", rf"{_BEFORE}[\w~.-]{{3}}\dQ~[\w~.-]{{31,34}}"),
    _form("github_token", "ghp_ gho_ ghu_ ghs_ ghr_", rf"{_BEFORE}gh[pousr]_[A-Za-z0-9]{{36,255}}{_AFTER}"),
    _form("github_token", "github_pat_", rf"{_BEFORE}github_pat_\w{{50,255}}"),
    _form("gitlab_token", "glpat-", rf"{_BEFORE}glpat-[\w-]{{20,}}"),
    _form("slack_token", "xox xapp-", rf"{_BEFORE}(?:xox[abeoprs]|xapp)-(?:[\w-]{{10,}})", _is_mixed),
    _form("slack_webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/\w+/\w+/\w{16,}"),
    _form("llm_api_key", "sk-", rf"{_BEFORE}sk-([\w-]{{20,}})", _is_random),
    _form("stripe_key", "_live_ _test_", rf"{_BEFORE}(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{{16,}}"),
    _form("sendgrid_key", "sg.", rf"{_BEFORE}SG\.[\w-]{{16,32}}\.[\w-]{{16,64}}"),
    _form("registry_token", "npm_ pypi-age", rf"{_BEFORE}(?:npm_[A-Za-z0-9]{{36}}|pypi-AgE[\w-]{{50,}})"),
    _form("huggingface_token", "hf_", rf"{_BEFORE}hf_[A-Za-z0-9]{{30,}}{_AFTER}"),
    _form("jwt", "eyj", rf"{_BEFORE}eyJ[\w-]{{8,}}\.eyJ[\w-]{{8,}}\.[\w-]{{8,}}"),
    _form("bearer_token", "bearer", r"\bbearer\s{1,4}([\w.~+/-]{16,}=*)", _is_mixed, _I),
    _form(
        "basic_credentials", "basic", r"\bauthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?basic\s{1,4}[\w+/-]{8,}", flags=_I
    ),
    _form("password", "://", r"[a-z][a-z0-9+.-]{1,30}://[^\s/:@?#]{0,64}:([^\s/@?#]{1,128})@", _is_real, _I),
    _form(
        "password",
        "pass pwd secret token key",
        rf"(?<![A-Za-z0-9]){SECRET_NAMES}[\"'`]{{0,1}}\s{{0,4}}(?:=>|:=|==?|:|\bis\b|\bwas\b)\s{{0,4}}([^\s,;]{{6,200}})",
        _is_password,
        _I,
    ),
)


def find_secrets(text: str, name: str = "") -> Iterator[str]:
    """The kinds of secrets in a text. name: what the text is called, such as the key of a value of metadata."""
    lowered = text.lower()
    yield from (form.kind for form in FORMS if form.is_in(text, lowered))
    if name and _SECRET_NAME.fullmatch(name) and " " not in text and _is_password(text):
        yield "password"
