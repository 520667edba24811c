#!/bin/sh
# Which commands does `make demo|test|bench` need that this machine has not? On Debian as root they are installed;
# elsewhere this says exactly which are missing and ends with 1.
set -eu

needed() {
    case $1 in
    python) echo "ensurepip=python3-venv" ;;
    demo) echo "keepalived ip=iproute2 nginx unshare=util-linux" ;;
    bench) echo "valgrind curl check_tcp=monitoring-plugins-basic check_http=monitoring-plugins-basic postgres=postgresql keepalived ip=iproute2 nginx unshare=util-linux prometheus-blackbox-exporter" ;;
    test)
        needed demo
        needed bench
        echo "mariadbd=mariadb-server haproxy pgbouncer dnsmasq=dnsmasq-base nft=nftables iptables busybox bash shellcheck openssl zsh fish"
        echo "slapd dovecot=dovecot-imapd dovecot_pop3=dovecot-pop3d dovecot_sieve=dovecot-managesieved dovecot_lmtp=dovecot-lmtpd vsftpd prosody kubectl=kubernetes-client strace setpriv=util-linux faketime"
        echo "prometheus-alertmanager prometheus-pushgateway prometheus-node-exporter prometheus promtool=prometheus chromium chromedriver=chromium-driver rsyslogd=rsyslog rsyslog_openssl=rsyslog-openssl journalctl=systemd"
        ;;
    *) echo "usage: $0 python|demo|test|bench" >&2 && exit 2 ;;
    esac
}

is_there() {
    case $1 in
    ensurepip) python3 -c 'import ensurepip' 2>/dev/null ;;
    postgres) ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ;;
    dovecot_pop3) [ -x /usr/lib/dovecot/pop3-login ] ;;
    dovecot_sieve) [ -x /usr/lib/dovecot/managesieve-login ] ;;
    dovecot_lmtp) [ -x /usr/lib/dovecot/lmtp ] ;;
    rsyslog_openssl) ls /usr/lib/*/rsyslog/lmnsd_ossl.so >/dev/null 2>&1 ;;
    check_*) [ -x "/usr/lib/nagios/plugins/$1" ] ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
    esac
}

packages=
for pair in $(needed "${1:-}"); do
    is_there "${pair%=*}" || packages="$packages ${pair#*=}"
done
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "make $1 needs what these Debian packages hold:$packages; install them, or run it as root on Debian" >&2
    exit 1
fi
echo "Installing$packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # one word each is meant
apt-get install -y -qq --no-install-recommends $packages >/dev/null
