#!/bin/sh
# Installs the real servers and clients that the tests talk to (Debian packages; root). No daemon is started.
set -eu
if [ "$(id -u)" != 0 ]; then
    echo "make peers installs Debian packages: run it as root, e.g.  sudo make peers" >&2
    exit 2
fi
packages="postfix swaks libnet-ssleay-perl libio-socket-ssl-perl openssl iproute2 chromium-headless-shell"
packages="$packages nsd unbound opendkim-tools zip gnupg 7zip qpdf clamav-daemon slapd strace libmilter-dev miltertest"
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
# Under systemd RUNLEVEL is not asked, but this file is; one that the administrator made stays as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
apt-get install -y -qq --no-install-recommends $missing
