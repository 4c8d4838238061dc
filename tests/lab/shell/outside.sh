#!/bin/sh
# First half of a host's birth: from the machine into the host's control groups and namespaces.
# The groups must be entered before the control group namespace is made, because that namespace's
# root is wherever the process then is.
#
# Arguments: network namespace, then the cgroup.procs files to enter. The rest comes as LAB_*.
set -e
network=$1
shift
for procs in "$@"; do
    echo $$ > "$procs"
done
exec nsenter --net="/run/netns/$network" \
    unshare --mount --uts --ipc --pid --cgroup --fork --mount-proc --kill-child \
    sh "$LAB_SHELL/inside.sh"
