"""A whole Airflow for tests: Postgres, Redis, an S3 server, scheduler, dag-processor, triggerer, API server, workers.

Every server is a process of its own on a free port of the loopback address, and is stopped by its own id.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
BIN = Path(sys.executable).parent
ADMIN, USER, PASSWORD = "admin", "clusterbridge", "only-for-tests"
#: The day whose night the tests tell: that of their beginning.
DAY = datetime.now(UTC).date()


def _kill(family: Sequence[psutil.Process]) -> None:
    for member in family:
        with suppress(psutil.NoSuchProcess):  # it has ended by itself since it was listed
            member.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def postgres_bin() -> Path | None:
    """The folder of Postgres's server programs."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@contextmanager
def platform_folder() -> Iterator[Path]:
    """A folder for a platform; pytest's own are closed to Postgres, which runs as a user of its own."""
    if postgres_bin() is None:
        pytest.skip("Postgres is not installed; bin/scale-services installs it")
    if datetime.now(UTC).date() != DAY or f"{datetime.now(UTC):%H:%M}" > "23:15":
        pytest.skip("the day (UTC) is about to end, and with it the night that is told here")
    with tempfile.TemporaryDirectory(prefix="clusterbridge-scale-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def a_night_from_now() -> dict[str, str]:
    """Settings of a night that has just begun."""
    now = datetime.now(UTC)
    start = max(now - timedelta(minutes=1), now.replace(hour=0, minute=0))
    deadline = min(now + timedelta(hours=4), now.replace(hour=23, minute=59))
    return {"CLUSTERBRIDGE_AIRFLOW_START": f"{start:%H:%M}", "CLUSTERBRIDGE_AIRFLOW_DEADLINE": f"{deadline:%H:%M}"}


def wait_for(what: str, check: Callable[[], Any], seconds: float = 60, every: float = 0.3) -> Any:
    """Wait until `check` gives something true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {seconds} seconds")


class Platform:
    """`start` brings everything up, `stop` takes it down; `environment` is what every Airflow process sees."""

    def __init__(self, folder: Path, executor: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.executor = executor
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = {name: free_port() for name in ("postgres", "redis", "api")}
        self._headers: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self._ports['api']}"
        database = f"postgresql+psycopg2://airflow@127.0.0.1:{self._ports['postgres']}/airflow"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CLUSTERBRIDGE"))},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__EXECUTOR": executor,
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__FERNET_KEY": "A" * 43 + "=",
            "AIRFLOW__API__PORT": str(self._ports["api"]),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": "only-for-tests-" * 4,
            "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-tests-" * 5,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self._ports['redis']}/0",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
            "CLUSTERBRIDGE_AIRFLOW_URL": self.url,
            "CLUSTERBRIDGE_AIRFLOW_USER": USER,
            "CLUSTERBRIDGE_AIRFLOW_PASSWORD": PASSWORD,
            **environment,
        }

    def start(self) -> None:
        """Bring up the database, then Airflow; returns once its API says that all is well."""
        self._start_postgres()
        if self.executor == "CeleryExecutor":
            port = str(self._ports["redis"])
            options = ["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]
            self.run("redis", ["redis-server", *options])
        self.call("db", "migrate")
        names = ["--username", ADMIN, "--firstname", "a", "--lastname", "b", "--email", "a@example.org"]
        self.call("users", "create", *names, "--role", "Admin", "--password", PASSWORD)
        for name in ("api-server", "dag-processor"):
            self.run(name, ["airflow", name])
        for name in ("scheduler", "triggerer"):
            self.run(name, ["airflow", name, "--skip-serve-logs"])
        wait_for("a healthy Airflow", self._is_healthy, 240)
        self._headers = self._signed_in(ADMIN)
        # What the guide says: a user with role Op is enough for notes and backfills.
        names = {"username": USER, "first_name": "c", "last_name": "d", "email": "c@example.org"}
        body = {**names, "password": PASSWORD, "roles": [{"name": "Op"}]}
        made = requests.post(f"{self.url}/auth/fab/v1/users", json=body, headers=self._headers, timeout=30)
        assert made.ok, made.text
        self._headers = self._signed_in(USER)
        dags = {path.stem for path in (REPOSITORY / "dags").glob("*.py")}
        wait_for("the DAGs", lambda: {dag["dag_id"] for dag in self.get("dags")["dags"]} >= dags, 120)

    def stop(self) -> None:
        """Stop every process that was started, by its own id."""
        for name in reversed(list(self._processes)):
            self.end(name)

    def run(self, name: str, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process whose output goes to a file of its name."""
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            command,
            env=options.pop("env", self.environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            start_new_session=True,
            **options,
        )
        self._processes[name] = process
        return process

    def process(self, name: str) -> psutil.Process:
        """A process that was started, by its name."""
        return psutil.Process(self._processes[name].pid)

    def kill(self, name: str) -> None:
        """Kill a process and all that it started, as a machine does that fails."""
        process = self._processes.pop(name)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        _kill(family)
        psutil.wait_procs(family, timeout=20)
        process.wait(20)

    def end(self, name: str) -> None:
        """Ask a process to stop, and wait until it and all that it started are gone."""
        process = self._processes.pop(name)
        if process.poll() is not None:
            return
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        # Postgres waits for its clients after a SIGTERM.
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=30)
        _kill(alive)
        process.wait(20)

    def call(self, *arguments: str) -> None:
        """Run an airflow command to its end."""
        command = ["airflow", *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, timeout=300, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout.decode()[-2000:]} {done.stderr.decode()[-2000:]}")

    def start_worker(self, name: str, concurrency: int = 2) -> None:
        """Start a Celery worker and wait until it takes tasks."""
        command = ["airflow", "celery", "worker", "--concurrency", str(concurrency), "--celery-hostname", name]
        self.run(name, [*command, "--skip-serve-logs"])
        log = self.folder / f"{name}.log"
        wait_for(f"worker {name}", lambda: b"ready." in log.read_bytes(), 120)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API and return its answer; raises with its text where it refuses."""
        answer = requests.request(method, f"{self.url}/api/v2/{path}", json=body, headers=self._headers, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        """Ask the API for something."""
        return self.request("GET", path)

    def trigger(self, dag_id: str, key: str | None = None, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "partition_key": key, "conf": conf or {}}
        return str(self.request("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str, key: str | None = None) -> list[dict[str, Any]]:
        """The runs of a DAG, oldest first; of one key where one is given."""
        found = self.get(f"dags/{dag_id}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
        return [run for run in found if key is None or run["partition_key"] == key]

    def finished(self, dag_id: str, run_id: str, seconds: float = 300) -> dict[str, Any]:
        """Wait until a run is over and return it."""

        def over() -> Any:
            run = self.get(f"dags/{dag_id}/dagRuns/{run_id}")
            return run if run["state"] in ("success", "failed") else None

        try:
            return dict(wait_for(f"{dag_id} {run_id}", over, seconds))
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.states(dag_id, run_id)}") from error

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return list(self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=200")["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The state of each task, by its name and what it is mapped over."""
        named = {
            (task["task_id"], task["rendered_map_index"] or ""): task["state"] for task in self.tasks(dag_id, run_id)
        }
        return {" ".join(part for part in name if part): state for name, state in named.items()}

    def log_of(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1, map_index: int = -1) -> str:
        """The text of a task's log."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        return json.dumps(self.get(f"{path}?map_index={map_index}&full_content=true")["content"])

    def _signed_in(self, user: str) -> dict[str, str]:
        token = requests.post(f"{self.url}/auth/token", json={"username": user, "password": PASSWORD}, timeout=30)
        return {"Authorization": f"Bearer {token.json()['access_token']}"}

    def _start_postgres(self) -> None:
        programs = postgres_bin()
        assert programs is not None
        data, port = self.folder / "postgres", str(self._ports["postgres"])
        data.mkdir()
        # Postgres refuses to run as root.
        options: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(data, owner.pw_uid, owner.pw_gid)
            options = {"user": "postgres", "group": "postgres"}
        command = [
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            "airflow",
            "--auth",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **options)
        settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"]
        self.run("postgres", [str(programs / "postgres"), "-D", str(data), "-p", port, *settings], **options)
        connection = ["-h", "127.0.0.1", "-p", port, "-U", "airflow"]

        def has_created() -> bool:
            made = subprocess.run(
                [str(programs / "createdb"), *connection, "airflow"], capture_output=True, check=False
            )
            return made.returncode == 0

        wait_for("Postgres", has_created, 60)

    def _is_healthy(self) -> bool:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended: {(self.folder / f'{name}.log').read_text()[-3000:]}")
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(
            health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )
