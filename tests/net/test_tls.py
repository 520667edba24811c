"""The TLS options against real servers: versions, trust, names, ends, client certificates and their keys."""

from __future__ import annotations

import datetime
import shutil
import ssl
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.deadline import Deadline
from hachecks.net import handshake
from hachecks.net.certificate import Certificate, seconds
from hachecks.net.handshake import sent_certificates
from hachecks.net.target import Target
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.verdict import Failure
from tests.certificates import NOW, Issued
from tests.mailservers import await_greeting
from tests.ports import free_port
from tests.probes.asking import answer_of, line_of
from tests.talker import Talker, greet_and_echo, talking

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

OPENSSL = shutil.which("openssl")
VERSIONS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}
"""What `--tls-min` and `--tls-max` take, and how openssl says it."""
LOCALHOST = ("localhost",)


class Chain:
    """A root, an intermediate, and a certificate for localhost, in files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = Issued("root", is_ca=True)
        self.issuing = Issued("issuing", self.root, is_ca=True)
        self.leaf = Issued("localhost", self.issuing, names=LOCALHOST)
        self.root_file, _ = self.root.write(directory, "root")
        self.issuing_file, _ = self.issuing.write(directory, "issuing")
        self.leaf_file, self.leaf_key = self.leaf.write(directory, "leaf")
        self.chain_file, self.chain_key = self.leaf.write(directory, "chain", self.issuing)

    def context(self, leaf: Issued | None = None, *others: Issued) -> ssl.SSLContext:
        """A server's context with this certificate and chain; without, with its own, whole."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if leaf is None:
            leaf, others = self.leaf, (self.issuing,)
        context.load_cert_chain(*leaf.write(self.directory, f"server-{leaf.certificate.serial_number}", *others))
        return context


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"))


def tls(talker: Talker, *words: object) -> Any:
    """Ask the talker in TLS, as localhost."""
    return answer_of("tcp", talker.address, "--tls", "--server-name", "localhost", *words)


@pytest.fixture
def heard_out(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Ask an address in TLS, as localhost, with time for a refusal that a busy machine has; returns the line."""
    monkeypatch.setattr(handshake, "REFUSAL_WAIT_SECONDS", 10.0)
    return lambda where, *words: line_of("tcp", where, "--tls", "--server-name", "localhost", *words, timeout=20)


@contextmanager
def s_server(chain: Chain, *words: str) -> Iterator[int]:
    """OpenSSL's own server, and its port."""
    assert OPENSSL, "install openssl"
    port = free_port()
    command = [OPENSSL, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain.leaf_file, "-key", chain.leaf_key]
    command += ["-cert_chain", chain.issuing_file, "-www", "-quiet", *words]
    with (chain.directory / "s_server").open("wb") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        await_greeting(process, port, b"", chain.directory / "s_server")
        yield port
    finally:
        process.kill()
        process.wait(10)


# Versions


def test_the_versions_are_all_tried() -> None:
    for name in ("tls_min", "tls_max"):
        assert TlsOptions.__settings__[name].choices == tuple(VERSIONS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_of_tls_is_met_by_a_server_that_speaks_no_other(version: str, chain: Chain) -> None:
    with s_server(chain, VERSIONS[version], "-cipher", "DEFAULT:@SECLEVEL=0") as port:
        where = ("tcp", f"localhost:{port}", "-4", "--tls", "--ca-file", chain.root_file)
        for words in (("--tls-min", version), ("--tls-max", version), ("--tls-min", version, "--tls-max", version)):
            assert answer_of(*where, *words).code == 0, (words, answer_of(*where, *words))
        assert answer_of(*where, "--tls-min", "1.0").code == 0
        assert (answer_of(*where).code == 0) == (version in ("1.2", "1.3"))
        for other in VERSIONS:
            flag = "--tls-max" if other < version else "--tls-min"
            if other != version:
                answer = answer_of(*where, flag, other)
                told = "it speaks no version of TLS that is allowed (--tls-min, --tls-max)"
                assert answer.line == f"FAIL - localhost:{port}: TLS failed: {told}"


def test_a_least_version_above_the_most_is_refused() -> None:
    told = "hacheck: tcp: --tls-min 1.3 is above --tls-max 1.2\n"
    assert answer_of("tcp", "x:1", "--tls", "--tls-min", "1.3", "--tls-max", "1.2") == (2, "", told)


# Trust


@pytest.mark.parametrize("trusted", ["root", "issuing", "leaf"])
@pytest.mark.parametrize("sends_all", [True, False], ids=["whole-chain", "alone"])
def test_whatever_is_trusted_ends_the_chain(trusted: str, sends_all: bool, chain: Chain) -> None:
    context = chain.context() if sends_all else chain.context(chain.leaf)
    with talking(greet_and_echo, context=context) as talker:
        answer = tls(talker, "--ca-file", chain.directory / f"{trusted}.pem")
    assert (answer.code == 0) == (sends_all or trusted != "root"), answer


def test_a_pinned_certificate_is_still_judged_by_name_and_end(chain: Chain) -> None:
    ended = Issued("localhost", chain.issuing, names=LOCALHOST, ends=NOW - datetime.timedelta(hours=1))
    file, _ = ended.write(chain.directory, "ended")
    with talking(greet_and_echo, context=chain.context(ended)) as talker:
        assert tls(talker, "--ca-file", file).line.endswith("TLS failed: certificate has expired")
    with talking(greet_and_echo, context=chain.context()) as talker:
        answer = answer_of("tcp", talker.address, "--tls", "--server-name", "other.test", "--ca-file", chain.leaf_file)
    assert "certificate is not valid for 'other.test'" in answer.line


def test_another_certificate_of_the_same_issuer_is_not_the_pinned_one(chain: Chain) -> None:
    other, _ = Issued("localhost", chain.issuing, names=LOCALHOST).write(chain.directory, "other")
    with talking(greet_and_echo, context=chain.context(chain.leaf)) as talker:
        assert tls(talker, "--ca-file", other).code == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "there is no certificate in it (PEM)", id="empty"),
        pytest.param("hello\n", "there is no certificate in it (PEM)", id="text"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", id="garbage"),
        pytest.param(None, "Is a directory", id="directory"),
    ],
)
def test_a_file_that_holds_no_certificate_is_no_fault_of_the_server(
    text: str | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if text is None:
        file.mkdir()
    else:
        file.write_text(text)
    line = answer_of("tcp", "127.0.0.1:9", "--tls", "--ca-file", file).line
    assert line.startswith(f"UNKNOWN - cannot use {file}: {told}")
    assert "_ssl" not in line
    assert "[" not in line


# Names


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_name_that_stands_in_the_cn_alone_is_told(version: str, chain: Chain) -> None:
    with talking(greet_and_echo, context=chain.context(Issued("localhost", chain.issuing), chain.issuing)) as talker:
        answer = tls(talker, "--ca-file", chain.root_file, "--tls-max", version)
    told = "the certificate has no subjectAltName, only the CN 'localhost', which counts no more"
    assert answer.line == f"FAIL - {talker.address}: TLS failed: {told}"


# Ends


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("days_of_leaf", "days_of_issuer", "told"),
    [
        pytest.param(
            20, 5, "the certificate of its issuer 'short' expires in 5.0 days, expected at least 10", id="issuer"
        ),
        pytest.param(5, 20, "the certificate expires in 5.0 days, expected at least 10", id="leaf"),
        pytest.param(20, 20, "", id="neither"),
    ],
)
def test_what_ends_first_of_what_was_sent_decides(
    days_of_leaf: int, days_of_issuer: int, told: str, version: str, chain: Chain
) -> None:
    def after(days: int) -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, minutes=10)

    issuer = Issued("short", chain.root, is_ca=True, ends=after(days_of_issuer))
    leaf = Issued("localhost", issuer, names=LOCALHOST, ends=after(days_of_leaf))
    with talking(greet_and_echo, context=chain.context(leaf, issuer)) as talker:
        answer = tls(talker, "--ca-file", chain.root_file, "--tls-max", version, "--min-days-left", 10)
    if told:
        assert answer.line == f"FAIL - {talker.address}: {told}"
    else:
        assert answer.code == 0, answer


@given(st.integers(-631152000, 253402300799))  # 1950 to 9999
def test_an_end_is_the_instant_it_names(instant: int) -> None:
    when = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=instant)
    assert seconds(0x18, f"{when.year:04d}{when:%m%d%H%M%SZ}") == instant
    if when.year < 2050:
        assert seconds(0x17, f"{when.year % 100:02d}{when:%m%d%H%M%SZ}") == instant


def test_a_certificate_is_read_as_others_read_it(chain: Chain) -> None:
    for issued in (chain.root, chain.issuing, chain.leaf):
        read = Certificate(issued.der)
        assert read.ends == issued.certificate.not_valid_after_utc.timestamp()
        assert read.has_alternative_names == (issued is chain.leaf)
    assert Certificate(chain.issuing.der).name == "issuing"


@given(st.data())
def test_any_bytes_are_a_certificate_or_none(data: st.DataObject) -> None:
    der = bytearray(ISSUED.der)
    for _ in range(data.draw(st.integers(0, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (bytes(der), bytes(der[: data.draw(st.integers(0, len(der)))]), data.draw(st.binary())):
        with suppress(ValueError):
            Certificate(candidate)
        sent_certificates(candidate, is_1_3=data.draw(st.booleans()))


ISSUED = Issued("any", names=LOCALHOST)


# Client certificates


def wanting(chain: Chain, mode: ssl.VerifyMode = ssl.CERT_REQUIRED) -> ssl.SSLContext:
    """A server's context that wants a certificate of the chain's root."""
    context = chain.context()
    context.verify_mode = mode
    context.load_verify_locations(chain.root_file)
    return context


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("tickets", ["0", "2"])
def test_a_server_that_wants_a_certificate_refuses_whoever_has_none(
    version: str, tickets: str, chain: Chain, heard_out: Callable[..., str]
) -> None:
    wants = ("-Verify", "3", "-verify_return_error", "-CAfile", chain.root_file, "-num_tickets", tickets)
    with s_server(chain, version, *wants) as port:
        refused = heard_out(f"127.0.0.1:{port}", "--ca-file", chain.root_file)
        assert refused.startswith(f"FAIL - 127.0.0.1:{port}: TLS failed: it ")
        assert "client certificate (--cert-file)" in refused
        where = ("tcp", f"localhost:{port}", "-4", "--tls", "--ca-file", chain.root_file)
        assert answer_of(*where, "--cert-file", chain.chain_file, "--key-file", chain.chain_key).code == 0


@pytest.mark.usefixtures("heard_out")
def test_the_handshake_is_not_over_before_the_server_had_its_chance_to_refuse(chain: Chain) -> None:
    wants = ("-Verify", "3", "-verify_return_error", "-CAfile", chain.root_file, "-num_tickets", "0")
    context = TlsOptions(ca_file=chain.root_file).context()
    with s_server(chain, "-tls1_3", *wants) as port:  # a process of its own, which refuses a little later
        stream = NetworkOptions().connect(Target("127.0.0.1", port), Deadline.after(20))
        with stream, pytest.raises(Failure, match=r"client certificate \(--cert-file\)"):
            stream.start_tls(context, "localhost")


def test_a_certificate_of_somebody_else_is_refused(chain: Chain, heard_out: Callable[..., str]) -> None:
    stranger = Issued("stranger").write(chain.directory, "stranger")
    with talking(greet_and_echo, context=wanting(chain)) as talker:
        ours = ("--cert-file", stranger[0], "--key-file", stranger[1])
        line = heard_out(talker.address, "--ca-file", chain.root_file, *ours)
    # This server closes without having read all, and its reset may overtake its alert.
    assert line in (
        f"FAIL - {talker.address}: TLS failed: it does not trust the issuer of the client certificate",
        f"FAIL - {talker.address} closed the connection after it asked for a client certificate (--cert-file)",
    )


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_looks_for_a_certificate_only_later_may_still_refuse(
    version: str, chain: Chain, heard_out: Callable[..., str]
) -> None:
    # nginx's stream module lets OpenSSL end the handshake, tickets included, and then closes.
    def close(connection: socket.socket, talker: Talker) -> None:
        talker.heard.append(b"")
        time.sleep(0.01)
        connection.close()

    with talking(close, context=wanting(chain, ssl.CERT_OPTIONAL)) as talker:
        line = heard_out(talker.address, "--ca-file", chain.root_file, "--tls-max", version)
    told = "closed the connection after it asked for a client certificate (--cert-file)"
    assert line == f"FAIL - {talker.address} {told}"


def test_what_a_server_says_at_once_is_not_lost_for_hearing_it_out(chain: Chain) -> None:
    with talking(greet_and_echo, context=wanting(chain, ssl.CERT_OPTIONAL)) as talker:
        for words in ((), ("--expect", "220 hello")):
            assert tls(talker, "--ca-file", chain.root_file, *words).code == 0


def test_a_server_that_asks_for_no_certificate_is_not_waited_for(chain: Chain) -> None:
    def say_nothing(connection: socket.socket, talker: Talker) -> None:
        talker.heard.append(connection.recv(1000))

    with talking(say_nothing, context=chain.context()) as talker:
        answer = tls(talker, "--ca-file", chain.root_file, "-vv")
        assert answer.code == 0, answer
    assert talker.heard == [b""]  # it was told that we go


# Keys


def test_an_encrypted_key_is_never_asked_for(chain: Chain) -> None:
    certificate, key = chain.leaf.write(chain.directory, "locked", chain.issuing, password="secret")
    right, wrong = chain.directory / "right", chain.directory / "wrong"
    right.write_text("secret\n")
    wrong.write_text("other\n")
    with talking(greet_and_echo, context=wanting(chain)) as talker:
        ours = ("--ca-file", chain.root_file, "--cert-file", certificate, "--key-file", key)
        told = f"the key in {key} is encrypted; name its password's file by --key-password-file"
        assert tls(talker, *ours).line == f"UNKNOWN - {told}"
        assert tls(talker, *ours, "--key-password-file", right).code == 0
        answer = tls(talker, *ours, "--key-password-file", wrong)
        assert answer.line == f"UNKNOWN - the password in {wrong} does not open {key}"
        answer = tls(talker, *ours, "--key-password-file", chain.directory / "absent")
        assert answer.line == f"UNKNOWN - cannot read {chain.directory}/absent: No such file or directory"


def test_a_key_that_is_another_certificates_is_told(chain: Chain) -> None:
    _, key = Issued("other").write(chain.directory, "keyless")
    answer = answer_of("tcp", "127.0.0.1:9", "--tls", "--cert-file", chain.leaf_file, "--key-file", key)
    assert answer.line == f"UNKNOWN - cannot use {chain.leaf_file} and {key}: the key is not the certificate's"
