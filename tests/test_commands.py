"""The commands as typed in a shell: their output and exit codes."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from eventbus.running import lifeline
from tests.stack import ROOT, Broker, Stack, eventually, lines_with


def manage(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    return lifeline.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [[], ["migrate"], ["payment", "migrate"]])
def test_without_a_service_the_services_are_listed(words: list[str]) -> None:
    done = manage(*words)
    assert done.returncode == 2
    assert "product|notification|audit" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_settings_module_can_name_the_service() -> None:
    done = manage("check", DJANGO_SETTINGS_MODULE="audit_service.settings")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("service", ["product", "notification", "audit"])
def test_migrations_are_complete(service: str) -> None:
    done = manage(service, "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", ","),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_TOPIC_PARTITIONS", "many"),
        ("KAFKA_TOPIC_PARTITIONS", "0"),
        ("KAFKA_SSL_CAFILE", "/nowhere/ca.pem"),
        ("INBOX_RETENTION_DAYS", "-1"),
        ("KAFKA_SESSION_TIMEOUT_MS", "-1"),
        ("DATABASE_URL", "somewhere"),
        ("DATABASE_URL", "postgres://user:secret-word@host:port/name"),
        ("LOG_LEVEL", "LOUD"),
        ("DEBUG", "perhaps"),
    ],
)
@pytest.mark.parametrize("command", ["create_topics", "migrate"])
def test_a_wrong_setting_is_one_line_that_names_it(command: str, variable: str, value: str) -> None:
    done = manage("product", command, **{variable: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"{variable} must be ")
    assert len(done.stderr.splitlines()) == 1
    assert "secret-word" not in done.stderr


def test_without_kafka_create_topics_says_so_and_fails() -> None:
    done = manage("product", "create_topics", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Kafka at 127.0.0.1:1" in done.stderr


@pytest.mark.real_too
def test_topics_are_created_once(bare_stack: Stack, own_kafka: Broker) -> None:
    own_kafka.start()
    assert "product.events: created, 6 partitions" in bare_stack.manage("product", "create_topics")
    assert "product.events: exists, 6 partitions" in bare_stack.manage("product", "create_topics")


@pytest.mark.real  # the embedded broker does not report a topic's settings
def test_a_topic_keeps_events_for_its_retention_and_a_day_at_the_most(
    bare_stack: Stack, own_kafka: Broker
) -> None:
    own_kafka.start()
    bare_stack.manage("product", "create_topics")
    topic = ConfigResource(ConfigResourceType.TOPIC, "product.events")
    with closing(KafkaAdminClient(bootstrap_servers=own_kafka.server)) as admin:
        settings = admin.describe_configs([topic])["topic"]["product.events"]
    day = 24 * 3600 * 1000
    values = [int(settings[name]["value"]) for name in ("retention.ms", "segment.ms")]
    assert values == [7 * day, day]


@pytest.mark.real_too
@pytest.mark.parametrize(
    ("service", "command"), [("product", "relay_events"), ("audit", "consume_events")]
)
def test_missing_dependencies_are_logged_once_and_waited_for(
    bare_stack: Stack, own_kafka: Broker, service: str, command: str
) -> None:
    process = bare_stack.start(
        service, command, DATABASE_URL=f"sqlite:///{bare_stack.directory / 'empty.sqlite3'}"
    )
    eventually(lambda: lines_with("waiting", process.output))
    assert lines_with("apply them with migrate", process.output)
    assert process.stop() == 0

    process = bare_stack.start(service, command)
    eventually(lambda: lines_with(f"Kafka at {own_kafka.server}", process.output))
    own_kafka.start()
    eventually(lambda: lines_with("create it with create_topics", process.output))
    bare_stack.manage("product", "create_topics")
    assert process.running
    assert len(lines_with("waiting", process.output)) == 2
    assert process.stop() == 0


@pytest.mark.real_too
def test_the_banner_names_what_a_worker_works_with(stack: Stack) -> None:
    output = stack.manage("audit", "consume_events", "--drain")
    for part in (
        "audit_service",
        "product.events",
        stack.kafka,
        stack.database_urls["audit"].rpartition("/")[2],
        "handlers.record",
    ):
        assert part in output


@pytest.mark.real_too
def test_drain_leaves_when_caught_up(small_stack: Stack) -> None:
    stack = small_stack
    product = stack.create_product("DRAIN-1")
    for stock in range(10, 19):
        stack.change(product, stock=stock)
    relay = stack.start("product", "relay_events")
    eventually(lambda: lines_with("relayed", relay.output))
    assert "10 handled, 0 failed, 0 parked" in stack.manage("audit", "consume_events", "--drain")
    assert stack.recorded(product) == list(range(1, 11))
    assert "0 handled, 0 failed, 0 parked" in stack.manage("audit", "consume_events", "--drain")


@pytest.mark.real_too
def test_lag_shows_how_far_a_group_is_behind(small_stack: Stack) -> None:
    stack = small_stack
    lag = json.loads(stack.manage("audit", "lag", "--json"))
    assert [(p["partition"], p["committed"], p["lag"]) for p in lag] == [
        (number, None, 0) for number in range(6)
    ]
    relay = stack.start("product", "relay_events")
    products = [stack.create_product(f"LAG-{number}") for number in range(3)]
    eventually(lambda: lines_with("relayed", relay.output))
    stack.manage("audit", "consume_events", "--drain")
    for product in products:
        stack.change(product, stock=9)
        stack.change(product, stock=8)

    def behind() -> int:
        return sum(p["lag"] for p in json.loads(stack.manage("audit", "lag", "--json")))

    eventually(lambda: behind() == 6)
    [waiting, *_] = [p for p in json.loads(stack.manage("audit", "lag", "--json")) if p["lag"]]
    assert waiting["end"] - waiting["committed"] == waiting["lag"]
    assert 0 < waiting["seconds_behind"] < 60
    assert "audit_service: 6 behind" in stack.manage("audit", "lag")
    stack.manage("audit", "consume_events", "--drain")
    assert behind() == 0


def test_without_kafka_lag_says_so_and_fails() -> None:
    done = manage("audit", "lag", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert done.returncode == 1
    assert "Kafka at 127.0.0.1:1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.real_too
def test_workers_lists_workers_and_fails_if_there_are_none(small_stack: Stack) -> None:
    stack = small_stack
    nobody = stack.start("audit", "workers")
    assert nobody.wait() == 1
    assert lines_with("No worker seen in the last 20 seconds.", nobody.output)
    worker = stack.consume("audit")
    for words in (["workers"], ["workers", "--here"]):
        output = stack.manage("audit", *words)
        assert str(worker.pid) in output
        assert "0-5" in output
    assert worker.stop() == 0
    assert stack.start("audit", "workers").wait() == 1


@pytest.mark.parametrize("option", ["--batch-size", "--concurrency", "--max-events"])
@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_number_below_one_is_refused(option: str, number: str) -> None:
    done = manage("audit", "consume_events", f"{option}={number}")
    assert done.returncode == 2
    assert option in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
