#!/usr/bin/env bash
# Unpacks the Docker of other Debian releases beside the machine's own, for the tests: DIRECTORY/RELEASE/bin (default
# .venv/docker) has dockerd, docker and what they start.  Nothing of it is installed; apt verifies what it fetches by
# Debian's keys.  Repeatable: a release that is there is left as it is; remove its directory to have it fetched anew.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

RELEASES="bookworm trixie forky" # 20.10, 26.1, 28.5 when this was written; lab/dockers.py knows them by these names
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
PROGRAMS="dockerd docker-proxy docker containerd containerd-shim-runc-v2" # runc is the machine's own

fail() {
    echo "lab/dockers.sh: $*" >&2
    exit 1
}

fetch() { # release, directory for what is fetched: leaves *.deb there
    local options=(
        -q -o Dir::Etc::sourcelist="$2/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists="$2/lists" -o Dir::Cache="$2/cache" -o APT::Sandbox::User=root
        -o APT::Update::Post-Invoke-Success=/bin/true -o Acquire::Retries=3
    )
    local packages="docker.io containerd"
    mkdir -p "$2"/{lists/partial,cache/archives/partial}
    echo "deb [signed-by=$KEYS] $MIRROR $1 main" >"$2/sources.list"
    apt-get "${options[@]}" update || fail "apt-get update failed for Debian's $1 at $MIRROR (see above)"
    # From Debian 13 on the command line is a package of its own
    [ -z "$(apt-cache "${options[@]}" --names-only search '^docker-cli$')" ] || packages="$packages docker-cli"
    # shellcheck disable=SC2086
    (cd "$2" && apt-get "${options[@]}" download $packages) || fail "Docker of Debian's $1 cannot be fetched (see above)"
}

unpack() { # release
    local work="$DIRECTORY/.$1" program package
    rm -rf "$work"
    mkdir -p "$work/bin"
    fetch "$1" "$work"
    for package in "$work"/*.deb; do
        dpkg -x "$package" "$work/root"
    done
    for program in $PROGRAMS; do
        mv "$(find "$work/root/usr" -type f -name "$program" -perm /111 | head -n 1)" "$work/bin"
        "$work/bin/$program" --help >"$work/said" 2>&1 ||
            fail "$program of Debian's $1 does not run here, a newer Debian is needed: $(head -n 1 "$work/said")"
    done
    rm -rf "$work"/{root,lists,cache,sources.list,said} "$work"/*.deb
    mv "$work" "$DIRECTORY/$1"
    echo "$1: $("$DIRECTORY/$1/bin/dockerd" --version)"
}

[ "$(id -u)" = 0 ] || fail "must be run by root"
[ -e "$KEYS" ] || fail "$KEYS is missing: install the package debian-archive-keyring"
DIRECTORY=$(readlink -m "${1:-.venv/docker}")
mkdir -p "$DIRECTORY"
exec 9<"$DIRECTORY"
flock 9 # two of us at once would be in each other's way
OWN=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
for release in $RELEASES; do
    [ "$release" != "$OWN" ] && [ ! -d "$DIRECTORY/$release" ] || continue
    if [ -z "${MIRROR:-}" ]; then # as apt is configured here
        MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$') ||
            MIRROR=http://deb.debian.org/debian
    fi
    unpack "$release"
done
