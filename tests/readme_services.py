"""The services that README.md's recipes ask, at the addresses it gives them; to be run in a namespace of their own."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer

from aiosmtpd.controller import Controller

NODE, NAME_SERVER = "10.0.0.5", "10.0.0.2"
KUBE_PROXY = {"service": {"namespace": "geo", "name": "geo-cache"}, "localEndpoints": 2, "serviceProxyHealthy": True}
PAGES = {
    "/": b"welcome",
    "/healthz": b"ok",
    "/status": json.dumps({"status": "ok", "queue": {"depth": 3}}).encode(),
}


class WebServer(ThreadingHTTPServer):
    """An HTTP server that does not ask the resolver, which nobody answers here, for its own name."""

    server_bind = TCPServer.server_bind


class Web(BaseHTTPRequestHandler):
    """The web service."""

    wbufsize = -1  # headers and body go out together

    def do_GET(self) -> None:
        self.reply(PAGES.get(self.path))

    def reply(self, body: bytes | None) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Nothing."""


class KubeProxy(Web):
    """kube-proxy's answer at a service's healthCheckNodePort."""

    def do_GET(self) -> None:
        self.reply(json.dumps(KUBE_PROXY).encode())


class Redis(StreamRequestHandler):
    """As much of Redis as PING needs."""

    def handle(self) -> None:
        if self.rfile.readline() == b"PING\r\n":
            self.wfile.write(b"+PONG\r\n")


class Mail:
    """A mail server that offers STARTTLS."""


def serve(certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    web, secure = WebServer((NODE, 80), Web), WebServer((NODE, 443), Web)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    servers = [web, secure, WebServer((NODE, 32080), KubeProxy), ThreadingTCPServer((NODE, 6379), Redis)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    Controller(Mail(), NODE, 25, tls_context=context, server_hostname="mail.example.com", ready_timeout=60).start()
    print("ready", flush=True)
    dnsmasq = ["/usr/sbin/dnsmasq", "-k", "--bind-interfaces", f"--listen-address={NAME_SERVER}", "--no-resolv"]
    subprocess.run(
        [*dnsmasq, "--no-hosts", "--conf-file=/dev/null", f"--address=/www.example.com/{NODE}", "--user=root"],
        check=True,
    )


if __name__ == "__main__":
    serve(sys.argv[1])
