"""The text of ``/etc/keystone/keystone.conf``."""

from __future__ import annotations

from pathlib import Path

from openstack_sandbox import frame
from openstack_sandbox.home import Home

HASH_ROUNDS = 1000
"""Rounds of pbkdf2_sha512 behind a password."""


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
# In this process's memory, where a production cloud has memcached.
enabled = true
backend = dogpile.cache.memory_pickle

[credential]
key_repository = {key_folder(home, "credential")}

[database]
connection = {frame.database_url(home, "keystone")}

[fernet_receipts]
key_repository = {key_folder(home, "fernet")}

[fernet_tokens]
key_repository = {key_folder(home, "fernet")}

[identity]
# Few rounds make a password quick to check; a production cloud keeps the default, bcrypt with twelve rounds. bcrypt
# with four would cut the secrets of application credentials at 72 characters, with a warning at each login.
password_hash_algorithm = pbkdf2_sha512
password_hash_rounds = {HASH_ROUNDS}

[oslo_messaging_notifications]
driver = noop

[oslo_policy]
policy_file = {home.etc("keystone") / "policy.yaml"}

[token]
provider = fernet
expiration = 14400
"""
