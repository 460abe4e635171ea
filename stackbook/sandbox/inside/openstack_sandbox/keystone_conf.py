"""The text of ``/etc/keystone/keystone.conf``."""

from __future__ import annotations

from pathlib import Path

from openstack_sandbox import frame
from openstack_sandbox.home import Home


def key_folder(home: Home, kind: str) -> Path:
    """The key repository of `kind`, ``fernet`` or ``credential``."""
    return home.etc("keystone") / f"{kind}-keys"


def keystone_conf(home: Home) -> str:
    """The initial configuration of keystone in `home`."""
    return f"""\
[DEFAULT]
log_file = {home.log("keystone", "keystone")}
use_stderr = false
debug = false
# No message bus in the sandbox: messages stay in the process.
transport_url = fake:///

[cache]
# Answers are remembered within one request only.
enabled = true
backend = dogpile.cache.null

[credential]
key_repository = {key_folder(home, "credential")}

[database]
connection = {frame.database_url(home, "keystone")}

[fernet_receipts]
key_repository = {key_folder(home, "fernet")}

[fernet_tokens]
key_repository = {key_folder(home, "fernet")}

[identity]
# Four rounds make a password quick to check. A production cloud keeps the default of twelve.
password_hash_algorithm = bcrypt
password_hash_rounds = 4
max_password_length = 72

[oslo_messaging_notifications]
driver = noop

[oslo_policy]
policy_file = {home.etc("keystone") / "policy.yaml"}

[token]
provider = fernet
expiration = 14400
"""
