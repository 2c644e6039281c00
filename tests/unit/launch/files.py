"""Launch files in memory, for tests."""

from collections.abc import Mapping
from pathlib import Path

from runtime import config
from runtime.config import ConfigError, Item
from runtime.launch.expand import expand
from runtime.launch.plan import Plan, make_plan
from runtime.launch.spec import Launch

ENVIRONMENT = {"HOME": "/home/robot", "GPU": "1"}


def launch(files: Mapping[str, str] | str, *, host: str = "", **settings: str) -> Launch:
    """Expand `a.yaml` of these files (or the one text given)."""
    texts = {"a.yaml": files} if isinstance(files, str) else files

    def read(path: str) -> Item:
        if path not in texts:
            raise ConfigError("cannot be read: No such file", place=path)
        return config.parse(texts[path].encode(), path)

    return expand("a.yaml", read, settings=settings, host=host, environment=ENVIRONMENT)


def plan(files: Mapping[str, str] | str, *, host: str = "", **settings: str) -> Plan:
    """The plan of these files for a machine of which everything is known."""
    return make_plan(
        launch(files, host=host, **settings),
        run_dir=Path("/run/sage"),
        state_dir=Path("/var/lib/sage"),
        python="/usr/bin/python3",
        module_of={"ears": "nodes.ears.node"}.__getitem__,
    )
