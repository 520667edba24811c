"""Values of the options of `hacheck ipfailover manifests`: names of objects, images, and what is mounted where."""

from __future__ import annotations

import posixpath
import re

from hachecks import __version__

COMPONENT = "keepalived-ipfailover"
"""What oc puts in the place of ${component} in --images."""
LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
PART = "[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*"
IMAGE = (
    rf"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{{1,5}})?/)?{PART}(?:/{PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?"
)
"""Names of images (github.com/distribution/reference)."""


class ObjectName(str):
    """The name of an object, as Kubernetes takes it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> ObjectName:
        """From text; raises `ValueError`."""
        if len(text) > 253 or not re.fullmatch(rf"{LABEL}(?:\.{LABEL})*", text, re.ASCII):
            raise ValueError(f"{text!r} is no name of an object; expected small letters, digits, - and .")
        return cls(text)


class NamespaceName(str):
    """The name of a namespace."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> NamespaceName:
        """From text; raises `ValueError`."""
        if not re.fullmatch(LABEL, text, re.ASCII):
            raise ValueError(f"{text!r} is no namespace; expected small letters, digits and -, 63 at most")
        return cls(text)


class Image(str):
    """An image, as runtimes take it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Image:
        """From text; raises `ValueError`."""
        if len(text) > 512 or not re.fullmatch(IMAGE, text, re.ASCII):
            raise ValueError(f"{text!r} is no image; expected REGISTRY/NAME:TAG, the name in small letters")
        return cls(text)


class Template(str):
    """The template of an image, as oc has it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Template:
        """From text; raises `ValueError`."""
        Image.parse(cls(text).image(__version__))
        return cls(text)

    def image(self, version: str) -> Image:
        """The image of a version."""
        return Image(self.replace("${component}", COMPONENT).replace("${version}", version))


class Mount(str):
    """A ConfigMap and the directory at which it is mounted, as NAME=DIR."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Mount:
        """From text; raises `ValueError`."""
        name, _, path = text.partition("=")
        ObjectName.parse(name)
        if not re.fullmatch(r"(?:/[A-Za-z0-9._@%+,-]+)+", path, re.ASCII) or posixpath.normpath(path) != path:
            raise ValueError(f"{text!r} has no absolute directory; expected NAME=DIR")
        return cls(text)


class SecretMount(str):
    """A Secret, and the directory at which it is mounted where that is told, as NAME or NAME=DIR."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> SecretMount:
        """From text; raises `ValueError`."""
        return cls(Mount.parse(text) if "=" in text else ObjectName.parse(text))
