"""Text of cinder's configuration file, as an operator finds it in /etc/cinder."""

from __future__ import annotations

from openstack_sandbox.home import CONTROLLER, Home

DRIVER = "openstack_sandbox.cinder_driver.SparseFileDriver"


def cinder_conf(home: Home, database: str) -> str:
    """cinder.conf: API, scheduler and one backend named ``lvm``.

    `database` is the SQLAlchemy URL of cinder's database.
    """
    return "\n".join(
        (
            _default(home),
            _backend(home),
            _section("database", f"connection = {database}"),
            _section("keystone_authtoken", _credentials(home, www=True)),
            _section("service_user", "send_service_user_token = true\n" + _credentials(home)),
            _section("nova", "interface = public\n" + _credentials(home)),
            _rest(home),
        )
    )


def _default(home: Home) -> str:
    return f"""\
[DEFAULT]
# cinder-api.log, cinder-scheduler.log and cinder-volume.log go to this folder.
log_dir = {home.log("cinder", "cinder-api").parent}
#debug = false

host = {CONTROLLER}
my_ip = 127.0.0.1
state_path = {home.host() / "var" / "lib" / "cinder"}
auth_strategy = keystone
transport_url = fake:///
api_paste_config = {home.etc("cinder") / "api-paste.ini"}
resource_query_filters_file = {home.etc("cinder") / "resource_filters.json"}

osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {home.port("cinder")}
storage_availability_zone = nova
#default_availability_zone = nova

# Backends that cinder-volume serves. Each has a section of its name below.
enabled_backends = lvm
# The type of a volume for which nobody names one.
default_volume_type = lvm

glance_api_servers = {home.url("glance")}
# Where images are converted on their way into a volume. Needs room for the largest image.
#image_conversion_dir = $state_path/conversion
# Subtypes of VMDK that are taken. Those that name other files on the host must never be listed here.
#vmdk_allowed_types = streamOptimized,monolithicSparse
# true: only raw images become volumes; nothing is converted here.
#image_conversion_disable = false

# Default quotas of a project; "openstack quota set" changes them for one.
#quota_volumes = 10
#quota_snapshots = 10
#quota_gigabytes = 1000
#per_volume_size_limit = -1

# How a backend is chosen for a new volume.
#scheduler_default_filters = AvailabilityZoneFilter,CapacityFilter,CapabilitiesFilter
#scheduler_default_weighers = CapacityWeigher

# Seconds between heartbeats, and after how many without one a service counts as down.
report_interval = 10
service_down_time = 60
# Seconds between reports of a backend's capacity (default 60); no more often than periodic tasks run.
backend_stats_polling_interval = 10
periodic_interval = 10

# Requests that each RPC server works on at once.
executor_thread_pool_size = 8
rpc_response_timeout = 60
periodic_fuzzy_delay = 0
"""


def _backend(home: Home) -> str:
    return f"""\
# The sandbox's backend: sparse raw files that stand in for logical volumes. It counts capacity as a thick volume group
# does: a volume takes its whole size, a snapshot that of its volume.
[lvm]
volume_driver = {DRIVER}
volume_backend_name = lvm
volume_group = cinder-volumes
# Size of the volume group in GiB. It is not reserved on disk.
volume_group_size_gb = 100
volumes_dir = {home.data("volumes")}
#reserved_percentage = 0
#filter_function = "capabilities.total_volumes < 100"

# Real LVM, as on a production volume host:
#[lvm]
#volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
#volume_group = cinder-volumes
#volume_backend_name = lvm
#target_protocol = iscsi
#target_helper = lioadm
#lvm_type = auto
#max_over_subscription_ratio = 20.0

# Ceph:
#[ceph]
#volume_driver = cinder.volume.drivers.rbd.RBDDriver
#volume_backend_name = ceph
#rbd_pool = volumes
#rbd_ceph_conf = /etc/ceph/ceph.conf
#rbd_user = cinder
#rbd_secret_uuid = (the UUID that libvirt knows the key by)

# Options for all backends.
#[backend_defaults]
#image_volume_cache_enabled = false
"""


def _rest(home: Home) -> str:
    lib = home.host() / "var" / "lib" / "cinder"
    return f"""\
[coordination]
#backend_url = file://$state_path

# Where the keys of encrypted volumes are kept.
[key_manager]
backend = barbican

[oslo_concurrency]
lock_path = {lib / "tmp"}

[oslo_messaging_notifications]
driver = noop

[oslo_policy]
# Rules that differ from the defaults; read again when the file changes.
policy_file = {home.etc("cinder") / "policy.yaml"}
"""


def _section(name: str, body: str) -> str:
    return f"[{name}]\n{body.rstrip()}\n"


def _credentials(home: Home, www: bool = False) -> str:
    identity = home.url("keystone", "/v3")
    validating = f"""\
www_authenticate_uri = {identity}
service_token_roles = service
service_token_roles_required = true
"""
    return f"""\
{validating if www else ""}auth_url = {identity}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = cinder
password = {home.service_password}
region_name = RegionOne
"""
