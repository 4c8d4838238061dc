#!/bin/sh
# Start libvirtd; runs inside the host's namespaces. It returns when the daemon is listening.
LD_PRELOAD=$LAB_SHAREDFS exec libvirtd --daemon --listen --pid-file /run/libvirt/libvirtd.pid
