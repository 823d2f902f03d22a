"""The image and compose.yaml, as far as they can be tested without a container engine."""

import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from eventbus.running import lifeline
from tests.rig import compose
from tests.rig.kafka import KafkaCluster
from tests.rig.ledger import Ledger
from tests.rig.postgres import Postgres, program
from tests.stack import SERVICES, Process, eventually, free_port, running

CREATE_PRODUCT = """
from product_service.products.models import Product
Product.objects.create(sku='C-1', name='Kettle', price=20)
"""


def test_compose_file_fits_the_compose_specification() -> None:
    schema = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    command = [sys.executable, "-m", *schema, str(compose.DOCKER / "compose.yaml")]
    done = lifeline.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_dependency_is_a_service_that_can_meet_its_condition() -> None:
    services = compose.services()
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], (name, other)
            else:
                assert services[other]["restart"] == "on-failure", (name, other)


def test_one_service_builds_the_image_and_the_others_use_it() -> None:
    ours = [s for s in compose.services().values() if s["image"] == "django-events"]
    [build] = [service["build"] for service in ours if "build" in service]
    assert (compose.DOCKER / build["context"] / build["dockerfile"]).is_file()


def test_kafka_is_the_same_version_in_tests_and_containers() -> None:
    pom = (compose.DOCKER / "kafka" / "pom.xml").read_text()
    [version] = re.findall(r"<artifactId>kafka_2.13</artifactId>\s*<version>(.*)</version>", pom)
    assert compose.services()["kafka"]["image"] == f"apache/kafka:{version}"


def test_what_compose_mounts_is_there() -> None:
    for service in compose.services().values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert not source.startswith(".") or (compose.DOCKER / source).is_file(), mount


@pytest.fixture
def image(tmp_path: Path) -> compose.Image:
    return compose.Image(tmp_path)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server with the roles and databases that the container creates at its first start."""
    with TemporaryDirectory(prefix="postgres-") as home, running(Postgres(Path(home))) as server:
        server.create_databases()
        yield server


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaCluster]:
    with running(KafkaCluster(tmp_path / "kafka")) as cluster:
        yield cluster


def _is_healthy(image: compose.Image, environment: dict[str, str]) -> bool:
    return image.healthcheck(environment) == 0


@pytest.mark.real
def test_what_compose_runs_works(
    image: compose.Image, postgres: Postgres, kafka: KafkaCluster
) -> None:
    """Run each command of compose.yaml with only the image's files, in the order of the file.

    They must not write files, since the image's user may not. Here they run as the user of the
    tests, because other users may have no access to the interpreter.
    """
    files = image.files()
    services = {n: s for n, s in compose.services().items() if s["image"] == "django-events"}
    ports = {f"{service}-web": str(free_port()) for service in SERVICES}
    environments = {}
    for name, service in services.items():
        variables = dict(service["environment"])
        owner = variables["DATABASE_URL"].rpartition("/")[2]
        assert variables["DATABASE_URL"] == f"postgres://{owner}:{owner}@postgres:5432/{owner}"
        assert variables["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
        variables["DATABASE_URL"] = postgres.url(owner, role=owner)
        variables["KAFKA_BOOTSTRAP_SERVERS"] = kafka.server
        variables["ALLOWED_HOSTS"] = "shop.example.com"
        environments[name] = {**variables, "WEB_PORT": ports.get(name, "8000")}

    started: dict[str, Process] = {}
    for name, service in services.items():
        process = image.start(service["command"], environments[name], name)
        if service["restart"] == "on-failure":
            assert process.wait() == 0, process.output
        else:
            started[name] = process
    for name in ports:
        eventually(partial(_is_healthy, image, environments[name]))

    shell = ["python", "manage.py", "product", "shell", "--command", CREATE_PRODUCT]
    assert image.start(shell, environments["product-web"]).wait() == 0
    databases = {service: postgres.url(service, role=service) for service in SERVICES}
    ledger = Ledger(databases["product"], databases["audit"])
    eventually(lambda: ledger.stored() == 1)
    assert ledger.account().flawless

    for name in ("notification-worker", "audit-worker"):
        check = services[name]["healthcheck"]["test"][1:]
        assert image.start(check, environments[name]).wait() == 0, name

    for name, process in started.items():
        assert process.stop(30) == 0, name
    assert image.start(check, environments["audit-worker"]).wait() == 1
    assert image.healthcheck(environments["audit-web"]) == 1
    assert image.files() == files


@pytest.mark.real
def test_the_health_checks_of_postgresql_and_kafka(postgres: Postgres, kafka: KafkaCluster) -> None:
    """They pass while the server runs, and fail when it does not."""
    services = compose.services()
    ports = {"postgres": ("5432", str(postgres.port)), "kafka": ("9092", kafka.server[10:])}
    checks = {}
    for name, (there, here) in ports.items():
        words = [word.replace(there, here) for word in services[name]["healthcheck"]["test"][1:]]
        checks[name] = [program(words[0]), *words[1:]] if name == "postgres" else words
        assert lifeline.run(checks[name], capture_output=True, check=False).returncode == 0, name
    kafka.stop()
    postgres.crash()
    for check in checks.values():
        assert lifeline.run(check, capture_output=True, check=False).returncode != 0


@pytest.mark.real
def test_a_role_may_only_use_its_own_database(postgres: Postgres) -> None:
    for role in SERVICES:
        for database in SERVICES:
            if role == database:
                psycopg.connect(postgres.url(database, role=role)).close()
            else:
                with pytest.raises(psycopg.OperationalError, match="permission denied"):
                    psycopg.connect(postgres.url(database, role=role))
