"""balancer: places and live-migrates the guests of plain libvirt hypervisors."""
