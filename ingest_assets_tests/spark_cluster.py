"""A standalone Spark cluster of one master and two workers, from the pip package, on Java 17."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import pyspark

WORKERS = 2
_SECONDS = 60


class StandaloneCluster:
    """Its executors have the environment that is given, as those of a real cluster have theirs.

    The workers are hosts of their own to Spark, which puts no two tries at a task on one host.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = {
            **os.environ,
            **env,
            "SPARK_NO_DAEMONIZE": "1",
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONWARNINGS": "ignore",
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = folder / "log"
        self.url = ""

    def env(self, **more: str) -> dict[str, str]:
        """With which a driver finds the cluster; `more` are settings, with _ for each dot."""
        conf = self._folder / f"conf-{len(list(self._folder.iterdir()))}"
        conf.mkdir()
        settings = {
            "spark.master": self.url,
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.executor.memory": "512m",
            "spark.executor.cores": "1",
            "spark.cores.max": str(WORKERS),  # so that two programs may run at once
            **{name.replace("_", "."): value for name, value in more.items()},
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        (conf / "spark-defaults.conf").write_text(lines)
        return {
            "SPARK_CONF_DIR": str(conf),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }

    def executors(self) -> list[psutil.Process]:
        """The JVMs of the executors that run now."""
        family = [
            child
            for process in self._processes
            for child in psutil.Process(process.pid).children(recursive=True)
        ]
        found = []
        for child in family:
            with suppress(psutil.Error):  # one that has just ended
                if "CoarseGrainedExecutorBackend" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def __enter__(self) -> Self:
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_all(self) -> None:
        self._start("master.Master", "127.0.0.1", "--port", "0", "--webui-port", "0")
        [self.url] = self._wait_for(r"Starting Spark master at (spark://\S+)", 1)
        for number in range(WORKERS):
            own = ("--cores", "2", "--memory", "2g", "--webui-port", "0")
            folder = self._folder / f"worker-{number}"
            self._start(
                "worker.Worker", f"127.0.0.{number + 2}", *own, "--work-dir", str(folder), self.url
            )
        self._wait_for(r"Registering worker", WORKERS)

    def _start(self, name: str, host: str, *options: str) -> None:
        command = (f"org.apache.spark.deploy.{name}", "--host", host, *options)
        env = {**self._env, "SPARK_LOCAL_IP": host}
        program = Path(pyspark.__file__).parent / "bin" / "spark-class"
        with self._log.open("ab") as log:
            self._processes.append(
                subprocess.Popen([str(program), *command], env=env, stdout=log, stderr=log)
            )

    def _wait_for(self, pattern: str, count: int) -> list[str]:
        deadline = time.monotonic() + _SECONDS
        while len(found := re.findall(pattern, self._log.read_text())) < count:
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.2)
        return found

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(_SECONDS)
