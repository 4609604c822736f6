"""Where the platform is, and with which key it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from drydock._errors import InvalidArgumentError, UnauthenticatedError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DEFAULT_URL = "http://127.0.0.1:8080"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Settings:
    address: str
    tls: bool
    url: str
    api_key: str


def resolve_settings(
    *,
    url: str | None = None,
    api_key: str | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """From the arguments, else the profile that is given, else `DRYDOCK_URL` and `DRYDOCK_API_KEY`, else the profile
    `DRYDOCK_PROFILE`, or `default`. Profiles are in `~/.config/drydock/config.toml`. Raises InvalidArgumentError, also
    where a profile that is named does not exist, and UnauthenticatedError."""
    file = _config_file(environment)
    chosen = {} if profile is None else _read_profile(file, profile)
    url = url or chosen.get("url") or environment.get("DRYDOCK_URL")
    api_key = api_key or chosen.get("api_key") or environment.get("DRYDOCK_API_KEY")
    if profile is None and not (url and api_key):
        found = _read_profile(file, environment.get("DRYDOCK_PROFILE") or None)
        url, api_key = url or found.get("url"), api_key or found.get("api_key")
    if not api_key:
        raise UnauthenticatedError("no API key: set DRYDOCK_API_KEY, or pass api_key to the client")
    return _settings(url or _DEFAULT_URL, api_key)


def _settings(url: str, api_key: str) -> Settings:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    plain = host and parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if not host or not plain or parts.scheme not in _DEFAULT_PORTS:
        raise InvalidArgumentError(f"the URL of the platform is such as https://drydock.example.com, not '{url}'")
    name = f"[{host}]" if ":" in host else host
    address = f"{name}:{_DEFAULT_PORTS[parts.scheme] if port is None else port}"
    origin = f"{parts.scheme}://{name}" + ("" if port is None else f":{port}")
    return Settings(address=address, tls=parts.scheme == "https", url=origin, api_key=api_key)


def _config_file(environment: Mapping[str, str]) -> Path:
    configured = environment.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "drydock" / "config.toml"


def _read_profile(file: Path, named: str | None) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if named is not None:
            raise InvalidArgumentError(f"there is no profile '{named}': {file} does not exist") from error
        return {}
    profiles = _parse(file, text).get("profiles", {})
    profile = profiles.get(named or "default") if isinstance(profiles, dict) else None
    if not isinstance(profile, dict):
        if named is not None:
            raise InvalidArgumentError(f"{file} has no profile '{named}'")
        return {}
    values = {key: profile[key] for key in ("url", "api_key") if key in profile}
    for key, value in values.items():
        if not isinstance(value, str):
            raise InvalidArgumentError(f"{file}: '{key}' of profile '{named or 'default'}' is not a text")
    return values


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Without the line itself, which may hold a key.
        at = getattr(error, "lineno", "?")
        raise InvalidArgumentError(f"{file} is not TOML (line {at})") from None
