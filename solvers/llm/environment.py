"""Variables of the environment on the way to an endpoint: its address, proxies and certificates."""

from __future__ import annotations

import ipaddress
import os
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from solvers.llm.chat import EndpointError

URL_VARIABLE = "OPENAI_BASE_URL"
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
"""Variables that name proxies, in any capitals."""
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def endpoint_url(base_url: str | None) -> str:
    """Return the address of an endpoint: that given, or that of ``OPENAI_BASE_URL``; empty without either."""
    return base_url or os.environ.get(URL_VARIABLE, "").strip()


def on_this_machine(url: str) -> bool:
    """Return whether a URL is of this machine; such servers are not looked for through proxies."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def proxy_variables(url: str) -> list[str]:
    """Return the names of the variables that may send requests to a URL through a proxy."""
    if on_this_machine(url):
        return []
    return sorted(name for name, value in os.environ.items() if name.lower() in PROXIES and value)


def check_environment(url: str) -> None:
    """Raise EndpointError, with the name of the variable, if a proxy or a file of certificates cannot be used."""
    for name in proxy_variables(url):
        if reason := _wrong_proxy(os.environ[name]):
            raise EndpointError(
                f"{name} must be an address such as 'http://proxy.example:3128', and {reason}; correct or unset it"
            )
    for name in CERTIFICATES if needs_certificates(url) else ():
        if value := os.environ.get(name):
            _check_certificates(name, value)


def needs_certificates(url: str) -> bool:
    """Return whether certificates may be read on the way to a URL: not for plain HTTP to this machine."""
    return urlsplit(url).scheme != "http" or not on_this_machine(url)


def _wrong_proxy(value: str) -> str:
    """Return what is wrong with the address of a proxy, without a word of the address, which may hold a password."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return "its host or port is none"
    if parts.scheme not in PROXY_SCHEMES:
        return f"its scheme is none of {', '.join(PROXY_SCHEMES)}"
    if not host or port == 0 or not value.isprintable() or " " in value:
        return "its host or port is none"
    if parts.scheme.startswith("socks"):
        try:
            import socksio  # type: ignore[import-not-found]  # noqa: F401
        except ImportError:
            return "one of SOCKS needs another package: pip install socksio"
    return ""


def _check_certificates(name: str, value: str) -> None:
    places = [value] if name == CERTIFICATES[0] else value.split(os.pathsep)
    there = Path.is_file if name == CERTIFICATES[0] else Path.is_dir
    if not any(there(Path(place)) for place in places):
        kind = "file" if name == CERTIFICATES[0] else "folder"
        raise EndpointError(f"{name} names {value}, and there is no such {kind}; correct or unset it")
    if name == CERTIFICATES[0]:
        try:
            ssl.create_default_context(cafile=value)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise EndpointError(
                f"{name} names {value}, which holds no certificates ({error}); correct or unset it"
            ) from None
