"""The service on several machines: the same application as a Ray Serve deployment.

Every node that holds a replica has a front of its own, which hands a request to any replica of any node; so a client,
or a balancer, that knows two fronts outlives a node. Needs requirements-serve.txt.
"""

import importlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.limits import Limits
from engine.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
NAME = "kintsugi"
TRIES = 3  # to begin a cluster
SILENT = {"RAY_USAGE_STATS_ENABLED": "0"}  # before Ray is imported: nothing is told to anybody outside


@dataclass(frozen=True)
class Plan:
    """Models and options of the service.

    Attributes:
        folders: name -> folder of an exported model; the same path on every node.
        limits: of each replica, see deploy.limits.
        replicas: processes that hold all the models; with two nodes of enough processors one on each.
        cpus: processors of a replica: what Ray reserves, and the threads of a run.
        host, port: of the front of every node.
    """

    folders: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    replicas: int = 2
    cpus: int = 1
    host: str = "127.0.0.1"
    port: int = 8000


class Replica:
    """All the models in a process of Ray's, and the application around them."""

    def __init__(self, plan: Plan) -> None:
        """Open the models. InputError: a folder holds none on this node."""
        from deploy.predictor import keep_memory
        from deploy.served import Models

        keep_memory()
        self.plan = plan
        self.models = Models.open(plan.folders, batch=plan.limits.batch, cpu_threads=plan.cpus)

    def __serve_build_asgi_app__(self) -> Any:
        """The application, asked for by Ray after the constructor."""
        from deploy.service import make_app

        return make_app(self.models, self.plan.limits)

    def __del__(self) -> None:
        """Finish what waits."""
        self.models.end()


def ray_module(name: str = "ray") -> Any:
    """Ray, or a module of it, told to stay silent. InputError where it is not installed."""
    os.environ.update({key: value for key, value in SILENT.items() if key not in os.environ})
    try:
        module = importlib.import_module(name)
    except ImportError:
        raise InputError("ray is not installed; expected pip install -r requirements-serve.txt") from None
    logging.getLogger(name).setLevel(logging.ERROR)
    return module


def connect(address: str | None, **options: Any) -> Any:
    """Join a cluster, or begin one on this machine.

    Args:
        address: HOST:PORT of a cluster's head; None: begin one here, which ends with this process.
        options: of ray.init.

    Returns:
        the module ray. InputError: there is no cluster at the address, or none can be begun.
    """
    ray = ray_module()
    begins: dict[str, Any] = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    # The code is where this file lies, on every node; Ray would look below the driver's folder.
    options |= begins | {"runtime_env": {"env_vars": {"PYTHONPATH": str(ROOT), **SILENT}}}
    for left in reversed(range(1 if address else TRIES)):
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
            break
        except Exception as error:  # Ray gives a node of its own 30 s, which a busy machine may need more of
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            if address:
                raise InputError(f"--address {address}: no Ray cluster answers there ({reason})") from None
            if not left:
                raise InputError(f"no Ray cluster could be started here ({reason})") from None
            ray.shutdown()
    return ray


def deploy(plan: Plan) -> None:
    """Serve a plan on the cluster that is connected; returns when every replica holds its models.

    Raises:
        InputError: the cluster is too small, or a replica could not be begun.
    """
    serve, have = ray_module("ray.serve"), ray_module().cluster_resources().get("CPU", 0)
    if have < plan.replicas * plan.cpus:
        raise InputError(f"--replicas {plan.replicas}: of {plan.cpus} processors each; the cluster has {have:.0f}")
    front = {"host": plan.host, "port": plan.port, "request_timeout_s": plan.limits.seconds + 5}
    serve.start(proxy_location="EveryNode", http_options=front)
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name=NAME,
        num_replicas=plan.replicas,
        max_ongoing_requests=plan.limits.requests,
        max_queued_requests=plan.limits.requests * plan.replicas,
        ray_actor_options={"num_cpus": plan.cpus},
        max_constructor_retry_count=1,
    )
    try:
        serve.run(deployment.bind(plan), name=NAME, route_prefix="/")
    except RuntimeError as error:
        raise InputError(f"a replica cannot be started ({_cause(serve, error)})") from None


def _cause(serve, error):
    """Why a deployment failed: the last line of what a replica said, else Ray's own."""
    told = serve.status().applications[NAME].message or str(error)
    lines = [line.strip() for line in told.strip().splitlines() if line.strip()]
    own = [line.partition("InputError: ")[2] for line in lines if "InputError: " in line]
    return own[-1] if own else lines[-1]


def end() -> None:
    """Take the service from the cluster that is connected."""
    ray_module("ray.serve").shutdown()
    ray_module().shutdown()
