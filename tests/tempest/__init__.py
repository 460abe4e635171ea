"""OpenStack's own acceptance tests, Tempest, against the sandbox."""
