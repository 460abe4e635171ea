"""The runbooks on OpenStack as Debian 12 packages it, all on one host, in a container with its own systemd."""
