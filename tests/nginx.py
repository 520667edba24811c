"""A real nginx, with a listener for each way to be asked: plain, unix socket, PROXY protocol, HTTP/2 and TLS."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import trustme

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTENERS = ("plain", "plain6", "proxied", "h2c", "h2once", "tls", "h2", "mutual", "expiring")
ECHO = (
    '{"method":"$request_method","host":"$http_host","protocol":"$server_protocol","server_name":"$ssl_server_name",'
    '"client":"$ssl_client_s_dn","from":"$proxy_protocol_addr","agent":"$http_user_agent"}'
)
CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type text/plain;
    root {directory}/www;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen 127.0.0.1:{plain};
        listen [::1]:{plain6};
        listen unix:{directory}/http.sock;
        listen 127.0.0.1:{proxied} proxy_protocol;
        listen 127.0.0.1:{h2c} http2;
        include {directory}/locations;
    }}
    server {{
        listen 127.0.0.1:{h2once} http2;
        keepalive_requests 1;
        include {directory}/locations;
    }}
    server {{
        listen 127.0.0.1:{tls} ssl default_server;
        listen 127.0.0.1:{h2} ssl http2;
        ssl_certificate {directory}/localhost.pem;
        ssl_certificate_key {directory}/localhost.pem;
        include {directory}/locations;
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        server_name named.example;
        ssl_certificate {directory}/named.pem;
        ssl_certificate_key {directory}/named.pem;
        include {directory}/locations;
    }}
    server {{
        listen 127.0.0.1:{mutual} ssl;
        ssl_certificate {directory}/localhost.pem;
        ssl_certificate_key {directory}/localhost.pem;
        ssl_client_certificate {directory}/ca.pem;
        ssl_verify_client on;
        include {directory}/locations;
    }}
    server {{
        listen 127.0.0.1:{expiring} ssl;
        ssl_certificate {directory}/expiring.pem;
        ssl_certificate_key {directory}/expiring.pem;
        include {directory}/locations;
    }}
}}
"""
LOCATIONS = """
location / {{ }}
location = /echo {{ return 200 '{echo}'; }}
location = /health {{ return 200 '{{"status":"ok","queue":{{"depth":3}},"checks":["a","b"]}}'; }}
location = /private {{ auth_basic "private"; auth_basic_user_file {directory}/htpasswd; }}
location = /to-health {{ return 302 /health; }}
"""


class Nginx:
    """Where it listens, and the files to ask it with."""

    def __init__(self, directory: Path, ports: dict[str, int]) -> None:
        self.directory = directory
        self.ports = ports
        self.socket = directory / "http.sock"
        self.ca_file = directory / "ca.pem"
        self.other_ca_file = directory / "other-ca.pem"
        self.client_file = directory / "client.pem"

    def url(self, listener: str, path: str = "/echo", host: str = "") -> str:
        """The URL of a path at a listener."""
        scheme = "https" if listener in ("tls", "h2", "mutual", "expiring") else "http"
        host = host or ("[::1]" if listener == "plain6" else "localhost" if scheme == "https" else "127.0.0.1")
        return f"{scheme}://{host}:{self.ports[listener]}{path}"


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Nginx]:
    """An nginx that serves until the block ends."""
    _write_certificates(directory)
    (directory / "www").mkdir()
    (directory / "www" / "index.html").write_text("hello from nginx\n")
    (directory / "www" / "private").write_text("this is private\n")
    (directory / "htpasswd").write_text("keepalived:{PLAIN}s3cret\n")
    (directory / "locations").write_text(LOCATIONS.format(directory=directory, echo=ECHO))
    ports = dict(zip(LISTENERS, (free_port() for _ in LISTENERS)))
    (directory / "nginx.conf").write_text(CONFIGURATION.format(directory=directory, **ports))
    argv = ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        _wait_for(ports["plain"], process, directory / "error.log")
        yield Nginx(directory, ports)
    finally:
        process.terminate()
        process.wait(10)


def _write_certificates(directory: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    other.cert_pem.write_to_path(str(directory / "other-ca.pem"))
    soon = datetime.now(timezone.utc) + timedelta(days=5)
    certificates = {
        "localhost": authority.issue_cert("localhost", "127.0.0.1"),
        "named": authority.issue_cert("named.example"),
        "client": authority.issue_cert("keepalived@node", common_name="keepalived"),
        "expiring": authority.issue_cert("localhost", not_after=soon),
    }
    for name, certificate in certificates.items():
        certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / f"{name}.pem"))


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"nginx does not start: {log.read_text()}") from None
            time.sleep(0.02)
        else:
            return
