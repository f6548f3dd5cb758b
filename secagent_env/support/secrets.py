"""Secrets, which nothing that is written or shown may hold: keys, and passwords and keys in addresses of endpoints.

:func:`without_secrets` strikes out those that are known, :func:`public` whatever looks like one. Options that are
written to files name environment variables in the place of secrets (:func:`check_written`, :func:`filled_in`).
"""

from __future__ import annotations

import base64
import functools
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

RUN = 8
"""So many characters of a secret in a row are struck out, in any capitals; fewer of them are not recognised."""

SHORTEST = 4
"""Shorter secrets are taken for none. Those of fewer than ``RUN`` characters are struck out as whole words."""

PLACEHOLDERS = {
    *("none", "null", "empty", "dummy", "fake", "test", "token", "local", "unused", "default"),
    *("ollama", "lm-studio", "not-needed", "no-key"),
}
"""What people write for a key that a server does not ask for: words that any text may hold."""

HIDDEN = "[key]"

LIKE_A_KEY = re.compile(r"\b(sk|pk|key)-[\w.*-]{4,}|\bBearer\s+[\w.~+/=*-]{4,}", re.ASCII | re.IGNORECASE)
"""A text that looks like a key, or like a key that a server has partly masked."""

_NAMED = re.compile(r"""(api[_-]?key\s*[=:])(\s*["'][^"']*|[^\s"',)}]+)""", re.IGNORECASE)
_LONG_KEY = re.compile(r"\bsk-[\w-]{16,}", re.ASCII)
_BEFORE_USER = r"(?:(?<=://)|(?<=http:/)(?!/)|(?<=https:/)(?!/))"  # paths have one slash where addresses have two
_USER = re.compile(rf"""{_BEFORE_USER}(?!(?:[\w.-]*:)?\$[A-Z_][A-Z0-9_]*@)[^\s"'<>]+(?=@)""")
_PASSWORD = re.compile(r"""(?<![^\s"'<>/=])([^\s"'<>/=:@]*:)(?!\$[A-Z_][A-Z0-9_]*@|[/\[])[^\s"'<>]+(?=@)""")
_QUERY = re.compile(r"""([?&#](?!api-version=)[\w.-]+=)(?!\$[A-Z_])[^\s"'<>&#]+""")
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that terminals obey, or that turn the order of others round."""
_VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*)", re.ASCII)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text in which ``RUN`` and more characters of a secret in a row, in any capitals, are struck out."""
    runs, words = _patterns(tuple(secrets))
    if runs:
        text = _without_runs(text, runs)
    return words.sub(HIDDEN, text) if words else text


@functools.lru_cache(maxsize=32)
def _patterns(secrets: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str] | None]:
    """Return all runs of the long secrets in small letters, and a pattern of the short ones."""
    lowered = {_lowered(secret) for secret in secrets} - PLACEHOLDERS
    runs = frozenset(secret[i : i + RUN] for secret in lowered for i in range(len(secret) - RUN + 1))
    short = sorted(re.escape(secret) for secret in lowered if SHORTEST <= len(secret) < RUN)
    word = rf"(?<![^\W_])(?:{'|'.join(short)})(?![^\W_])"
    return runs, re.compile(word, re.IGNORECASE) if short else None


def _lowered(text: str) -> str:
    """Return a text in small letters, of the same length."""
    return text.replace("İ", "i").lower()


def _without_runs(text: str, runs: frozenset[str]) -> str:
    lowered = _lowered(text)
    kept: list[str] = []
    end = 0
    for start in [i for i in range(len(text) - RUN + 1) if lowered[i : i + RUN] in runs]:
        if start > end or not kept:
            kept.append(text[end:start])
        end = start + RUN
    return HIDDEN.join([*kept, text[end:]])


def excerpt(text: str, length: int = 200, secrets: Iterable[str] = ()) -> str:
    """Return the beginning of a text in one line, without control characters and without texts that look like keys."""
    text = LIKE_A_KEY.sub(HIDDEN, without_secrets(text[: 100 * length], secrets))
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def public(text: str) -> str:
    """Return a message without the environment's secrets, and without what looks like one in an address or option.

    What would steer the terminal is written out: names of files and texts in them may be anybody's.
    """
    text = without_secrets(text, _of_environment())
    for pattern in (_NAMED, _LONG_KEY, _USER, _PASSWORD, _QUERY):
        text = pattern.sub(lambda match: "".join(match.groups()[:1]) + HIDDEN, text)
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class PublicFormatter(logging.Formatter):
    """Formats log records without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return public(super().format(record))


def _of_environment() -> list[str]:
    urls = [os.environ.get("OPENAI_BASE_URL", "")]
    urls += [os.environ.get(name, "") for proxy in _PROXIES for name in (proxy, proxy.upper())]
    found = {secret for url in urls for secret in secrets_of(url)}
    return sorted(found | set(secrets_of("", os.environ.get("OPENAI_API_KEY", "").strip())))


def secrets_of(url: str, key: str = "") -> list[str]:
    """Return the secrets of an endpoint: the key, and those of its URL, as they are written there and decoded."""
    parts = _split(url)
    secrets = {key, *(value for _, value in _secret_values(parts))}
    if parts.username and len(parts.username) >= RUN:
        secrets.add(parts.username)
    secrets |= set(map(unquote, secrets))
    if parts.password:
        user = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
        secrets.add(base64.b64encode(user.encode()).decode())
    return sorted(secrets - {""})


def shown_url(url: str) -> str:
    """Return a URL without user, password and query; raise ValueError if it is none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def check_written(options: Mapping[str, Any]) -> None:
    """Raise ValueError if options, which are written to files, hold a secret."""
    if options.get("api_key") is not None:
        raise ValueError("api_key is no option here, since options are written to files; set OPENAI_API_KEY instead")
    for name, url in options.items():
        if not isinstance(url, str) or not (name == "base_url" or "://" in url):
            continue
        if any(not _VARIABLE.fullmatch(value) for _, value in _secret_values(_split(url))):
            raise ValueError(
                f"{name} must not hold a password or key here, since options are written to files: in its place, name "
                "an environment variable that holds it, as in 'http://me:$LLM_PASSWORD@127.0.0.1:8000/v1'"
            )


def filled_in(url: str) -> str:
    """Return a URL with the values of the environment variables that its user, password and query name, as ``$NAME``.

    Raises
    ------
    ValueError
        If a variable is not set.
    """
    for name, value in _secret_values(_split(url)):
        if variable := _VARIABLE.fullmatch(value):
            if not os.environ.get(variable[1]):
                raise ValueError(f"base_url names the environment variable {variable[1]}, which is not set")
            url = url.replace(name + value, name + quote(os.environ[variable[1]], safe=""), 1)
    return url


def _secret_values(parts: SplitResult) -> Iterator[tuple[str, str]]:
    """Yield what can be secret in a URL, as it is written there, and what stands before it.

    A user is secret where there is no password: some servers take a key in its place.
    """
    if parts.password:
        yield ":", parts.password
    if parts.username and (not parts.password or _VARIABLE.fullmatch(parts.username)):
        yield "//", parts.username
    for assignment in parts.query.split("&"):
        name, equals, value = assignment.partition("=")
        if name != "api-version" and (value or (not equals and name)):
            yield name + equals if equals else "", value or name


def _split(url: str) -> SplitResult:
    """Return the parts of a URL; of none, where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        return urlsplit("")
    return parts
