#!/bin/sh
# Second half: inside the new namespaces, as their PID 1. Everything mounted here is private and
# disappears with this process.
#
#   LAB_HOST         h1
#   LAB_FOLDER       the host's own folder on the machine (run, lib, cache, log, etc, hosts)
#   LAB_SHARED       folder that all hosts see as /srv/lab-shared
#   LAB_LOCAL        folder that only this host sees as /srv/lab-local
#   LAB_CGROUPS      "2", or the version 1 hierarchies: "cpu cpuacct memory ..."
set -e
mount --make-rprivate /
echo "$LAB_HOST" > /proc/sys/kernel/hostname

# A fresh /sys shows this network namespace and this control group namespace. Lazily, because
# something in the machine may be looking at the old one.
umount -R -l /sys
mount -t sysfs sysfs /sys
if [ "$LAB_CGROUPS" = 2 ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control || true
    done
else
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for hierarchy in $LAB_CGROUPS; do
        mkdir "/sys/fs/cgroup/$hierarchy"
        mount -t cgroup -o "$hierarchy" cgroup "/sys/fs/cgroup/$hierarchy"
        # libvirt makes its group for guests at the first start, and two starts at once trip over
        # each other: make it now. A cpuset group is unusable until told its cpus and nodes.
        mkdir "/sys/fs/cgroup/$hierarchy/machine"
        for inherited in cpuset.cpus cpuset.mems; do
            [ ! -e "/sys/fs/cgroup/$hierarchy/$inherited" ] ||
                cat "/sys/fs/cgroup/$hierarchy/$inherited" \
                    > "/sys/fs/cgroup/$hierarchy/machine/$inherited"
        done
    done
fi

# An empty USB bus, for machines without one: then libvirt can start a guest whose passed-through
# device is absent but optional, the only <hostdev> that needs no hardware.
if [ ! -e /sys/bus/usb ]; then
    usb=$LAB_FOLDER/sysbus
    mkdir -p "$usb/usb/devices"
    mount -t overlay -o "lowerdir=$usb:/sys/bus" overlay /sys/bus
fi

# A private /dev, without kvm: libvirt would notice a KVM it cannot use and probe QEMU anew.
dev=$LAB_FOLDER/dev
mkdir -p "$dev"
mount -t tmpfs -o mode=755 tmpfs "$dev"
mkdir "$dev/net" "$dev/pts" "$dev/shm"
for node in null zero full random urandom tty net/tun userfaultfd; do
    [ -e "/dev/$node" ] || continue
    mknod -m 666 "$dev/$node" c $(stat -c '0x%t 0x%T' "/dev/$node")
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$dev/pts"
mount -t tmpfs tmpfs "$dev/shm"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
mount --move "$dev" /dev

# A private /run. Built aside, because the host's folders lie below the machine's /run.
run=$LAB_FOLDER/newrun
mkdir -p "$run"
mount -t tmpfs -o mode=755 tmpfs "$run"
mkdir "$run/libvirt" "$run/lock" "$run/etc" "$run/etc/upper" "$run/etc/work"
mount --bind "$LAB_FOLDER/run" "$run/libvirt"

# A private /etc: libvirt insists on the user libvirt-qemu, and the host needs names for its
# peers. An overlay, not bind mounts of single files: those break when a file is replaced.
mount -t overlay -o "lowerdir=/etc,upperdir=$run/etc/upper,workdir=$run/etc/work" overlay /etc
mkdir -p /etc/libvirt
mount --bind "$LAB_FOLDER/etc" /etc/libvirt
cp "$LAB_FOLDER/hosts" /etc/hosts
echo "$LAB_HOST" > /etc/hostname
grep -q '^kvm:' /etc/group || echo 'kvm:x:64056:' >> /etc/group
grep -q '^libvirt-qemu:' /etc/group || echo 'libvirt-qemu:x:64055:' >> /etc/group
grep -q '^libvirt-qemu:' /etc/passwd ||
    echo 'libvirt-qemu:x:64055:64056::/var/lib/libvirt:/usr/sbin/nologin' >> /etc/passwd

mkdir -p /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /srv/lab-shared /srv/lab-local
mount --bind "$LAB_FOLDER/lib" /var/lib/libvirt
mount --bind "$LAB_FOLDER/cache" /var/cache/libvirt
mount --bind "$LAB_FOLDER/log" /var/log/libvirt
mount --bind "$LAB_SHARED" /srv/lab-shared
mount --bind "$LAB_LOCAL" /srv/lab-local
mount -n --move "$run" /run # -n: its record of mounts would lie below the old /run
cd /

sh "$LAB_SHELL/libvirtd.sh"

# PID 1 must collect the dead at once: libvirt waits long for a QEMU that is a zombie.
while :; do
    sleep 1000000 &
    wait
done
