"""docker-compose.yml asks for what .env.example names, and hands on every setting of the nights."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from etl.airflow.schedule import PREFIX, Schedule

REPOSITORY = Path(__file__).parent.parent.parent
COMPOSE = REPOSITORY / "docker-compose.yml"
EXAMPLE = (REPOSITORY / ".env.example").read_text()
NAMED = re.findall(r"^(\w+)=$", EXAMPLE, re.M)


def test_the_example_names_every_secret_that_is_asked_for_and_no_other() -> None:
    assert sorted(NAMED) == sorted(set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text())))


def test_every_airflow_service_sees_every_setting_of_the_nights() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    settings = {PREFIX + field.name.upper() for field in fields(Schedule)}
    airflow = {name: service for name, service in services.items() if name.startswith("airflow-")}
    assert len(airflow) == 7
    for service in airflow.values():
        assert settings <= set(service["environment"])


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not here")
def test_compose_takes_the_file_once_the_example_is_filled_in(tmp_path: Path) -> None:
    def checked(text: str) -> int:
        (tmp_path / "env").write_text(text)
        command = ["docker-compose", "--env-file", str(tmp_path / "env"), "-f", str(COMPOSE), "config", "-q"]
        return subprocess.run(command, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"}).returncode

    assert checked(EXAMPLE) != 0
    assert checked(re.sub(r"^(\w+)=$", r"\1=filled-in", EXAMPLE, flags=re.M)) == 0
