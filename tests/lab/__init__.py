"""A real libvirt cluster on one machine, for tests and for use by hand; see README.md here."""
