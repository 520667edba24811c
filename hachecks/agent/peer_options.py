"""Options of the agent about the other nodes of its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.http.request import HttpLogin
from hachecks.http.url import Url
from hachecks.net.tls import TlsOptions
from hachecks.settings import option, settings

if TYPE_CHECKING:
    import ssl

    from hachecks.http.headers import Header

MOST_PEERS = 64
"""Peers that may be named, and addresses that names may come to."""


@settings
class PeerOptions:
    """The nodes that share VIPs with this one, and how they are asked."""

    heading = "The other nodes of the group"

    peer: tuple[Url, ...] = option(
        default=(),
        metavar="URL",
        help="Ask the agent or exporter at http://HOST:10112/ each second, several times; all addresses of a name are "
        "nodes, as those of a headless Service, and this node among them is left out.",
    )
    peer_ca_file: str | None = option(
        default=None, metavar="FILE", help="Trust the certificates in this file for https peers, not the system's."
    )
    peer_cert_file: str | None = option(
        default=None, metavar="FILE", help="Present this client certificate to them (PEM)."
    )
    peer_key_file: str | None = option(default=None, metavar="FILE", help="Its key, if it has its own file.")
    peer_basic_file: str | None = option(
        default=None, metavar="FILE", help="Log in at the peers with the USER:PASSWORD in this file."
    )
    peer_bearer_file: str | None = option(
        default=None, metavar="FILE", help="Log in at the peers with the token in this file."
    )

    def validate_peers(self) -> None:
        """Refuse what makes no sense together."""
        if len(self.peer) > MOST_PEERS:
            raise ValueError(f"--peer may be given {MOST_PEERS} times")
        for url in self.peer:
            if url.query:
                raise ValueError(f"--peer {url}: leave out what begins with ?, the agent asks for a path of its own")
            if "%" in url.host:
                raise ValueError(f"--peer {url}: an address with a zone is no other node's; name one without")
        given = [name for name, value in self._details.items() if value is not None]
        if given and not self.peer:
            raise ValueError(f"{given[0]} needs --peer")
        for name in given:
            if name.endswith(("ca-file", "cert-file", "key-file")) and not self.has_tls:
                raise ValueError(f"{name} needs an https:// URL in --peer")
        if self.peer_key_file is not None and self.peer_cert_file is None:
            raise ValueError("--peer-key-file needs --peer-cert-file")
        if self.peer_basic_file is not None and self.peer_bearer_file is not None:
            raise ValueError("--peer-basic-file and --peer-bearer-file exclude each other")

    @property
    def _details(self) -> dict[str, str | None]:
        names = ("ca", "cert", "key", "basic", "bearer")
        return {f"--peer-{name}-file": getattr(self, f"peer_{name}_file") for name in names}

    @property
    def has_tls(self) -> bool:
        """Whether any peer is asked over TLS."""
        return any(url.scheme == "https" for url in self.peer)

    def peer_context(self) -> ssl.SSLContext:
        """The TLS that is spoken with them; raises `CannotLook` where a file cannot be used."""
        tls = TlsOptions(ca_file=self.peer_ca_file, cert_file=self.peer_cert_file, key_file=self.peer_key_file)
        return tls.context()

    @property
    def peer_tls_files(self) -> list[str]:
        """What that is made of."""
        return [path for path in (self.peer_ca_file, self.peer_cert_file, self.peer_key_file) if path]

    def peer_login(self) -> list[Header]:
        """The header that logs in at them, if any, as its file is now; raises `CannotLook`."""
        return HttpLogin(basic_file=self.peer_basic_file, bearer_file=self.peer_bearer_file).authorization()
