"""What all stand-in agents have in common: configuration read at the start only, heartbeat, a queue of work."""

from __future__ import annotations

import importlib.metadata
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from neutron.agent import rpc as agent_rpc
from neutron.conf import common as core_options
from neutron.conf.agent import common as agent_options
from neutron_lib import context as neutron_context
from neutron_lib import rpc as n_rpc
from neutron_lib.agent import constants as agent_constants
from neutron_lib.agent import topics
from oslo_config import cfg
from oslo_log import log
from oslo_messaging import Target

from openstack_sandbox import neutron_logs
from openstack_sandbox.home import Home

Work = Callable[[], object]

REPORT_TIMEOUT_S = 20
"""neutron's own is one report interval; on a machine with two busy cores that would write failures into the logs."""


class Agent:
    """One agent of one host.

    A subclass says what it reports, which files it reads, and what it does; `work` carries its tasks out one after
    the other in a thread of its own.
    """

    UNIT: ClassVar[str]
    """Name of the service, the binary and the log file."""
    TYPE: ClassVar[str]
    """``agent_type`` in the API."""
    TOPIC: ClassVar[str]
    LOGGER: ClassVar[str]
    """Name of the module that logs in the real agent."""
    FILES: ClassVar[tuple[str, ...]]
    """Read after neutron.conf; relative to ``/etc/neutron``."""
    ZONED: ClassVar[bool] = False
    """Whether the agent belongs to an availability zone."""

    @classmethod
    def files(cls) -> tuple[str, ...]:
        """All files that the agent reads, relative to ``/etc/neutron``; later ones win."""
        return "neutron.conf", *cls.FILES

    @classmethod
    def launch(cls, home: Home, host: str, etc: Path) -> Callable[[], None]:
        """Read the configuration in `etc`, start an agent, return what stops it; failures are in its log too."""
        path = home.log("neutron", cls.UNIT, host)
        with neutron_logs.writing_to(path):
            logger = log.getLogger(cls.LOGGER)
            try:
                agent = cls(home, path, etc)
                agent.begin()
            except Exception:
                logger.exception("Agent terminated!")
                raise
        return agent.stop

    def __init__(self, home: Home, log_path: Path, etc: Path) -> None:
        self.home = home
        self.log = log.getLogger(self.LOGGER)
        self.conf = self._read_configuration(etc)
        self.host: str = self.conf.host
        self._greet()
        self.context = neutron_context.get_admin_context_without_session()
        self._log_path = log_path
        self._state_rpc = agent_rpc.PluginReportStateAPI(topics.REPORTS)
        self._state_rpc.timeout = REPORT_TIMEOUT_S
        self._failed_report = False
        self._start_flag = True
        self._stopped = threading.Event()
        self._work: queue.Queue[Work] = queue.Queue()
        self._server: Any = None

    def options(self, conf: cfg.ConfigOpts) -> None:
        """Register the options that the agent reads besides the common ones."""

    def configurations(self) -> dict[str, Any]:
        """What the agent tells the server about itself with each heartbeat."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Catch up with the server: the first task, and again after the agent was taken for dead."""

    def begin(self) -> None:
        """Register with the server, then start to work."""
        self._report()
        self.do(self.synchronize)
        for name, loop in (("heartbeat", self._beat), ("work", self._loop)):
            threading.Thread(target=self._inside, args=(loop,), name=f"{self.UNIT}-{self.host}-{name}").start()

    def stop(self) -> None:
        """Stop working; the server finds out when heartbeats fail to come."""
        self._stopped.set()
        self.do(lambda: None)
        if self._server is not None:
            self._server.stop()

    def do(self, work: Work) -> None:
        """Put `work` into the agent's queue."""
        self._work.put(work)

    def listen(self, topic: str, endpoint: object) -> None:
        """Receive the server's messages to this host on `topic`; `endpoint` has a method per message."""
        target = Target(topic=topic, server=self.host)
        self._server = n_rpc.get_server(target, [endpoint])
        self._server.start()

    def _greet(self) -> None:
        logger = log.getLogger("neutron.common.config")
        logger.info("Logging enabled!")
        logger.info("%s version %s", self.UNIT, importlib.metadata.version("neutron"))

    def _read_configuration(self, etc: Path) -> cfg.ConfigOpts:
        conf = cfg.ConfigOpts()
        core_options.register_core_common_config_opts(conf)
        agent_options.register_agent_state_opts_helper(conf)
        agent_options.register_availability_zone_opts_helper(conf)
        self.options(conf)
        files = [str(etc / name) for name in self.files()]
        conf([], project="neutron", prog=self.UNIT, default_config_files=files, default_config_dirs=[])
        return conf

    def _inside(self, loop: Work) -> None:
        with neutron_logs.writing_to(self._log_path):
            self.context.update_store()
            loop()

    def _loop(self) -> None:
        while not self._stopped.is_set():
            work = self._work.get()
            try:
                work()
            except Exception:
                self.log.exception("Error while processing")

    def _beat(self) -> None:
        while not self._stopped.wait(self.conf.AGENT.report_interval):
            self._report()

    def _report(self) -> None:
        try:
            status = self._state_rpc.report_state(self.context, self._state(), use_call=True)
        except Exception:
            self._failed_report = True
            self.log.exception("Failed reporting state!")
            return
        self._start_flag = False
        if self._failed_report:
            self._failed_report = False
            self.log.info("Successfully reported state after a previous failure.")
        if status == agent_constants.AGENT_REVIVED:
            self.log.info("Agent has just been revived. Doing a full sync.")
            self.do(self.synchronize)

    def _state(self) -> dict[str, Any]:
        common = {"log_agent_heartbeats": self.conf.AGENT.log_agent_heartbeats}
        state: dict[str, Any] = {
            "binary": self.UNIT,
            "host": self.host,
            "topic": self.TOPIC,
            "agent_type": self.TYPE,
            "configurations": self.configurations() | common,
        }
        if self.ZONED:
            state["availability_zone"] = self.conf.AGENT.availability_zone
        return state | ({"start_flag": True} if self._start_flag else {})
