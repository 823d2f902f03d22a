"""Concurrent requests through gunicorn, for one product or with one key."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.stack import Stack, eventually

pytestmark = pytest.mark.real_too

THREADS = 8
ROUNDS = 10


@pytest.fixture
def client(stack: Stack) -> httpx.Client:
    """A client that threads may share."""
    token = stack.manage("product", "drf_create_token", "admin").split()[2]
    headers = {"Authorization": f"Token {token}"}
    return httpx.Client(base_url=stack.urls["product"], headers=headers, timeout=60)


def in_threads(work: Callable[[int], httpx.Response], times: int) -> list[httpx.Response]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(times)))


def test_eight_threads_change_one_product_in_all_ways_without_a_gap(
    stack: Stack, client: httpx.Client
) -> None:
    product = stack.create_product("CROWD-1")
    url = f"/api/products/{product['id']}/"

    def change(number: int) -> httpx.Response:
        if number % 2:
            return client.patch(url, json={"stock": 1_000 + number})
        body = {"update": [{"id": product["id"], "name": f"Kettle {number}"}]}
        return client.post("/api/products/bulk/", json=body)

    answers = in_threads(change, THREADS * ROUNDS)
    assert {answer.status_code for answer in answers} == {200}
    version = client.get(url).json()["version"]
    assert version == 1 + THREADS * ROUNDS
    eventually(lambda: stack.recorded(product) == list(range(1, version + 1)))


def test_of_many_editors_who_saw_the_same_one_wins(stack: Stack, client: httpx.Client) -> None:
    product = stack.create_product("CROWD-2")
    url = f"/api/products/{product['id']}/"
    seen = {"If-Match": client.get(url).headers["ETag"]}
    answers = in_threads(lambda n: client.patch(url, json={"stock": 50 + n}, headers=seen), THREADS)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (THREADS - 1)
    assert client.get(url).json()["version"] == 2


def test_one_key_makes_one_product_however_many_send_it(client: httpx.Client) -> None:
    body = {"sku": "CROWD-3", "name": "Pan", "price": "1"}
    key = {"Idempotency-Key": "crowd-3"}
    answers = in_threads(lambda _: client.post("/api/products/", json=body, headers=key), THREADS)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == THREADS - 1
