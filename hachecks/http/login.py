"""The login of an HTTP client: basic or bearer, from files or variables."""

from __future__ import annotations

from hachecks.http.headers import Header, basic
from hachecks.secret_file import read_secret
from hachecks.settings import option, settings


@settings
class HttpLogin:
    """Who asks."""

    basic: str | None = option(default=None, secret=True, metavar="USER:PASSWORD", help="Log in with this.")
    basic_file: str | None = option(default=None, metavar="FILE", help="Log in with the USER:PASSWORD in this file.")
    bearer: str | None = option(default=None, secret=True, metavar="TOKEN", help="Log in with this token.")
    bearer_file: str | None = option(default=None, metavar="FILE", help="Log in with the token in this file.")

    def validate_login(self) -> None:
        """Refuse two ways to log in."""
        given = [name for name in ("basic", "basic_file", "bearer", "bearer_file") if getattr(self, name) is not None]
        if len(given) > 1:
            one, other = (f"--{name.replace('_', '-')}" for name in given[:2])
            raise ValueError(f"{one} and {other} exclude each other")

    def authorization(self) -> list[Header]:
        """The header that logs in, if any; raises `CannotLook`."""
        user = read_secret(self.basic_file) if self.basic_file else self.basic
        token = read_secret(self.bearer_file) if self.bearer_file else self.bearer
        value = basic(user) if user else f"Bearer {token}" if token else ""
        return [Header("Authorization", value)] if value else []
