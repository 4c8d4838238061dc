#!/bin/sh
# First half of a host's birth: from the machine into the host's control groups and namespaces.
#
# The groups must be entered before the control group namespace is made, because that namespace's
# root is wherever the process then is. Only afterwards does it settle where it may stay, which in
# version 2 is a group below (LAB_PROCS).
#
# Arguments: network namespace, then the cgroup.procs files to enter.
set -e
network=$1
shift
for procs in "$@"; do
    echo $$ > "$procs"
done
exec nsenter --net="/run/netns/$network" unshare --cgroup sh -e -c '
    for procs in $LAB_PROCS; do
        echo $$ > "$procs"
    done
    exec unshare --mount --uts --ipc --pid --fork --mount-proc --kill-child \
        sh "$LAB_SHELL/inside.sh"'
