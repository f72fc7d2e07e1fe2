"""The Python client on the clients' conformance table: see tests/clients/conformance."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import threading
import unittest
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from aulm.gateway import CallError, Client, v1

from consumers import Consumer, HandlerFailedError, Record, event_name
from programs import Gateway, Simulator, point_webhooks, wait_for

TABLE = json.loads((Path(__file__).parents[1] / "conformance" / "cases.json").read_text())
STOP_LIMIT_S = 5.0


def fits(seen: Any, expected: Any) -> bool:
    """True when `seen` has what is expected of it; what is not mentioned is not looked at."""
    if expected == "present":
        return bool(seen)
    if isinstance(expected, dict):
        return isinstance(seen, dict) and all(key in seen and fits(seen[key], value) for key, value in expected.items())
    return bool(seen == expected)


def as_error(error: CallError) -> dict[str, Any]:
    """A typed error in the words of the table."""
    quota = error.quota
    return {
        "code": error.code.name,
        "reason": error.reason,
        "domain": error.domain,
        "outcome": error.outcome.value,
        "retry_after": error.retry_after,
        "quota": {"limit": quota.limit, "remaining": quota.remaining} if quota else None,
        "request_id": error.request_id,
        "aulm_request_id": error.aulm_request_id,
        "fields": [violation.subject for violation in error.field_violations],
        "preconditions": len(error.precondition_violations),
        "earliest_cursor": error.earliest_cursor,
    }


def as_sent(response: v1.SendTextResponse | v1.SendImageResponse) -> dict[str, Any]:
    """An answer to a send in the words of the table."""
    message = response.message
    return {
        "message_id": message.message_id,
        "session_id": message.session_id,
        "to": message.to,
        "status": v1.MessageStatus.Name(message.status).removeprefix("MESSAGE_STATUS_"),
        "simulated": message.simulated,
        "request_id": message.request_id,
        "aulm_request_id": message.aulm_request_id,
        "replayed": response.replayed,
        "rate_limit": {"limit": response.rate_limit.limit, "remaining": response.rate_limit.remaining},
    }


class Send:
    """A send of the table under way, on a thread of its own."""

    def __init__(self, call: Callable[[], dict[str, Any]]) -> None:
        self._call = call
        self.result: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> dict[str, Any]:
        self._thread.join(60)
        return self.result

    def _run(self) -> None:
        try:
            self.result = {"ok": self._call()}
        except CallError as error:
            self.result = {"error": as_error(error)}


class Case:
    """One case with its programs."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case
        self._folder = Path(tempfile.mkdtemp(prefix="aulm-conformance-"))
        self._simulator = Simulator(case.get("simulator", []))
        self._gateway = Gateway(self._simulator.address)
        point_webhooks(self._simulator, self._gateway)
        timeout = case.get("client", {}).get("timeout_ms")
        self._client = Client(
            self._gateway.grpc, timeout=timedelta(milliseconds=timeout) if timeout is not None else None
        )
        self._record = Record()
        self._consumers: dict[str, Consumer] = {}
        self._sends: dict[str, Send] = {}

    def run(self) -> None:
        for number, step in enumerate(self._case["steps"], 1):
            (kind, value), *rest = step.items()
            assert [key for key, _ in rest] in ([], ["expect"]), f"step {number}: {step}"
            try:
                getattr(self, f"step_{kind}")(value, *(expected for _, expected in rest))
            except AssertionError as failure:
                raise AssertionError(f"step {number} ({json.dumps(step)}): {failure}") from failure

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.release_all()
            consumer.ask_to_stop()
        self._gateway.resume() if self._gateway._process else None
        for consumer in self._consumers.values():
            consumer.join(STOP_LIMIT_S)
        self._client.close()
        self._gateway.close()
        self._simulator.stop()
        shutil.rmtree(self._folder)

    # --- the programs ---

    def step_gateway(self, what: str) -> None:
        {
            "start": self._gateway.start,
            "start_empty": self._gateway.start_empty,
            "kill": self._gateway.kill,
            "terminate": self._gateway.terminate,
            "pause": self._gateway.pause,
            "continue": self._gateway.resume,
        }[what]()

    def step_simulator(self, what: Any) -> None:
        if what == "stop":
            self._simulator.stop()
        else:
            self._simulator.control(what["method"], what["path"], what["body"])

    def step_webhook(self, what: dict[str, Any]) -> None:
        self._simulator.deliver(what["path"], what["body"])

    def step_inbound(self, what: dict[str, Any]) -> None:
        for body in what["bodies"]:
            self._simulator.deliver("events/inbound", {"from": what["from"], "body": body})

    def step_requests(self, what: dict[str, Any]) -> None:
        requests = self._simulator.control("GET", "requests")["requests"]
        requests = [request for request in requests if request["target"].startswith(what["path"])]
        accepted = [request for request in requests if request["message_id"]]
        assert (len(requests), len(accepted)) == (what["count"], what["accepted"]), (
            f"{len(requests)} requests, {len(accepted)} accepted"
        )
        for text in what.get("bodies_contain", ()):
            assert any(text in request["body"] for request in requests), f"no request has {text}"

    # --- calls ---

    def step_send_text(self, what: dict[str, Any], expected: Any = None) -> None:
        def call(client: Client, **common: Any) -> v1.SendTextResponse:
            return client.send_text(body=what["body"], **common)

        self._send(what, expected, call)

    def step_send_image(self, what: dict[str, Any], expected: Any = None) -> None:
        def call(client: Client, **common: Any) -> v1.SendImageResponse:
            data = base64.b64decode(what.get("data_base64", ""))
            return client.send_image(data=data, url=what.get("url", ""), caption=what["caption"], **common)

        self._send(what, expected, call)

    def _send(self, what: dict[str, Any], expected: Any, call: Callable[..., Any]) -> None:
        request_id = what.get("request_id", "")
        if isinstance(request_id, dict):
            request_id = self._sends[request_id["request_id_of"]].wait()["ok"]["request_id"]
        timeout = timedelta(milliseconds=what["timeout_ms"]) if "timeout_ms" in what else None
        common = {
            "session_id": TABLE["sessions"].get(what["session"], what["session"]),
            "to": what["to"],
            "request_id": request_id,
            "timeout": timeout,
        }
        send = Send(lambda: as_sent(call(self._client, **common)))
        if "as" in what:
            self._sends[what["as"]] = send
        if not what.get("background"):
            self._expect(send.wait(), expected)

    def step_await(self, name: str, expected: Any) -> None:
        self._expect(self._sends[name].wait(), expected)

    def step_session_status(self, what: dict[str, Any], expected: Any) -> None:
        def call() -> dict[str, Any]:
            session = self._client.session_status(TABLE["sessions"][what["session"]])
            state = v1.SessionState.Name(session.state).removeprefix("SESSION_STATE_")
            return {"state": state, "aulm_state": session.aulm_state}

        self._expect(Send(call).wait(), expected)

    @staticmethod
    def _expect(seen: Any, expected: Any) -> None:
        assert fits(seen, expected), f"saw {seen}"

    # --- consumers ---

    def step_subscribe(self, what: dict[str, Any]) -> None:
        known = {"as", "start", "filter", "heartbeat_ms", "on_expired_cursor", "include_raw_body", "cursor_store",
                 "concurrency", "subscription", "mode", "max_outstanding_events", "hold", "fail", "settle"}  # fmt: skip
        assert known.issuperset(what), f"unknown fields: {what.keys() - known}"
        request = v1.SubscribeEventsRequest(
            subscription=what.get("subscription", ""),
            include_raw_body=what.get("include_raw_body", False),
            max_outstanding_events=what.get("max_outstanding_events", 0),
        )
        self._set_start(request, what.get("start"))
        if "filter" in what:
            self._set_filter(request.filter, what["filter"])
        if "heartbeat_ms" in what:
            request.heartbeat_interval.FromMilliseconds(what["heartbeat_ms"])
        if "on_expired_cursor" in what:
            request.on_expired_cursor = v1.OnExpiredCursor.Value(f"ON_EXPIRED_CURSOR_{what['on_expired_cursor']}")
        self._consumers[what["as"]] = Consumer(self._client, self._record, what, request, self._folder)

    def _set_start(self, request: v1.SubscribeEventsRequest | v1.Subscription, start: Any) -> None:
        if start is None:
            return
        if isinstance(start, str):
            request.position = v1.StartPosition.Value(f"START_POSITION_{start}")
        elif "cursor_of" in start:
            request.after_cursor = self._record.events[start["cursor_of"]].cursor
        elif "time_of" in start:
            request.start_time.CopyFrom(self._record.events[start["time_of"]].ingested_time)
        else:
            request.after_cursor = base64.b64decode(start["cursor_base64"])

    @staticmethod
    def _set_filter(event_filter: v1.EventFilter, what: dict[str, Any]) -> None:
        for key, value in what.items():
            match key:
                case "types":
                    event_filter.types.extend(v1.EventType.Value(f"EVENT_TYPE_{name}") for name in value)
                case "statuses":
                    event_filter.statuses.extend(v1.MessageStatus.Value(f"MESSAGE_STATUS_{name}") for name in value)
                case "session_ids":
                    event_filter.session_ids.extend(TABLE["sessions"].get(name, name) for name in value)
                case "peers":
                    event_filter.peers.extend(value)
                case "message_ids":
                    event_filter.message_ids.extend(value)
                case "test_events":
                    event_filter.test_events = v1.TestEvents.Value(f"TEST_EVENTS_{value}")
                case _:
                    raise AssertionError(f"unknown filter: {key}")

    @staticmethod
    def _names(by: Any) -> list[str]:
        return [by] if isinstance(by, str) else list(by)

    def step_handling(self, what: dict[str, Any]) -> None:
        names = self._names(what["by"])

        def running() -> list[str]:
            return sorted(event for consumer, event in self._record.running if consumer in names)

        self._record.wait("these handlers", lambda: running() == sorted(what["events"]), running)

    def step_handled(self, what: dict[str, Any]) -> None:
        names = self._names(what["by"])
        order: Callable[[list[str]], list[str]] = sorted if what.get("in_any_order") else list
        expected = order(what["events"])

        def handled(field: str = "event") -> list[Any]:
            return [getattr(done, field) for done in self._record.handled if done.consumer in names]

        self._record.wait("these events", lambda: len(handled()) >= len(expected), handled)
        assert order(handled()) == expected, f"handled {handled()}"
        for key, field in (("raw_bodies", "raw_body"), ("attempts", "attempt")):
            if key in what:
                assert handled(field) == what[key], f"{key} were {handled(field)}"

    def step_release(self, what: dict[str, Any]) -> None:
        for name in self._names(what["by"]):
            self._consumers[name].release(what["events"])

    def step_notice(self, what: dict[str, Any]) -> None:
        notices = self._consumers[what["by"]].notices[what["kind"]]

        def fitting() -> list[dict[str, Any]]:
            return [notice for notice in notices if fits(notice, what.get("expect", {}))]

        self._record.wait("this notice", lambda: len(fitting()) >= what.get("count", 1), lambda: notices)
        notices.clear()

    def step_stopping(self, name: str) -> None:
        self._consumers[name].ask_to_stop()

    def step_stop(self, name: str) -> None:
        consumer = self._consumers[name]
        consumer.ask_to_stop()
        assert consumer.join(STOP_LIMIT_S), "it did not stop"
        assert consumer.error is None, f"it ended with {consumer.error!r}"

    def step_ended(self, what: dict[str, Any]) -> None:
        consumer = self._consumers[what["by"]]
        self._record.wait("its end", lambda: consumer.ended, lambda: self._record.handled)
        if what.get("handler_failed"):
            assert isinstance(consumer.error, HandlerFailedError), f"it ended with {consumer.error!r}"
        else:
            assert isinstance(consumer.error, CallError), f"it ended with {consumer.error!r}"
            self._expect(as_error(consumer.error), what["error"])

    def step_copy_store(self, what: dict[str, Any]) -> None:
        if (self._folder / what["from"]).exists():
            shutil.copy(self._folder / what["from"], self._folder / what["to"])

    # --- durable subscriptions ---

    def step_create_subscription(self, what: dict[str, Any]) -> None:
        subscription = v1.Subscription(
            name=what["name"],
            mode=v1.SubscriptionMode.Value(f"SUBSCRIPTION_MODE_{what['mode']}"),
            max_attempts=what.get("max_attempts", 0),
        )
        self._set_start(subscription, what["start"])
        for key in ("retry_delay", "ack_deadline"):
            if f"{key}_ms" in what:
                getattr(subscription, key).FromMilliseconds(what[f"{key}_ms"])
        self._client.subscriptions.CreateSubscription(v1.CreateSubscriptionRequest(subscription=subscription))

    def step_subscription_stats(self, what: dict[str, Any]) -> None:
        figures = {key: value for key, value in what.items() if key != "name"}

        def look() -> bool:
            request = v1.GetSubscriptionRequest(name=what["name"])
            stats = self._client.subscriptions.GetSubscription(request).subscription.stats
            return all(getattr(stats, key) == value for key, value in figures.items())

        wait_for(f"stats {figures}", look)

    def step_parked(self, what: dict[str, Any]) -> None:
        order: Callable[[list[str]], list[str]] = sorted if what.get("in_any_order") else list

        def look() -> bool:
            request = v1.ListParkedEventsRequest(subscription=what["subscription"])
            parked = self._client.subscriptions.ListParkedEvents(request).parked_events
            reasons = [v1.ParkReason.Name(one.reason).removeprefix("PARK_REASON_") for one in parked]
            return order([event_name(one.event) for one in parked]) == order(what["events"]) and order(
                reasons
            ) == order(what.get("reasons", reasons))

        wait_for("these parked events", look)

    def step_replay_parked(self, what: dict[str, Any]) -> None:
        self._client.subscriptions.ReplayParkedEvents(
            v1.ReplayParkedEventsRequest(subscription=what["subscription"], all=True)
        )


def conformance_test(case: dict[str, Any]) -> Callable[[unittest.TestCase], None]:
    def test(self: unittest.TestCase) -> None:
        if case["name"] in TABLE["excluded"]:
            self.skipTest(TABLE["excluded"][case["name"]])
        running = Case(case)
        try:
            running.run()
        finally:
            running.close()

    test.__doc__ = case["shows"]
    return test


class ConformanceTest(unittest.TestCase):
    def test_exclusions_name_cases(self) -> None:
        self.assertLessEqual(TABLE["excluded"].keys(), {case["name"] for case in TABLE["cases"]})

    def test_table_has_30_cases(self) -> None:
        self.assertEqual(len({case["name"] for case in TABLE["cases"]}), 31)


for table_case in TABLE["cases"]:
    setattr(ConformanceTest, f"test_{table_case['name']}", conformance_test(table_case))


if __name__ == "__main__":
    unittest.main()
