#!/usr/bin/env bash
# Installs what the lab, the tests and the demonstration need on a Debian machine (12 or newer), as root:
# Debian packages, whose daemons are not started here, and a virtual environment .venv with this checkout in it.
# Repeatable; when nothing is missing it only looks.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

PACKAGES="python3 python3-venv docker.io openvswitch-switch iproute2 iptables nftables ethtool util-linux busybox-static
    iperf3 curl iputils-ping conntrack procps kmod tcpdump glusterfs-server glusterfs-client attr
    nfs-ganesha nfs-ganesha-vfs rpcbind nfs-common fuse3 mmdebstrap qemu-system-x86 qemu-utils e2fsprogs btrfs-progs"
PYTHON=/usr/bin/python3
POLICY=/usr/sbin/policy-rc.d # asked by Debian's packages whether their daemons may start; 101 says no
OURS=$POLICY.moorage

fail() {
    echo "lab/prepare.sh: $*" >&2
    exit 1
}

missing_packages() {
    local wanted=$PACKAGES package
    # From Debian 13 on the command line of Docker is a package of its own
    command -v docker >/dev/null || [ -z "$(apt-cache --names-only search '^docker-cli$')" ] || wanted="$wanted docker-cli"
    for package in $wanted; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# A policy of the machine's owner is covered for apt-get alone, in a mount namespace, and never changed
install_packages() {
    printf '#!/bin/sh\nexit 101\n' >"$OURS"
    chmod 755 "$OURS"
    trap 'rm -f "$OURS"' EXIT
    if [ ! -e "$POLICY" ] || [ "$(readlink "$POLICY")" = "$OURS" ]; then # the link is what a killed run left
        ln -sf "$OURS" "$POLICY"
        trap 'rm -f "$POLICY" "$OURS"' EXIT
    fi
    unshare --mount sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$OURS" "$(readlink -f "$POLICY")" \
        env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
        fail "apt-get install failed (see above)"
}

pip_of() { # environment, arguments
    "$1/bin/pip" "${@:2}" ||
        fail "pip could not install what pyproject.toml asks for (see above); is there network access? Try again."
}

# ryu 4.34 builds with setuptools 66 or 67 only: its wheel is made once, apart
make_ryu_wheel() {
    local builder=.venv/ryu-builder
    [ -z "$(find .venv/wheels -name 'ryu-*.whl' 2>/dev/null)" ] || return 0
    "$PYTHON" -m venv "$builder"
    pip_of "$builder" install -q 'setuptools>=66.1,<68' pbr wheel
    pip_of "$builder" wheel -q --no-build-isolation --use-pep517 --no-deps -w .venv/wheels ryu==4.34
    rm -rf "$builder"
}

make_environment() {
    if [ "$(.venv/bin/python -V 2>/dev/null)" != "$("$PYTHON" -V)" ]; then
        rm -rf .venv
        "$PYTHON" -m venv .venv
    fi
    make_ryu_wheel
    pip_of .venv install -q --find-links .venv/wheels -e '.[dev,ryu]'
}

[ "$(id -u)" = 0 ] || fail "must be run by root: it installs packages, and the lab makes namespaces"
command -v apt-get >/dev/null || fail "this machine is no Debian; install by hand what this script lists"
exec 9<"$0"
flock 9 # two of us at once would be in each other's way

missing=$(missing_packages)
if [ -n "$missing" ]; then
    echo "installing Debian packages:" $missing
    apt-get update -q || fail "apt-get update failed (see above)"
    missing=$(missing_packages) # now that the lists are there
    # shellcheck disable=SC2086
    install_packages $missing
fi

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$PYTHON is older than 3.11: Debian 12 or newer is needed"
state=$( (pwd; "$PYTHON" -V; cat pyproject.toml lab/prepare.sh) | sha256sum)
if [ "$(cat .venv/prepared 2>/dev/null)" != "$state" ]; then
    echo "making the environment .venv"
    make_environment
    echo "$state" >.venv/prepared
fi
