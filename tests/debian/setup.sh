# Configures Debian's OpenStack packages on this host, all services on one: as the installation guide says, by hand.
# Left as Debian has it: bridge_mappings = external:br-ex without that bridge, and cinder's volume group pkgosvg0, which is not there.
set -eu
export LC_ALL=C
IP=$1 PW=$2
MQ=rabbit://openstack:$PW@127.0.0.1

set_() { crudini --set "$@"; }
database() { echo "mysql+pymysql://$1:$PW@127.0.0.1/$2"; }
as() { su -s /bin/sh "$1" -c "$2"; }
# credentials FILE USER SECTION: how a service signs in to another
credentials() {
    set_ "$1" "$3" auth_type password
    set_ "$1" "$3" auth_url "http://$IP:5000/v3"
    set_ "$1" "$3" username "$2"
    set_ "$1" "$3" password "$PW"
    set_ "$1" "$3" project_name service
    set_ "$1" "$3" user_domain_name Default
    set_ "$1" "$3" project_domain_name Default
    set_ "$1" "$3" region_name RegionOne
}
tokens() {
    credentials "$1" "$2" keystone_authtoken
    set_ "$1" keystone_authtoken www_authenticate_uri "http://$IP:5000"
    set_ "$1" keystone_authtoken memcached_servers 127.0.0.1:11211
}

echo "databases and messages"
printf '[mysqld]\nmax_connections = 1000\n' > /etc/mysql/mariadb.conf.d/99-openstack.cnf
systemctl restart mariadb
systemctl start rabbitmq-server memcached
rabbitmqctl -q await_startup
for name in keystone glance placement nova_api nova nova_cell0 neutron cinder; do
    mysql -e "CREATE DATABASE IF NOT EXISTS $name; GRANT ALL ON $name.* TO '${name%%_*}'@'%' IDENTIFIED BY '$PW'"
done
rabbitmqctl -q list_users | grep -q "^openstack" || rabbitmqctl -q add_user openstack "$PW"
rabbitmqctl -q set_permissions openstack '.*' '.*' '.*'
sed -i 's/^processes = .*/processes = 2/' /etc/*/*-uwsgi.ini

echo "keystone"
set_ /etc/keystone/keystone.conf database connection "$(database keystone keystone)"
as keystone "keystone-manage db_sync"
keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
keystone-manage bootstrap --bootstrap-password "$PW" --bootstrap-region-id RegionOne \
    --bootstrap-admin-url "http://$IP:5000/v3" --bootstrap-internal-url "http://$IP:5000/v3" --bootstrap-public-url "http://$IP:5000/v3"
systemctl restart keystone

echo "glance"
file=/etc/glance/glance-api.conf
tokens $file glance
set_ $file database connection "$(database glance glance)"
set_ $file paste_deploy flavor keystone
crudini --del $file DEFAULT enabled_backends
set_ $file glance_store stores file,http
set_ $file glance_store default_store file
set_ $file glance_store filesystem_store_datadir /var/lib/glance/images/
as glance "glance-manage db_sync" > /dev/null 2>&1

echo "placement"
file=/etc/placement/placement.conf
tokens $file placement
set_ $file placement_database connection "$(database placement placement)"
as placement "placement-manage db sync"

echo "nova"
file=/etc/nova/nova.conf
tokens $file nova
set_ $file DEFAULT my_ip "$IP"
set_ $file DEFAULT transport_url "$MQ"
set_ $file DEFAULT vif_plugging_is_fatal false
set_ $file DEFAULT vif_plugging_timeout 1
set_ $file api_database connection "$(database nova nova_api)"
set_ $file database connection "$(database nova nova)"
set_ $file glance api_servers "http://$IP:9292"
set_ $file oslo_concurrency lock_path /var/lock/nova
credentials $file placement placement
credentials $file neutron neutron
credentials $file cinder cinder
credentials $file nova service_user
set_ $file service_user send_service_user_token true
set_ $file neutron service_metadata_proxy true
set_ $file neutron metadata_proxy_shared_secret "$PW"
set_ /etc/nova/nova-compute.conf DEFAULT compute_driver fake.SmallFakeDriver
as nova "nova-manage api_db sync" 2> /dev/null
as nova "nova-manage cell_v2 map_cell0 --database_connection $(database nova nova_cell0)" 2> /dev/null
as nova "nova-manage cell_v2 create_cell --name cell1" 2> /dev/null
as nova "nova-manage db sync" 2> /dev/null

echo "neutron"
file=/etc/neutron/neutron.conf
tokens $file neutron
set_ $file DEFAULT transport_url "$MQ"
set_ $file DEFAULT core_plugin ml2
set_ $file DEFAULT service_plugins router
set_ $file database connection "$(database neutron neutron)"
set_ $file oslo_concurrency lock_path /var/lock/neutron
credentials $file nova nova
file=/etc/neutron/plugins/ml2/ml2_conf.ini
set_ $file ml2 type_drivers flat,vlan,vxlan
set_ $file ml2 tenant_network_types vxlan
set_ $file ml2 mechanism_drivers openvswitch
set_ $file ml2 extension_drivers port_security
set_ $file ml2_type_vxlan vni_ranges 1:1000
file=/etc/neutron/plugins/ml2/openvswitch_agent.ini
set_ $file ovs datapath_type netdev
set_ $file ovs local_ip "$IP"
set_ $file agent tunnel_types vxlan
set_ $file securitygroup firewall_driver noop
for agent in dhcp l3; do
    set_ /etc/neutron/${agent}_agent.ini DEFAULT interface_driver openvswitch
done
set_ /etc/neutron/metadata_agent.ini DEFAULT nova_metadata_host "$IP"
set_ /etc/neutron/metadata_agent.ini DEFAULT metadata_proxy_shared_secret "$PW"
as neutron "neutron-db-manage --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade head" \
    > /dev/null 2>&1

echo "cinder"
file=/etc/cinder/cinder.conf
tokens $file cinder
set_ $file DEFAULT transport_url "$MQ"
set_ $file DEFAULT my_ip "$IP"
set_ $file DEFAULT glance_api_servers "http://$IP:9292"
set_ $file database connection "$(database cinder cinder)"
set_ $file oslo_concurrency lock_path /var/lock/cinder
as cinder "cinder-manage db sync" > /dev/null 2>&1

echo "users and endpoints"
export OS_USERNAME=admin OS_PASSWORD="$PW" OS_PROJECT_NAME=admin OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
export OS_AUTH_URL="http://$IP:5000/v3" OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne
python3 - "$PW" "$IP" <<'PYTHON'
import sys, time
import openstack
password, ip = sys.argv[1:]
for attempt in range(60):
    try:
        cloud = openstack.connect()
        cloud.authorize()
        break
    except Exception:
        time.sleep(1)
identity = cloud.identity
project = identity.create_project(name="service", domain_id="default")
admin = identity.find_role("admin")
for name, kind, path in (
    ("glance", "image", ":9292"), ("placement", "placement", ":8778"), ("nova", "compute", ":8774/v2.1"),
    ("neutron", "network", ":9696"), ("cinder", "volumev3", ":8776/v3/%(project_id)s"),
):
    user = identity.create_user(name=name, password=password, domain_id="default")
    identity.put(f"/projects/{project.id}/users/{user.id}/roles/{admin.id}").raise_for_status()
    service = identity.create_service(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        identity.create_endpoint(service_id=service.id, interface=interface, region_id="RegionOne", url=f"http://{ip}{path}")
PYTHON

echo "services"
units="glance-api placement-api nova-api nova-api-metadata nova-conductor nova-scheduler nova-compute neutron-api neutron-rpc-server
neutron-openvswitch-agent neutron-dhcp-agent neutron-l3-agent neutron-metadata-agent cinder-api cinder-scheduler cinder-volume"
systemctl -q enable $units 2> /dev/null
systemctl restart $units
for attempt in $(seq 60); do
    as nova "nova-manage cell_v2 discover_hosts --verbose" 2> /dev/null | grep -q "Creating host mapping" && exit 0
    sleep 2
done
echo "nova-compute has not reported" >&2
exit 1
