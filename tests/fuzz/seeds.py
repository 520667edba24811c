"""What the parsers' inputs look like when they are right."""

# ruff: noqa: E501

from __future__ import annotations

DEEP = b"[" * 5000
"""Deeper than any reader of JSON or TOML follows."""
KEEPALIVED_CONF = [
    b'global_defs {\n router_id x\n}\nvrrp_script c {\n script "sh /etc/keepalive/hacheck run vip"\n interval 2\n fall 2\n}\n'
    b"vrrp_instance VI_1 {\n interface eth0\n state MASTER\n virtual_router_id 3\n priority 100\n track_script {\n c\n }\n"
    b" virtual_ipaddress {\n 10.0.0.1/24 dev eth0\n fe80::1\n }\n virtual_ipaddress_excluded {\n 10.0.1.1\n }\n"
    b" unicast_peer {\n 1.2.3.4\n }\n}\n",
    b"$A=x \\\n y\n~SEQ(i, 1, 4) vrrp_instance V$i { }\n@host foo\n@^x bar\n~LST(i, {1,2},{3,4}) x $i\n$B=$A\n${B} c\n",
    b"vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\nvrrp_instance VI_1 { }\nvrrp_instance VI_2 { use_vmac x vmac_xmit_base }\n"
    b'~SEQx(n, 10, 1, -3) a $n\n# c ! d "q\\"\nstatic_ipaddress { 10.9.9.9 dev lo }\n',
]
INCLUDES = [
    b"include part.conf\n",
    b"include none.conf\n",
    b"include {a,b}{c,d}*.conf\nincludea none/*/x.conf\nincluder [a-z]?.conf\n",
]
PEER = [
    DEEP,
    b'{"node":"b","version":"0.1.0","identity":"0f","agrees":true,"headline":"All","vips":[["10.0.0.1","V","MASTER",true],'
    b'["fe80::1","W","BACKUP",null]],"settings":{"virtual_router_id 1 (ipv4)":"0a"},"checks":{"web":"1"},"drain":"by me"}',
]
KEEPALIVED_JSON = [
    DEEP,
    b'{"json_version":2,"vrrp":[{"data":{"iname":"V","state":2,"ifp_ifname":"e","vrid":3,"effective_priority":100,'
    b'"last_transition":1.5,"vips":["10.0.0.1 dev e"],"vipset":true},"stats":{"become_master":1}}]}',
    b'[{"data":{"iname":"V","state":2,"last_transition":1.5,"evips":[]},"stats":{}}]',
]
FRAMES = [
    b"\0\1\x08\0\6\4\0\2abcdef\n\0\0\1ABCDEF\n\0\0\2",
    b"\x45\xc0\0\x28\0\1\0\0\xff\x70\0\0\n\0\0\1\xe0\0\0\x12\x21\x07\x64\1\1\1\0\0\n\0\0\x09secret\0\0",
    b"\x45\0\0\x20\0\1\0\0\x40\x70\0\0\n\0\0\1\n\0\0\2\x31\x07\x64\1\0\x64\0\0\n\0\0\x09",
    b"\x60\0\0\0\0\x18\x70\xff\xfe\x80"
    + bytes(13)
    + b"\1\xff\2"
    + bytes(13)
    + b"\x12\x31\x07\x64\1\0\x0a\0\0\xfd\x78"
    + bytes(13)
    + b"\1",
    b"\x60\0\0\0\0\x20\x3a\xff\xfe\x80"
    + bytes(13)
    + b"\1\xfe\x80"
    + bytes(13)
    + b"\2\x88\0\0\0\x60\0\0\0\xfd\x78"
    + bytes(13)
    + b"\1\2\1abcdef",
]
RECORD = b"1\x1fINSTANCE\x1fVI_1\x1fMASTER\x1f100\x1f12\x1f3456\x1fe3-b\x1flog\x1c--file"
JOURNAL = [
    b"\x1e" + RECORD + b"\n",
    b"\x1e1\x1fINSTANCE\x1fVI_1\x1fBACKUP\x1f100\x1f12\x1f3456\x1fe3-b\x1f\n"
    b"\x1e1\x1fGROUP\x1fG\x1fFAULT\x1f\x1f13\x1f3456\x1fe3-b\x1flog\x1c--file\x1cx\n\x1e1\x1fINSTANCE\x1fVI_2",
]
FIFO = [b'INSTANCE "VI_1" MASTER 100', b'GROUP "a b" STOP', b'INSTANCE "VI_1" MASTER_RX_LOWER_PRI 255\n']
EVENT = (
    b'{"number": 1, "key": "a", "at": 1.0, "kind": "INSTANCE", "name": "V", "state": "MASTER", "priority": 1, '
    b'"before": null, "since": null, "late": false, "options": [], "order": ["b", 1, 2]}'
)
HISTORY = [DEEP, EVENT + b"\n", EVENT + b"\n" + EVENT.replace(b'"a"', b'"c"').replace(b"null", b'"FAULT"', 1) + b"\n"]
QUEUE = [
    DEEP,
    b'{"told": 1, "attempts": 0, "not_before": 0.0, "sending": 0, "trouble": "", "waiting": 0, "deliveries": 3, "failures":'
    b' {"auth": 1}, "dropped": {}, "last_success": null, "durations": [0,0,0,0,0,0,0,0,0,0], "seconds": 0.1}',
    b'{"told": 9, "attempts": 2, "not_before": 9e9, "sending": 3, "trouble": "x", "dropped": {"expired": 2}}',
    b'{"until": 9e9, "why": "new switch"}',
]
LETTERS = [DEEP, b'{"at": 1.5, "notifier": "log", "reason": "400 no", "events": [' + EVENT + b"]}\n"]
VERDICT = [
    b"hacheck-verdict 1\nname web\nprobe http\nsubject http://x/\nstatus FAIL\ngood no\nreason r\nat 1.5\nboot b\nduration 0.1\n"
    b"timeout 1.5\nruns 2\nconsecutive_failures 1\ndurations 0 0 0 0 0 2 2 2 2 2 2\nseconds 0.2\nfailures-timeout 1 1.5\n"
    b"kind timeout\nlast_success 1.0\ncertificate_expiry 2.0\nend\n"
]
STREAK = [b"b 90.0 up 1\n", b"b 90.0 up -1\n", b"b 99.5 down 2\n"]
CONDITIONS = [
    b".a == 1\0" + DEEP,
    b'.a[2].b == null\0{"a": [1]}',
    b".x | length >= 3\0[]",
    b'.v =~ "^a"\0{"v":"a"}',
    b'.["k"] != 1.5\0{"k":1e9}',
]
DNS = [
    bytes([kind]) + b"\x81\x80\0\1\0\1\0\0\0\0" + record
    for kind, record in (
        (0, b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"),
        (1, b"\xc0\x0c\0\x1c\0\1\0\0\0\1\0\x10" + bytes(16)),
        (2, b"\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x0c"),
        (3, b"\xc0\x0c\0\x10\0\1\0\0\0\1\0\4\3abc"),
        (4, b"\xc0\x0c\0\x21\0\1\0\0\0\1\0\x0a\0\1\0\2\0\x50\1x\xc0\x0c"),
        (5, b"\xc0\x0c\0\x0f\0\1\0\0\0\1\0\6\0\1\1x\xc0\x0c"),
    )
]
DNS_DATAGRAM = b"\0\7\x81\x80\0\1\0\1\0\0\0\0\1a\7example\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"
HTTP1 = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html; charset=utf-16\r\n\r\nok",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.0 301 x\r\nLocation: /a\r\n\r\n",
    b'HTTP/1.1 429 Slow\r\nRetry-After: 30\r\nContent-Type: application/json\r\n\r\n{"ok": false, "error": "ratelimited"}',
]
HTTP2 = [
    bytes.fromhex("000000040000000000 000000040100000000 000001010400000001 88 000002000100000001") + b"ok",
    bytes.fromhex("000000040000000000 000001010500000001 88"),
    bytes.fromhex("000000040000000000 000008070000000000 0000000000000000"),
    bytes.fromhex("000006040000000000 000300000064 000004080000000000 00000001 000008060000000000 0102030405060708"),
]
POSTGRESQL = [
    b"R\0\0\0\x08\0\0\0\0S\0\0\0\x16server_version\x0015\0K\0\0\0\x0c\0\0\0\1\0\0\0\2Z\0\0\0\5IT\0\0\0\x1a\0\1a\0"
    b"\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0D\0\0\0\x0b\0\1\0\0\0\0011C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I",
    b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0R\0\0\0\x30\0\0\0\x0br=abc,s=QUJD,i=4096",
    b"R\0\0\0\x0c\0\0\0\5abcdE\0\0\0\x1aSFATAL\0C28000\0Mno\0\0",
    b"N\0\0\0\x0bMhint\0\0E\0\0\0\x16SERROR\0C57P03\0Mx\0\0",
]


def _packets(*payloads: bytes) -> bytes:
    """MySQL's packets of one answer, numbered."""
    return b"".join(len(one).to_bytes(3, "little") + bytes([number]) + one for number, one in enumerate(payloads))


def _greeting(version: bytes, plugin: bytes, capabilities: bytes = b"\xff\xf7") -> bytes:
    rest = (
        b"\0\x08\0\0\0abcdefgh\0"
        + capabilities
        + b"\xff\2\0\xff\xdf\x15"
        + bytes(10)
        + b"abcdefghijkl\0"
        + plugin
        + b"\0"
    )
    return b"\x0a" + version + rest


_OK = b"\0\0\0\2\0\0\0"
_END = b"\xfe\0\0\2\0"
_COLUMN = b"\3def\0\0\0\1a\0\x0c\x3f\0\1\0\0\0\x08\x81\0\0\0\0"
_ROWS = (b"\2", _COLUMN, _COLUMN, _END, b"\0011\0012", _END)
_ANSWERS = _packets(b"", _OK)[4:] + 2 * _packets(b"", *_ROWS)[4:]
"""To `set names`, which the driver sends first, and to two queries."""
MYSQL = [
    _packets(_greeting(b"8.0.30", b"caching_sha2_password")) + _packets(b"", b"", b"\1\3", _OK)[8:] + _ANSWERS,
    _packets(_greeting(b"5.5.5-10.6-MariaDB", b"mysql_native_password")) + _packets(b"", b"", _OK)[8:] + _ANSWERS,
    _packets(_greeting(b"8.\xb2.30", b"caching_sha2_password")) + _packets(b"", b"", b"\1\3", _OK)[8:] + _ANSWERS,
    _packets(b"\xff\x69\4Host 'x' is blocked because"),
    _packets(_greeting(b"8.0.30", b"caching_sha2_password"))
    + _packets(b"", b"", b"\xfemysql_native_password\0abcdefghabcdefghijkl\0")[8:]
    + _packets(b"", b"", b"", b"", _OK)[16:]
    + _ANSWERS,
]
STARTTLS = [
    b"\0* OK hello\r\nh1 OK\r\n",
    b"\1\x30\x0c\2\1\1\x78\x07\x0a\1\0\4\0\4\0",
    b"\2" + _packets(_greeting(b"8.0.30", b"caching_sha2_password")),
    b"\3S",
    b"\x04220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n",
    b"\5* PREAUTH x\r\n",
    b"\6+OK x\r\n+OK\r\n",
    b'\7"SIEVE" "x"\r\n"STARTTLS"\r\nOK\r\nOK\r\n',
    b"\x08<?xml version='1.0'?><stream:stream from='x'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    b"</stream:features><proceed/>",
]
SMTP = [
    b"220 x\r\n250-x\r\n250 SIZE 100\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n",
    b"220 x\r\n502 no\r\n250 x\r\n421 bye\r\n",
]
WEB_CONFIG = [
    b"http_server_config:\n  headers:\n    X-Frame-Options: deny\nbasic_auth_users:\n"
    b"  a: $2y$10$abcdefghijklmnopqrstuO0123456789012345678901234567890\nrate_limit:\n  interval: 1m3ms\n  burst: 10\n",
    b"tls_server_config:\n  cert_file: a.pem\n  key_file: b.pem\n  client_auth_type: NoClientCert\n  cipher_suites:\n"
    b"  - TLS_AES_128_GCM_SHA256\nhttp_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\nbasic_auth_users:\n"
    b"  a: $2y$10$abcdefghijklmnopqrstuO0123456789012345678901234567890\nrate_limit:\n  interval: 1s\n  burst: 10\n",
    b"rate_limit: {interval: 1m3ms, burst: 3}\nbasic_auth_users: &a\n  b: *a\n",
]
OPENSHIFT = [
    b"10.0.0.1,10.0.0.4-6 fe80::1-4\n2\n10\n3 4\n2\nmy-name\n1.2.3.4",
    b"10.0.0.1 - 10.0.0.9\n0\n254\n\n1s\n\n",
]
LINT = [
    b"kind: Deployment\nmetadata: {name: x}\nspec:\n  replicas: 2\n  template:\n    spec:\n      hostNetwork: true\n      containers:\n"
    b"        - name: k\n          image: ose-keepalived-ipfailover:v4.20\n          ports: [{hostPort: 63010}]\n          env:\n"
    b"            - {name: OPENSHIFT_HA_VIRTUAL_IPS, value: '10.0.0.1-4,fd00::1'}\n"
    b"            - {name: OPENSHIFT_HA_CHECK_SCRIPT, value: sh /etc/keepalive/x}\n          volumeMounts:\n"
    b"            - {name: c, mountPath: /etc/keepalive}\n      volumes: [{name: c, configMap: {name: m, items: [{key: x, path: x}]}}]\n"
    b"---\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  x: 'exit 0'\n---\nkind: Service\nspec: {externalIPs: [10.0.0.9]}\n",
    b'{"kind": "List", "items": [{"kind": "ConfigMap", "data": {"OPENSHIFT_HA_VIP_GROUPS": "010", "a": "vrrp_instance V {\\n}\\n"}}]}',
    *KEEPALIVED_CONF,
]
HACHECK_TOML = [
    b"a = " + DEEP,
    b'[check.web]\nprobe = "http"\nurl = "http://x/"\nstatus = "200-299"\njson = [".a == 1"]\nfall = 2\n'
    b'[check.t]\nprobe="tcp"\ntarget="a:1"\nsend=["x"]\n[check.v]\nany=["web","t"]\nat_least=1\n',
    b'[notifier.a]\nnotifier="slack"\nurl_file="/x"\nfallback="b"\n[notifier.b]\nnotifier="log"\nfile="/y"\nrate="1s"\n'
    b'[notifier.c]\nnotifier="mail"\nserver="x:25"\nto=["a@b"]\nfrom="c@d"\n',
    b'[check.d]\nprobe="dns"\nname="x"\nexpect=["10.0.0.1"]\n[check.s]\nprobe="sql"\nurl="postgresql://u@h/d"\nmax_lag="16MB"\n',
]
WORDS = [
    b"http://a.b:80/x?y#z", b"[fe80::1%eth0]:80", b"unix:/run/x", b"1.5s", b"1h30m", b"64KiB", b"200-299,401", b"2xx", b"X-A: b",
    b"connect=200ms", b"postgresql://u@h:5432,h2/db?x=y", b"mysql://u@h/d", b"sqlite:/x", b"10.0.0.1", b"send PING\\r\\n",
    b"expect-regex ^a+$", b"expect-hex 00ff", b">= 3", b"1..5", b"{name} is {state}", b"/a/../b?c", b"//z:1/",
]  # fmt: skip
EXPOSITION = [
    b'# The last message this tells of: abc\nhachecks_vrrp_state{vrrp_instance="V",state="MASTER"} 1\n'
    b'hachecks_vrrp_transitions_total{vrrp_instance="a\\"b",state="FAULT"} 3\nhachecks_vrrp_priority{vrrp_instance="V"} 100\n'
]
PASSWORDS = [b"h:5432:*:u:pa\\:ss\n# x\n*:*:*:*:y\n", b"[client]\nuser = \"u\"\npassword='a\\n'\n[mysql]\n!include x\n"]
ANSWERS = [
    b"2 web - 1234 5678 0\n\nPASS - 10.0.0.1:80 accepted the connection in 0.1 ms\n",
    b"2 web 5a3c5b6a-8978-4b1d-835d-3d0937036356 1234 5678 1\n3s|1|||||true|/etc/hacheck.toml\nFAIL - x\n",
]
DRAINS = [
    b"-1 # drained at 2026-11-29T17:00:00Z until 2026-11-29T19:00:00Z by root: a disk\n# VIPs here then: 10.0.0.1 fd00::1\n",
    b"-0x10 # drained at 2026-11-29T17:00:00Z by me\n",
    b"010\n",
]
POD_REPORTS = [
    DEEP,
    b'{"phase":"running","findings":["eth9 is not there"],"held":"","restarts":{"agent":1},"reloads":2,"at":1.5}',
]
WIRE_REPORTS = [DEEP, b'{"at":1e9,"found":["10.0.0.1 is answered for by 02:00:00:00:00:01"]}']
FOLLOW_REPORTS = [DEEP, b'{"trouble":"","services":1,"vips":2,"remarks":["shop/web: no"],"at":1.5}']
SERVICES = [
    DEEP,
    b'{"metadata":{"namespace":"shop","name":"web","uid":"0f","creationTimestamp":"2026-11-29T17:00:00Z","resourceVersion":"7",'
    b'"annotations":{"hachecks.internal/vips":"192.0.2.5"}},"spec":{"type":"LoadBalancer","loadBalancerClass":"hachecks.internal/ipfailover",'
    b'"ipFamilies":["IPv4","IPv6"],"externalIPs":["192.0.2.9"],"externalTrafficPolicy":"Local","healthCheckNodePort":30123,'
    b'"ports":[{"port":80,"nodePort":30080,"protocol":"TCP"}]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.5"}]}}}',
]
SHARED_MAPS = [
    DEEP,
    b'{"metadata":{"name":"ledger","resourceVersion":"3"},"data":{"ledger.json":"{\\"hachecks_ipfailover_ledger\\": 1, \\"configurations\\": {}}",'
    b'"services.json":"{\\"hachecks_ipfailover_services\\": 1, \\"configurations\\": {\\"vips\\": {\\"shop/web\\": [\\"192.0.2.5\\"]}}}"}}',
]
