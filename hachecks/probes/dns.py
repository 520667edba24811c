"""The DNS probe: whether a name server answers, and what."""

from __future__ import annotations

import os

from hachecks.deadline import TimedOut
from hachecks.net.dns_message import Answer, Name, answers, normal, question
from hachecks.net.target import Target
from hachecks.net.transport import NetworkOptions, together
from hachecks.settings import argument, option, settings
from hachecks.verdict import CannotLook, Failure, Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline

DNS_PORT = 53
DATAGRAM_TRIES = 3
"""How often a datagram is sent within the deadline: one that is lost leaves no other trace."""
MAX_MESSAGE_BYTES = 65535


@settings
class DnsProbe(NetworkOptions):
    """Ask a name server and judge its answer.

    PASS when the server answers with the expected response code and, for NOERROR, with at least --min-answers records
    of the type, every --expect among them, and with --expect-only nothing else. FAIL when it says something else or
    nothing.

    The server is asked directly (UDP, then TCP where the answer is truncated): no search list, no hosts file, no cache
    of this node. Of a server with several addresses each is asked in turn, until one answers. Without --server the
    first one in /etc/resolv.conf is asked. DNSSEC is not validated.
    """

    name: Name = argument(help="The name to ask for.")
    server: Target | None = option(default=None, metavar="ADDR[:PORT]", help="The server to ask.")
    type: Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = option(
        default="A", help="The record type."
    )
    expect: tuple[str, ...] = option(
        default=(), metavar="RECORD", help="A record that must be there, such as 10.0.0.5."
    )
    expect_only: bool = option(default=False, help="Demand exactly the records of --expect: any other fails.")
    min_answers: int = option(default=1, metavar="N", help="The least number of records.")
    rcode: Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] = option(
        default="NOERROR", help="The expected response code."
    )
    authoritative: bool = option(default=False, help="The server must be an authority for the name.")
    recursion: bool = option(
        default=True, help="Ask for what the server knows itself, and not for what it would ask others."
    )
    tcp: bool = option(default=False, help="Ask over TCP.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()
        if self.server is not None and self.server.path:
            raise ValueError("--server is an address, not a unix socket")
        if self.proxy_protocol is not None and not self.tcp:
            raise ValueError("--proxy-protocol needs --tcp")
        if self.connect_to is not None and self.connect_to.path:
            raise ValueError("--connect-to unix:… cannot carry DNS")
        if self.expect_only and not self.expect:
            raise ValueError("--expect-only needs --expect")
        for record in self.expect:
            normal(record, self.type)

    @property
    def subject(self) -> str:
        """The server, and what it is asked."""
        return f"{self.server or 'the name server'} for {self.name} {self.type}"

    def check(self, deadline: Deadline) -> Verdict:
        """Ask one address after the other until one answers, and compare."""
        chosen = self.server or Target(first_nameserver(), None)
        server = Target(chosen.host, chosen.port or DNS_PORT)
        addresses = self.addresses(server, deadline)
        complaints: list[Failure | CannotLook] = []
        for number, address in enumerate(addresses):
            try:
                answer = self._ask(address, deadline.share(len(addresses) - number))
            except (Failure, CannotLook) as complaint:
                complaints.append(complaint)
            else:
                return self._judge(answer, server if len(addresses) == 1 else address, deadline)
        raise together(complaints)

    def _ask(self, server: Target, deadline: Deadline) -> Answer:
        query = question(str(self.name), self.type, int.from_bytes(os.urandom(2), "big"), self.recursion)
        try:
            answer = None if self.tcp else self._over_udp(query, server, deadline)
            return self._over_tcp(query, server, deadline) if answer is None or answer.truncated else answer
        except TimedOut:
            told = f"{server} did not answer for {self.name} within {in_words(deadline.seconds)}"
            raise Failure(told, "timeout") from None

    def _over_udp(self, query: bytes, server: Target, deadline: Deadline) -> Answer:
        with self.datagrams(server, deadline) as stream, deadline.during("answer"):
            for tries_left in range(DATAGRAM_TRIES, 0, -1):
                stream.deadline = deadline.share(tries_left)
                stream.sendall(query)
                try:
                    while True:
                        data = stream.recv(MAX_MESSAGE_BYTES)
                        if answers(data, query):  # what is not may be somebody else's
                            return Answer(data, query, str(server))
                except TimedOut:
                    continue
        raise TimedOut

    def _over_tcp(self, query: bytes, server: Target, deadline: Deadline) -> Answer:
        with self.connect(server, deadline) as stream, deadline.during("answer"):
            stream.sendall(len(query).to_bytes(2, "big") + query)
            data = stream.read_exactly(int.from_bytes(stream.read_exactly(2), "big"))
        if not answers(data, query):
            raise Failure(f"{server} sent what is not an answer to the question", "protocol")
        return Answer(data, query, str(server))

    def _judge(self, answer: Answer, server: Target, deadline: Deadline) -> Verdict:
        asked = f"{server} answered {self.name} {self.type}"
        if answer.rcode != self.rcode:
            return Verdict.failing(f"{asked} with {answer.rcode}, expected {self.rcode}", "status")
        if self.authoritative and not answer.authoritative:
            return Verdict.failing(f"{asked} without authority")
        records = answer.records()
        measured = {"answers_count": len(records)}
        told = ", ".join(records[:4]) + (", …" if len(records) > 4 else "") if records else "no record"
        if answer.rcode == "NOERROR" and len(records) < self.min_answers:
            return Verdict.failing(f"{asked} with {told}, expected at least {self.min_answers}", "body", **measured)
        wrong = self._against_expectation(records)
        if wrong:
            return Verdict.failing(f"{asked} with {told}, {wrong}", "body", **measured)
        told = told if answer.rcode == "NOERROR" else answer.rcode
        return Verdict.passing(f"{asked} with {told} in {in_words(deadline.phases['answer'])}", **measured)

    def _against_expectation(self, records: list[str]) -> str:
        expected = {normal(record, self.type): record for record in self.expect}
        found = {normal(record, self.type): record for record in records}
        missing = [record for key, record in expected.items() if key not in found]
        if missing:
            return f"without {missing[0]}"
        surplus = [record for key, record in found.items() if key not in expected]
        return f"not only {', '.join(self.expect)}" if self.expect_only and surplus else ""


def first_nameserver() -> str:
    """The first name server of /etc/resolv.conf; raises `CannotLook`."""
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    return words[1]
    except OSError as error:
        raise CannotLook(f"/etc/resolv.conf cannot be read: {error.strerror}") from None
    raise CannotLook("/etc/resolv.conf names no name server; use --server")
