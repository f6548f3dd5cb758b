"""Secrets: what is struck out of texts, and what options that are written to files may hold."""

import base64
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.support.secrets import (
    PLACEHOLDERS,
    RUN,
    check_written,
    excerpt,
    filled_in,
    public,
    secrets_of,
    shown_url,
    without_secrets,
)

LETTERS = st.text(string.ascii_letters + string.digits + "-_.", min_size=RUN, max_size=80)
VARIABLES = {"LLM_USER": "me@work", "LLM_PASSWORD": "p/w:d@1", "LLM_KEY": "k&y=9"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@given(LETTERS, st.data(), st.text(), st.text())
def test_eight_characters_of_a_secret_in_a_row_are_struck_out_in_any_capitals(secret, data, before, after):
    start = data.draw(st.integers(0, len(secret) - RUN))
    end = data.draw(st.integers(start + RUN, len(secret)))
    part = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in secret[start:end])
    left = without_secrets(f"{before}{part}{after}", [secret]).lower()
    assert not any(secret[i : i + RUN].lower() in left for i in range(len(secret) - RUN + 1))
    assert "[key]" in left


@given(st.text(), LETTERS)
def test_a_text_without_a_secret_stays_as_it_is(text, secret):
    shown = without_secrets(text, [secret, "none", "EMPTY", ""])
    assert shown == text or secret[:RUN].lower() in text.lower() or "[key]" in shown


def test_short_secrets_are_struck_out_as_words_and_placeholders_are_left():
    assert without_secrets("Hunter2, hunter2's and hunter22", ["hunter2"]) == "[key], [key]'s and hunter22"
    text = '{"none": null, "test": "no-key", "local": 1, "selected": [123, 4]}'
    assert without_secrets(text, [*PLACEHOLDERS, *(word.upper() for word in PLACEHOLDERS), "4", "sel"]) == text


def test_long_texts_are_searched_quickly():
    text, secret = "the agents 1, 2 and 3 " * 5000, "sk-" + "0123456789abcdef" * 12
    began = time.perf_counter()
    assert without_secrets(text, [secret]) == text
    assert time.perf_counter() - began < 0.5


def test_a_secret_that_an_excerpt_cuts_is_struck_out_before():
    assert excerpt("a" * 70 + "sekret-0123456789", 80, ["sekret-0123456789"]) == "a" * 70 + "[key]"
    assert excerpt("\x1b[31m key-abcdef Bearer abcdef\nx") == "[31m [key] [key] x"


def test_the_secrets_of_an_address():
    url = "https://me:pass%2Fword@host:8000/v1?api-version=2024-10-21&api-key=q-secret"
    basic = base64.b64encode(b"me:pass/word").decode()
    assert set(secrets_of(url, "sk-1")) == {"sk-1", "pass%2Fword", "pass/word", "q-secret", basic}
    assert secrets_of("https://key-as-user@host") == ["key-as-user"]
    assert shown_url(url) == "https://host:8000/v1"


@pytest.mark.parametrize(
    "url",
    ["http://me:pw@h", "http://key@h", "http://h/v1?key=k", "http://h/v1?k", "http://$lower:pw@h", "http://:pw@h"],
)
def test_options_for_files_hold_no_secrets(url: str):
    with pytest.raises(ValueError, match="name an environment variable") as caught:
        check_written({"base_url": url})
    assert "pw" not in str(caught.value)
    with pytest.raises(ValueError, match="set OPENAI_API_KEY"):
        check_written({"api_key": "k"})
    with pytest.raises(ValueError, match="model must not hold a password or key"):
        check_written({"model": url})


def test_environment_variables_stand_for_secrets():
    url = "http://$LLM_USER:$LLM_PASSWORD@h:1/v1?api-version=1&key=$LLM_KEY"
    check_written({"base_url": url})
    assert filled_in(url) == "http://me%40work:p%2Fw%3Ad%401@h:1/v1?api-version=1&key=k%26y%3D9"
    assert filled_in("http://me:$LLM_PASSWORD@h") == "http://me:p%2Fw%3Ad%401@h"
    assert filled_in("http://h/v1") == "http://h/v1"
    with pytest.raises(ValueError, match="names the environment variable NOT_THERE, which is not set"):
        filled_in("http://$NOT_THERE@h")


def test_messages_show_no_addresses_with_secrets_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "abcdefghijkl")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:proxy-word@proxy:80")
    for text, shown in {
        "got 'law(base_url=\"http://me:p@w@h/v1?api-key=x\")'": "got 'law(base_url=\"http://[key]@h/v1?api-key=[key]\")'",
        "api_key='s' and API-KEY=s, give api_key= or set": "api_key=[key]' and API-KEY=[key], give api_key= or set",
        "CDEFGHIJ proxy-word sk-0123456789abcdef": "[key] [key] [key]",
        "unrecognized arguments: --base-url me:p@w@h x.py#L1": "unrecognized arguments: --base-url me:[key]@h x.py#L1",
        "http:/me:p@h http:/k@h h/v1#key=k 'C:/a@b.png'": "http:/[key]@h http:/[key]@h h/v1#key=[key] 'C:/a@b.png'",
        "write 'http://me:$LLM_PASSWORD@h/v1?k=$LLM_KEY' in results/key-figures": None,
    }.items():
        assert public(text) == (shown or text)
