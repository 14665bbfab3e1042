# The first process (pid 1) of a node, in its own mount, pid, net, uts and ipc namespaces.
# $1 = the node's directory on the machine, $2 = host name, $3... = directories that are the node's own
#
# It ends when the pipe on its standard input closes, and the kernel then kills whatever runs on the node.
set -e
read -r outer _ < /proc/self/stat  # our pid as the machine sees it: /proc is still the machine's
state=$1 name=$2
shift 2
mount --make-rprivate /
umount -R -l /run/netns 2>/dev/null || true  # or this mount namespace would pin the machine's named netns

# Nothing the node writes here reaches the machine; it is gone when the node is.
mkdir -p "$state/over"
mount -t tmpfs tmpfs "$state/over"
for dir in /etc /opt /var/lib /var/log; do
    mkdir -p "$state/over$dir/up" "$state/over$dir/work"
    mount -t overlay overlay -o "lowerdir=$dir,upperdir=$state/over$dir/up,workdir=$state/over$dir/work" "$dir"
done
umount -l "$state/over"
for dir in "$@"; do
    mkdir -p "$dir" "$state$dir"
    mount --bind "$state$dir" "$dir"
done
rm -f /etc/resolv.conf  # may be a link to what /run had
cp "$state/resolv.conf" /etc/resolv.conf
touch /etc/hosts
mount --bind "$state/../hosts" /etc/hosts  # one file for the lab: who comes later is known to all at once

mkdir -p "$state/tmp"
mount --rbind /sys/fs/cgroup "$state/tmp"  # a new sysfs (this netns' /sys/class/net) would hide the cgroups
mount -t sysfs sysfs /sys
mount --rbind "$state/tmp" /sys/fs/cgroup
umount -l -R "$state/tmp"
mount -t proc proc /proc
cat /proc/sys/kernel/random/uuid > "$state/boot_id"  # one kernel runs all nodes, but each boot of a node is another one
mount --bind "$state/boot_id" /proc/sys/kernel/random/boot_id
mkdir -p /run/lock /run/lab /run/docker/plugins /run/openvswitch /run/moorage
hostname "$name"
ip link set lo up
echo "$outer"
exec env --ignore-signal=CHLD cat >/dev/null  # CHLD ignored: the kernel reaps orphans
