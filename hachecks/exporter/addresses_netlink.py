"""The parts of pyroute2 that tell of addresses, without the rest of it.

The package itself imports a database, IPDB, IPVS and more: 64 modules and 5 MiB that nobody here uses. So its name is
given to an empty package at the same place, of which its modules are imported as they are.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType

if "pyroute2" not in sys.modules and (spec := find_spec("pyroute2")) and spec.submodule_search_locations:
    package = ModuleType("pyroute2")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["pyroute2"] = package

from pyroute2.iproute.linux import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK

__all__ = ["RTMGRP_IPV4_IFADDR", "RTMGRP_IPV6_IFADDR", "RTMGRP_LINK", "AsyncIPRoute", "NetlinkError"]
