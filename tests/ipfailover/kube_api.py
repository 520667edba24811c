"""A strict API server of Kubernetes for one room: it checks what the real one checks, and says what it says.

Shapes are those of Kubernetes' API reference as kubectl prints them, rights are the rules that the package declares,
and what is written is validated by the newest schemas of `kubernetes_validate` and by rules of the real one that no
schema has.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import ctypes
import gc
import ipaddress
import json
import re
import ssl
import threading
import uuid
import warnings
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import trustme
from aiohttp import web

from hachecks.ipfailover.follow.rights import CLUSTER_RULES, namespace_rules
from tests.own_network import CLONE_NEWNET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Handler = Callable[[web.Request], Any]

NAMESPACE, CONFIG_MAP = "ipfailover", "ipfailover-ledger"
VERSION = kubernetes_validate.latest_version()
KINDS = {"services": "Service", "configmaps": "ConfigMap", "events": "Event"}
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PATCHES = {"application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json",
           "application/apply-patch+yaml"}  # fmt: skip


class Refusal(Exception):  # noqa: N818 - the name says what it is
    """What the API refuses, as a Status object."""

    def __init__(self, code: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.headers = code, reason, headers or {}

    def status(self) -> dict[str, Any]:
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
            "reason": self.reason, "code": self.code,
        }  # fmt: skip


def service(name: str, number: int = 1, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A Service of type LoadBalancer with our class, as the API has it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": name},
            "managedFields": [
                {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
            ],
        },
        "spec": {
            "allocateLoadBalancerNodePorts": True,
            "clusterIP": f"10.96.0.{number}",
            "clusterIPs": [f"10.96.0.{number}"],
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "loadBalancerClass": "hachecks.internal/ipfailover",
            "ports": [{"name": "http", "nodePort": 30000 + number, "port": 80, "protocol": "TCP", "targetPort": 8080}],
            "selector": {"app": name},
            "sessionAffinity": "None",
            "type": "LoadBalancer",
            **spec,
        },
        "status": {"loadBalancer": {}},
    }


class KubeApi:
    """The server, in a thread of its own; `asked` has each request as METHOD PATH, with the status.

    It listens on an address, where one is named in the network of a process.
    """

    def __init__(self, directory: Path, address: str = "127.0.0.1", within: int = 0) -> None:
        self.account = directory
        self._address = address
        self._within = within
        self.objects: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.log: list[tuple[int, str, str, dict[str, Any]]] = []
        self.version = 1000
        self.oldest = 1000
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.continued: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self.cluster_rules: Sequence[Mapping[str, Sequence[str]]] = CLUSTER_RULES
        self.namespace_rules: Sequence[Mapping[str, Sequence[str]]] = namespace_rules(CONFIG_MAP)
        self.bookmarks: float | None = 0.2
        self.is_silent = False
        self.gone_in_stream = True
        self.refusing: Callable[[web.Request], Refusal | web.StreamResponse | None] = lambda _: None
        self.watching = 0
        self.ca = trustme.CA()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self.rotate()
        (directory / "namespace").write_text(NAMESPACE)
        self.ca.cert_pem.write_to_path(str(directory / "ca.crt"))

    # From the test's thread

    def rotate(self) -> None:
        """Another token is valid from now on, and no other, and the file has it as the kubelet replaces it."""
        token = uuid.uuid4().hex
        self.tokens = {*self.tokens, token}  # nobody reads one that is not valid yet, or no more
        (self.account / "token.new").write_text(token)
        (self.account / "token.new").rename(self.account / "token")
        self.tokens = {token}

    @property
    def environ(self) -> dict[str, str]:
        return {"KUBERNETES_SERVICE_HOST": self._address, "KUBERNETES_SERVICE_PORT": str(self.port)}

    def put(self, resource: str, found: dict[str, Any]) -> dict[str, Any]:
        """Somebody else creates or changes an object, whatever it is."""
        stored: dict[str, Any] = self._do(lambda: self._stored(resource, copy.deepcopy(found)))
        return stored

    def delete(self, resource: str, key: str) -> None:
        def gone() -> None:
            found = self.objects[resource].pop(key)
            self._note(resource, "DELETED", found)

        self._do(gone)

    def compact(self) -> None:
        """Forget all changes so far; watches that are under way end."""

        def forget() -> None:
            self.version += 1
            self.oldest = self.version

        self._do(forget)

    def count(self, asked: str) -> int:
        """How often something was asked that begins so."""
        return sum(one.startswith(asked) for one in list(self.asked))

    def _do(self, act: Callable[[], Any]) -> Any:
        async def acting() -> Any:
            async with self._changed:
                found = act()
                self._changed.notify_all()
            return found

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result(60)

    @contextlib.contextmanager
    def serving(self, port: int = 0) -> Iterator[KubeApi]:
        thread = threading.Thread(target=self._run, args=(port,))
        thread.start()
        try:
            assert self._ready.wait(60)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(60)
            self._loop.close()
            with warnings.catch_warnings():
                # A client that goes while TLS begins leaves its end here to the garbage collector.
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()

    def _run(self, port: int) -> None:
        if self._within:
            with open(f"/proc/{self._within}/ns/net") as network:
                assert ctypes.CDLL(None).setns(network.fileno(), CLONE_NEWNET) == 0
        self._loop.run_until_complete(self._serve(port))

    async def _serve(self, port: int) -> None:
        self._changed, self._stop = asyncio.Condition(), asyncio.Event()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(self._address).configure_cert(context)
        application = web.Application(client_max_size=2**21)
        application.router.add_route("*", "/{rest:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self._address, port, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        async with self._changed:
            self.is_silent = False
            self._changed.notify_all()
        await runner.cleanup()

    # In the server's

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            special = self.refusing(request)
            if isinstance(special, web.StreamResponse):
                self.asked.append(f"{request.method} {request.path} {special.status}")
                return special
            if special:
                raise special
            self._authenticate(request)
            answer = await self._route(request)
        except Refusal as error:
            answer = web.json_response(error.status(), status=error.code, headers=error.headers)
        self.asked.append(f"{request.method} {request.path} {answer.status}")
        return answer

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        if "application/json" not in request.headers.get("Accept", ""):
            raise Refusal(406, "NotAcceptable", "only the following media types are accepted: application/json")

    async def _route(self, request: web.Request) -> web.StreamResponse:
        found = re.fullmatch(
            r"/api/v1(?:/namespaces/([^/]+))?/(services|configmaps|events)(?:/([^/]+)(/status)?)?", request.path
        )
        if not found:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        namespace, resource, name, sub = found[1] or "", found[2], found[3] or "", found[4] or ""
        verb = self._verb(request, name)
        self._authorize(verb, namespace, resource + sub, name or self._selected(request))
        if verb in ("list", "watch"):
            return await (self._watch if verb == "watch" else self._list)(request, resource, namespace)
        if verb == "get":
            return web.json_response(self._known(resource, namespace, name))
        body = await self._body(request, PATCHES if verb == "patch" else {"application/json"})
        async with self._changed:
            act = {"create": self._create, "update": self._update, "patch": self._patch}[verb]
            if verb == "patch" and request.content_type != "application/merge-patch+json":
                raise Refusal(415, "UnsupportedMediaType", "this server of tests knows merge patches only")
            stored = act(resource, namespace, name, sub, body)
            self._changed.notify_all()
        return web.json_response(stored, status=201 if verb == "create" else 200)

    def _verb(self, request: web.Request, name: str) -> str:
        if request.method == "GET":
            watches = request.query.get("watch") in ("true", "1")
            return "get" if name else "watch" if watches else "list"
        verbs = {"POST": "create", "PUT": "update", "PATCH": "patch"}
        if request.method not in verbs or bool(name) == (request.method == "POST"):
            raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        return verbs[request.method]

    def _selected(self, request: web.Request) -> str:
        found = re.fullmatch(r"metadata\.name=(\S+)", request.query.get("fieldSelector", ""))
        return found[1] if found else ""

    def _authorize(self, verb: str, namespace: str, resource: str, name: str) -> None:
        rules = [*self.cluster_rules, *(self.namespace_rules if namespace == NAMESPACE else ())]
        for rule in rules:
            names = rule.get("resourceNames", ())
            # A name is not known yet when something is created.
            if (
                verb in rule["verbs"]
                and resource in rule["resources"]
                and "" in rule["apiGroups"]
                and (not names or (verb != "create" and name in names))
            ):
                return
        raise Refusal(
            403, "Forbidden", f'{resource} is forbidden: User "system:serviceaccount:{NAMESPACE}:ipfailover" cannot '
            f'{verb} resource "{resource}" in API group ""'
        )  # fmt: skip

    def _known(self, resource: str, namespace: str, name: str) -> dict[str, Any]:
        try:
            return self.objects[resource][f"{namespace}/{name}"]
        except KeyError:
            raise Refusal(404, "NotFound", f'{resource} "{name}" not found') from None

    async def _body(self, request: web.Request, kinds: set[str]) -> dict[str, Any]:
        if request.content_type not in kinds:
            raise Refusal(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kinds}")
        try:
            body = json.loads(await request.read())
        except ValueError:
            raise Refusal(400, "BadRequest", "the object provided is unrecognized") from None
        if not isinstance(body, dict):
            raise Refusal(400, "BadRequest", "the object provided is unrecognized")
        return body

    def _create(self, resource: str, namespace: str, _name: str, _sub: str, body: dict[str, Any]) -> dict[str, Any]:
        self._validate(resource, namespace, body)
        if body["metadata"].get("resourceVersion"):
            raise Refusal(422, "Invalid", "metadata.resourceVersion: must not be set on objects to be created")
        key = f"{namespace}/{body['metadata']['name']}"
        if key in self.objects[resource]:
            raise Refusal(409, "AlreadyExists", f'{resource} "{body["metadata"]["name"]}" already exists')
        return self._stored(resource, body)

    def _update(self, resource: str, namespace: str, name: str, _sub: str, body: dict[str, Any]) -> dict[str, Any]:
        self._validate(resource, namespace, body)
        if body["metadata"]["name"] != name:
            raise Refusal(400, "BadRequest", "the name of the object does not match the name on the URL")
        old = self._known(resource, namespace, name)
        self._compare(old, body, name)
        if body["metadata"].get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            raise Refusal(409, "Conflict", "Precondition failed: UID in precondition")
        return self._stored(resource, body)

    def _compare(self, old: dict[str, Any], new: dict[str, Any], name: str) -> None:
        version = new["metadata"].get("resourceVersion")
        if version is not None and version != old["metadata"]["resourceVersion"]:
            raise Refusal(
                409, "Conflict", f'Operation cannot be fulfilled on "{name}": the object has been modified; please '
                "apply your changes to the latest version and try again"
            )  # fmt: skip

    def _patch(self, resource: str, namespace: str, name: str, sub: str, body: dict[str, Any]) -> dict[str, Any]:
        old = self._known(resource, namespace, name)
        self._compare(old, {"metadata": body.get("metadata", {})}, name)
        new = _merged(copy.deepcopy(old), body)
        if sub:  # what is not of the status stays, as the real one has it
            new = {**copy.deepcopy(old), "status": new["status"]}
        self._validate(resource, namespace, new)
        return self._stored(resource, new)

    def _validate(self, resource: str, namespace: str, body: dict[str, Any]) -> None:
        kind = KINDS[resource]
        if body.get("kind") != kind or body.get("apiVersion") != "v1":
            raise Refusal(400, "BadRequest", f"expected v1 {kind}")
        try:
            kubernetes_validate.validate(body, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Refusal(422, "Invalid", f"{kind} is invalid: {error.message}") from None
        metadata = body["metadata"]
        if metadata.get("namespace", namespace) != namespace:
            raise Refusal(400, "BadRequest", "the namespace of the object does not match the namespace on the request")
        if not SUBDOMAIN.fullmatch(metadata.get("name", "")) or len(metadata["name"]) > 253:
            raise Refusal(422, "Invalid", "metadata.name: a lowercase RFC 1123 subdomain must consist of ...")
        wrong = {"Service": _wrong_service, "Event": _wrong_event, "ConfigMap": _wrong_config_map}[kind](body)
        if wrong:
            raise Refusal(422, "Invalid", f"{kind} is invalid: {wrong}")

    def _stored(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        metadata = body["metadata"]
        key = f"{metadata['namespace']}/{metadata['name']}"
        old = self.objects[resource].get(key)
        whole = {**body, "metadata": dict(metadata)}
        same = old["metadata"] if old else {"uid": str(uuid.uuid4()), "creationTimestamp": "2026-11-30T00:00:00Z"}
        for field in ("uid", "creationTimestamp"):
            whole["metadata"].setdefault(field, same[field])
        whole["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"] if old else ""
        if whole == old:
            return whole  # nothing is written, and no version is new
        self.version += 1
        whole["metadata"]["resourceVersion"] = str(self.version)
        self.objects[resource][key] = whole
        self._note(resource, "MODIFIED" if old else "ADDED", whole, count=False)
        return whole

    def _note(self, resource: str, kind: str, found: dict[str, Any], count: bool = True) -> None:
        if count:
            self.version += 1
            found = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
        self.log.append((self.version, resource, kind, found))

    def _chosen(self, request: web.Request, namespace: str, found: dict[str, Any]) -> bool:
        name = self._selected(request)
        return (not namespace or found["metadata"]["namespace"] == namespace) and (
            not name or found["metadata"]["name"] == name
        )

    async def _list(self, request: web.Request, resource: str, namespace: str) -> web.StreamResponse:
        token, limit = request.query.get("continue"), int(request.query.get("limit", "0"))
        if token:
            if token not in self.continued:
                raise Refusal(410, "Expired", "The provided continue parameter is too old to display a consistent list")
            items, version = self.continued.pop(token)
        else:
            items, version = (
                [one for one in self.objects[resource].values() if self._chosen(request, namespace, one)],
                self.version,
            )
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if limit and len(items) > limit:
            metadata["continue"] = uuid.uuid4().hex
            metadata["remainingItemCount"] = len(items) - limit
            self.continued[metadata["continue"]] = items[limit:], version
            items = items[:limit]
        # Items of a list have neither kind nor apiVersion.
        bare = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
        return web.json_response(
            {"kind": f"{KINDS[resource]}List", "apiVersion": "v1", "metadata": metadata, "items": bare}
        )

    async def _watch(self, request: web.Request, resource: str, namespace: str) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or self.version)
        gone = Refusal(410, "Expired", f"too old resource version: {since} ({self.oldest})")
        if since < self.oldest and not self.gone_in_stream:
            raise gone
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        self.watching += 1
        self.asked.append(f"WATCH {request.path} {since}")
        try:
            await self._stream(request, answer, resource, namespace, since, gone)
        finally:
            self.watching -= 1
        return answer

    async def _stream(
        self, request: web.Request, answer: web.StreamResponse, resource: str, namespace: str, since: int, gone: Refusal
    ) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + float(request.query.get("timeoutSeconds", "1800"))
        wants_bookmarks = request.query.get("allowWatchBookmarks") in ("true", "1")
        while not self._stop.is_set() and loop.time() < ends:
            if self.is_silent:
                await asyncio.sleep(0.05)
                continue
            if since < self.oldest:
                await self._send(answer, {"type": "ERROR", "object": gone.status()})
                return
            for version, of, kind, found in [one for one in self.log if one[0] > since]:
                since = version
                if of == resource and self._chosen(request, namespace, found):
                    await self._send(answer, {"type": kind, "object": found})
            wait = min(ends - loop.time(), self.bookmarks if self.bookmarks and wants_bookmarks else 3600)
            async with self._changed:
                if self.version > since or self._stop.is_set():
                    since = since if any(one[0] > since for one in self.log) or since < self.oldest else self.version
                    continue
                try:
                    await asyncio.wait_for(self._changed.wait(), max(wait, 0.001))
                    continue
                except asyncio.TimeoutError:
                    pass
            if wants_bookmarks and self.bookmarks and not self.is_silent:
                bookmark = {"kind": KINDS[resource], "apiVersion": "v1", "metadata": {"resourceVersion": str(since)}}
                await self._send(answer, {"type": "BOOKMARK", "object": bookmark})

    async def _send(self, answer: web.StreamResponse, event: dict[str, Any]) -> None:
        data = json.dumps(event).encode() + b"\n"
        # In two pieces, as the wire may bring it.
        await answer.write(data[: len(data) // 2])
        await answer.write(data[len(data) // 2 :])


def _merged(old: Any, patch: Any) -> Any:
    """By RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = old if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value)
    return found


def _wrong_service(body: dict[str, Any]) -> str:
    """What ValidateLoadBalancerStatus of Kubernetes refuses."""
    ingress = body.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    if ingress and body["spec"]["type"] != "LoadBalancer":
        return 'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"'
    for one in ingress:
        try:
            ipaddress.ip_address(one.get("ip", "none"))
        except ValueError:
            return f"status.loadBalancer.ingress.ip: Invalid value: {one.get('ip')}"
        if one.get("ipMode", "VIP") not in ("VIP", "Proxy"):
            return "status.loadBalancer.ingress.ipMode: Unsupported value"
    return ""


def _wrong_event(body: dict[str, Any]) -> str:
    """What legacyValidateEvent refuses, and lengths that the newer API has."""
    about = body["involvedObject"]
    if about.get("namespace") != body["metadata"].get("namespace"):
        return "involvedObject.namespace: Invalid value: does not match event.namespace"
    if body.get("type") not in ("Normal", "Warning"):
        return "type: Invalid value"
    if not re.fullmatch("[A-Z][A-Za-z]{0,127}", body.get("reason", "")) or len(body.get("message", "")) > 1024:
        return "reason or message: Invalid value"
    return ""


def _wrong_config_map(body: dict[str, Any]) -> str:
    for key, value in body.get("data", {}).items():
        if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) or not isinstance(value, str):
            return f"data[{key}]: Invalid value"
    size = sum(len(value) for value in body.get("data", {}).values())
    return "data: Too long: may not be more than 1048576 bytes" if size > 2**20 else ""
