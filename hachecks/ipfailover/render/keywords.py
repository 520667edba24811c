"""Keywords of Keepalived by the version that knows them first: no file has one that its reader does not know.

By its release notes, and by the manual of 2.2.7 and of the newest version.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

Version: TypeAlias = "tuple[int, int, int]"

OLDEST: Version = (2, 1, 5)
"""That of the stock image before 4.15 (RHEL 8); nothing older is rendered for."""
STOCK_SINCE_4_15: Version = (2, 2, 8)
"""That of the stock image since 4.15 (RHEL 9)."""
DEFAULT: Version = (2, 2, 7)
"""Debian 12's: what is rendered for it is understood by every later version as well."""
LAST_TOLD: Version = (2, 2, 8)
"""The last version all of whose keywords are known here; of a later one an unknown keyword may be a new one."""
PATTERN = re.compile(r"v?([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{1,2})", re.ASCII)

SINCE: dict[str, Version] = {
    "config_save_dir": (2, 2, 3),
    "data_use_instance": (2, 2, 3),
    "disable_local_igmp": (2, 2, 0),
    "down_timer_adverts": (2, 2, 3),
    "fifo_write_vrrp_states_on_reload": (2, 2, 5),
    "include_check": (2, 2, 0),
    "reload_check_config": (2, 2, 0),
    "reload_file": (2, 2, 0),
    "tmp_config_directory": (2, 2, 0),
    "unicast_fault_no_peer": (2, 2, 7),
    "use_vmac_addr": (2, 2, 0),
    "vmac_addr_prefix": (2, 2, 0),
    "vrf": (2, 2, 7),
    "vrrp_down_timer_adverts": (2, 2, 3),
    "json_version": (2, 2, 8),
    "no_virtual_ipaddress": (2, 2, 8),
    "timer_expired_backup": (2, 2, 8),
    "v3_checksum_as_v2": (2, 2, 8),
    "use_symlink_paths": (2, 3, 0),
    "vrrp_delay_after_boot": (2, 4, 0),
    # 2.4.0 has it without receive-only, and 2.4.2 changed for the last time what is signed.
    "auth_hmac": (2, 4, 2),
}
"""Keywords that are younger than the oldest version, or of use since then."""

_OF_INSTANCE = """
    accept advert_int authentication auth_hmac check_unicast_src debug dont_track_primary down_timer_adverts
    garp_extra_if garp_lower_prio_delay garp_lower_prio_repeat garp_master_delay garp_master_refresh
    garp_master_refresh_repeat garp_master_repeat higher_prio_send_advert interface kernel_rx_buf_size
    linkbeat_use_polling lower_prio_no_advert mcast_dst_ip mcast_src_ip native_ipv6 no_accept no_virtual_ipaddress
    nopreempt notify notify_backup notify_deleted notify_fault notify_master notify_master_rx_lower_pri
    notify_priority_changes notify_stop old_unicast_checksum preempt preempt_delay priority promote_secondaries
    skip_check_adv_addr smtp_alert state strict_mode timer_expired_backup track_bfd track_file track_interface
    track_process track_script track_src_ip unicast_fault_no_peer unicast_peer unicast_src_ip unicast_ttl use_ipvlan
    use_vmac use_vmac_addr v3_checksum_as_v2 version virtual_ipaddress virtual_ipaddress_excluded virtual_router_id
    virtual_routes virtual_rules vmac_xmit_base vrf
"""
INSTANCE = frozenset(_OF_INSTANCE.split())
"""Those of a vrrp_instance."""

_OF_GLOBAL = """
    bfd_cpu_affinity bfd_no_swap bfd_priority bfd_process_name bfd_rlimit_rttime bfd_rt_priority checker_cpu_affinity
    checker_log_all_failures checker_no_swap checker_priority checker_process_name checker_rlimit_rttime
    checker_rt_priority config_save_dir data_use_instance dbus_service_name default_interface disable_local_igmp
    dynamic_interfaces enable_dbus enable_script_security enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2
    enable_snmp_rfcv3 enable_snmp_vrrp enable_traps fifo_write_vrrp_states_on_reload include_check json_version
    log_unknown_vrids lvs_flush lvs_flush_on_stop lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
    lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force lvs_notify_fifo lvs_notify_fifo_script
    lvs_sync_daemon lvs_timeouts max_auto_priority min_auto_priority_delay nftables nftables_counters nftables_ifindex
    nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark nftables_priority no_checker_emails
    no_email_faults notification_email notification_email_from notify_fifo notify_fifo_script
    process_monitor_rcv_bufs process_monitor_rcv_bufs_force process_name process_names random_seed
    reload_check_config reload_file reload_repeat reload_time_file router_id rs_init_notifies script_user
    shutdown_script shutdown_script_timeout smtp_alert smtp_alert_checker smtp_alert_vrrp smtp_connect_timeout
    smtp_helo_name smtp_server snmp_socket startup_script startup_script_timeout tmp_config_directory umask
    use_symlink_paths v3_checksum_as_v2 vmac_addr_prefix vmac_prefix vrrp_check_unicast_src vrrp_cpu_affinity
    vrrp_delay_after_boot vrrp_down_timer_adverts vrrp_garp_extra_if vrrp_garp_interval vrrp_garp_lower_prio_delay
    vrrp_garp_lower_prio_repeat vrrp_garp_master_delay vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat
    vrrp_garp_master_repeat vrrp_gna_interval vrrp_higher_prio_send_advert vrrp_ipsets vrrp_iptables
    vrrp_lower_prio_no_advert vrrp_mcast_group4 vrrp_mcast_group6 vrrp_min_garp vrrp_netlink_cmd_rcv_bufs
    vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force vrrp_no_swap
    vrrp_notify_fifo vrrp_notify_fifo_script vrrp_notify_priority_changes vrrp_priority vrrp_process_name
    vrrp_rlimit_rttime vrrp_rt_priority vrrp_rx_bufs_multiplier vrrp_rx_bufs_policy vrrp_skip_check_adv_addr
    vrrp_startup_delay vrrp_strict vrrp_version
"""
GLOBAL = frozenset(_OF_GLOBAL.split())
"""Those of global_defs."""


def parse(text: str) -> Version:
    """A version as `2.2.7`; raises `ValueError` for one that is too old."""
    found = PATTERN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no version of Keepalived; expected 2.2.7 or the like")
    version = int(found[1]), int(found[2]), int(found[3])
    if version < OLDEST:
        raise ValueError(f"{text} is older than {written(OLDEST)}, for which nothing is rendered")
    return version


def written(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def knows(version: Version, keyword: str) -> bool:
    """Whether a version has the keyword."""
    return version >= SINCE.get(keyword, OLDEST)


def of_stock(stock: tuple[int, int]) -> Version:
    """The version that the stock image of an OpenShift has."""
    return STOCK_SINCE_4_15 if stock >= (4, 15) else OLDEST
