"""Text of glance's configuration files, as an operator finds them in /etc/glance."""

from __future__ import annotations

from openstack_sandbox.home import Home


def glance_api_conf(home: Home, database: str) -> str:
    """glance-api.conf: file store, keystone, import methods.

    `database` is the SQLAlchemy URL of glance's database.
    """
    return f"""\
[DEFAULT]
# debug = true is the first thing to try when an upload fails.
log_file = {home.log("glance", "glance-api")}
#debug = false

# Stores, as NAME:TYPE. Each store has a section of its name below.
enabled_backends = file:file

# Ways to bring in data besides a plain upload. The brackets belong to the value.
enabled_import_methods = [glance-direct,web-download]

# Largest image that may be uploaded, in bytes (1 TiB).
image_size_cap = 1099511627776

# Quota per project over all its images, for example 500GB. 0 means no limit.
#user_storage_quota = 0

# Show clients where an image's data lies. Needed for copy-on-write clones from Ceph; else better left off.
#show_image_direct_url = false
#show_multiple_locations = false

[database]
connection = {database}

[keystone_authtoken]
www_authenticate_uri = {home.url("keystone", "/v3")}
auth_url = {home.url("keystone", "/v3")}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = glance
password = {home.service_password}
region_name = RegionOne
service_token_roles = service
service_token_roles_required = true

[paste_deploy]
flavor = keystone

[glance_store]
default_backend = file

[file]
filesystem_store_datadir = {home.data("images")}
# Runs of zeros become holes: a sparse image takes only the room of its data.
filesystem_thin_provisioning = true

# Images on their way in through the import methods.
[os_glance_staging_store]
filesystem_store_datadir = {home.data("staging")}

[os_glance_tasks_store]
filesystem_store_datadir = {home.data("tasks")}

[image_format]
# Formats that users may give to their images.
#disk_formats = ami,ari,aki,vhd,vhdx,vmdk,raw,qcow2,vdi,iso,ploop
# Subtypes of VMDK that are converted on import. Those that name other files on the host must never be listed here.
#vmdk_allowed_types = streamOptimized,monolithicSparse
# Refuse data that is not of the format that the image claims.
#require_image_format_match = true
# Disks with an odd partition table are refused; "mbr" and "gptmbr" here let them in.
#gpt_safety_checks_nonfatal =

[task]
# Hours for which a finished import task is kept.
#task_time_to_live = 48

[wsgi]
# Imports that may run at once.
task_pool_threads = 4

[oslo_concurrency]
lock_path = {home.host() / "var" / "lib" / "glance" / "tmp"}

[oslo_policy]
# Rules that differ from the defaults; read again when the file changes.
policy_file = {home.etc("glance") / "policy.yaml"}

[oslo_messaging_notifications]
driver = noop
"""
