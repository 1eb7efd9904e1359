# The first process of a User-Mode Linux machine: `bash init.sh`, with its settings in the environment (the kernel's command line).
#
#   node     its name           address  its address in the lab's network
#   work     the lab's directory, the only place of the host where it may write
#   setup    a script of this directory that makes it a client or a server
#   program  what runs then, and its argument: the agent
#
# Its root is the host's, read only.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run/tmp
here=$(dirname "$0")
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/lock "$TMPDIR"
mount -t tmpfs tmpfs /mnt
mount -t hostfs none "$work" -o "$work"
# Modules are where the package keeps them; the host has no directory for another kernel's.
mkdir -p /run/modules/lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" /run/modules/lib/modules/
printf '#!/bin/sh\nexec modprobe -d /run/modules "$@"\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
hostname "$node"
ip link set lo up
ip addr add "$address/24" dev eth0
ip link set eth0 up
. "$here/$setup.sh"
exec $program
