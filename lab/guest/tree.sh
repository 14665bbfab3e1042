# Fetches Debian's kernel into a fresh system, and the Python packages of ours.
# $1 = the system's directory, as mmdebstrap gives it to a hook; $PYTHON_PACKAGES = what pip installs, a line each
set -e

# Unpacked and not installed: the package would want a bootloader's and an initramfs' tools, and run them
kernel=$(chroot "$1" apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
chroot "$1" sh -c "cd /tmp && apt-get download -q $kernel"
dpkg-deb -x "$1"/tmp/linux-image-*.deb "$1/tmp/kernel"
cp -a "$1"/tmp/kernel/lib/modules "$1/usr/lib/"
mv "$1"/tmp/kernel/boot/vmlinuz-* "$1/boot/"
rm -rf "$1"/tmp/*

# By the system's own Python, but from outside: this machine's network and settings of pip lead to the packages
python=$(readlink -f "$1/usr/bin/python3")
site=$(chroot "$1" python3 -c 'import sysconfig; print(sysconfig.get_path("purelib", "posix_local"))')
printf '%s\n' "$PYTHON_PACKAGES" >"$1/tmp/packages"
"$python" -m pip install -q --no-warn-script-location --root-user-action ignore \
    --target "$1$site" -r "$1/tmp/packages"
rm -f "$1/tmp/packages"
