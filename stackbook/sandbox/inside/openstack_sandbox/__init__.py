"""A real OpenStack in one Python environment: what runs inside the sandbox's own environment.

Imports nothing from the rest of stackbook. Started as ``python -m openstack_sandbox`` with this folder's parent on
``PYTHONPATH``.
"""
