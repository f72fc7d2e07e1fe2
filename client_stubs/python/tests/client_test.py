"""The Python client on a gateway that answers as each test says."""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import unittest
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import grpc

from aulm.gateway import (
    CallError,
    Client,
    CursorStore,
    FileCursorStore,
    MemoryCursorStore,
    Notices,
    Outcome,
    SharedConsumer,
    v1,
)
from aulm.gateway.position import Position

from fake_gateway import FakeGateway, GatewayError, batch, broken, drain, event, shared, started, stream_of

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
BARE = GatewayError(UNAVAILABLE)
ACK = v1.SETTLEMENT_ACTION_ACK
RETRY = v1.SETTLEMENT_ACTION_RETRY
PARK = v1.SETTLEMENT_ACTION_PARK
EXTEND = v1.SETTLEMENT_ACTION_EXTEND
LEAST, MOST = timedelta(milliseconds=1), timedelta(milliseconds=2)

died: list[threading.ExceptHookArgs] = []  # threads, of grpc's own too: whose traceback users would see


def setUpModule() -> None:
    threading.excepthook = died.append


def tearDownModule() -> None:
    threading.excepthook = threading.__excepthook__
    if died:
        raise AssertionError(f"threads died: {[str(one.exc_value) for one in died]}")


def handle_once(released: threading.Event) -> Callable[[v1.Delivery], None]:
    """A handler that waits for that."""

    def handle(_: v1.Delivery) -> None:
        released.wait()

    return handle


class ClientTest(unittest.TestCase):
    def setUp(self) -> None:
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.close)
        self.client = self.gateway.client


class SendingTest(ClientTest):
    def send(self, *answers: GatewayError | None) -> v1.SendTextResponse:
        self.gateway.sends = list(answers)
        return self.client.send_text(session_id="s", to="+1", body="Hello", timeout=timedelta(seconds=20))

    def fail(self, *answers: GatewayError | None) -> CallError:  # type: ignore[override]
        with self.assertRaises(CallError) as raised:
            self.send(*answers)
        return raised.exception

    def test_request_id_is_the_same_in_every_try(self) -> None:
        draining = GatewayError(UNAVAILABLE, "DRAINING", outcome="not_sent")
        request_id = self.send(draining, BARE, None).message.request_id
        self.assertTrue(request_id)
        self.assertEqual([request.request_id for request in self.gateway.send_requests], [request_id] * 3)

    def test_unknown_outcome_is_not_repeated(self) -> None:
        error = self.fail(GatewayError(grpc.StatusCode.UNKNOWN, "SEND_OUTCOME_UNKNOWN", outcome="unknown"))
        self.assertEqual((error.outcome, len(self.gateway.send_requests)), (Outcome.UNKNOWN, 1))

    def test_unavailable_with_unknown_outcome_is_not_repeated(self) -> None:
        error = self.fail(GatewayError(UNAVAILABLE, "NEW_REASON", outcome="unknown"))
        self.assertEqual((error.outcome, len(self.gateway.send_requests)), (Outcome.UNKNOWN, 1))

    def test_doubt_outlives_an_error_that_did_not_look_the_send_up(self) -> None:
        overloaded = GatewayError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", outcome="not_sent")
        self.assertEqual(self.fail(BARE, overloaded).outcome, Outcome.UNKNOWN)

    def test_aulms_answer_ends_the_doubt(self) -> None:
        missing = GatewayError(grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND", "aulm.io", "not_sent")
        self.assertEqual(self.fail(BARE, missing).outcome, Outcome.NOT_SENT)

    def test_bare_refusal_was_not_sent(self) -> None:
        error = self.fail(GatewayError(grpc.StatusCode.UNAUTHENTICATED))
        self.assertEqual(error.outcome, Outcome.NOT_SENT)
        self.assertTrue(error.request_id)

    def test_retry_info_beyond_the_deadline_is_not_waited_for(self) -> None:
        error = self.fail(GatewayError(UNAVAILABLE, "BREAKER_OPEN", outcome="not_sent", retry_after=3600))
        self.assertEqual((error.retry_after, len(self.gateway.send_requests)), (timedelta(hours=1), 1))

    def test_token_goes_with_each_call(self) -> None:
        self.send(None)
        self.assertEqual(self.gateway.authorizations, ["Bearer secret"])

    def test_timeout_of_nothing_is_no_time(self) -> None:
        for client, timeout in ((self.client, timedelta(0)), (Client(self.gateway.target, timeout=timedelta(0)), None)):
            with self.assertRaises(CallError) as raised:
                client.send_text(session_id="s", to="+1", body="Hello", timeout=timeout)
            self.assertEqual(raised.exception.code, grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertEqual(raised.exception.outcome, Outcome.NOT_SENT)
            self.assertTrue(raised.exception.request_id)
            with self.assertRaises(CallError) as raised:
                client.read_events(timeout=timeout)
            self.assertEqual(raised.exception.code, grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertEqual(raised.exception.outcome, Outcome.NONE)
        self.assertEqual(self.gateway.send_requests, [])

    def test_what_the_client_itself_refuses_was_not_sent(self) -> None:
        def no_token() -> str:
            raise OSError("no token")

        def bare(client: Client, body: str = "Hello") -> CallError:
            with client, self.assertRaises(CallError) as raised:
                client.send_text(session_id="s", to="+1", body=body, timeout=timedelta(seconds=20))
            self.assertEqual(raised.exception.outcome, Outcome.NOT_SENT)
            self.assertTrue(raised.exception.request_id)
            return raised.exception

        closed = Client(self.gateway.target)
        closed.close()
        target = self.gateway.target
        for error, code, words in (
            (bare(Client(target), "x" * (8 << 20)), grpc.StatusCode.INVALID_ARGUMENT, "8388608"),
            (bare(Client(target, token=no_token)), grpc.StatusCode.UNAUTHENTICATED, "no token"),
            (bare(Client(target, token=lambda: "secret\n")), grpc.StatusCode.UNAUTHENTICATED, "printable ASCII"),
            (bare(closed), grpc.StatusCode.CANCELLED, "closed"),
        ):
            self.assertEqual(error.code, code)
            self.assertIn(words, error.message)
            self.assertNotIn("secret", error.message)
        self.assertEqual(self.gateway.send_requests, [])

    def test_text_that_no_request_can_hold_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            self.client.send_text(session_id="s", to="+1", body="\ud800")

    def test_details_that_cannot_be_read_are_left_out(self) -> None:
        failed = self.fail(GatewayError(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", earliest_cursor="é"))
        self.assertEqual((failed.reason, failed.earliest_cursor), ("CURSOR_EXPIRED", b""))

    def test_wrong_options_are_named(self) -> None:
        with self.assertRaisesRegex(ValueError, "target"):
            Client("")
        with self.assertRaisesRegex(ValueError, "keepalive"):
            Client(keepalive=timedelta(seconds=1))
        with self.assertRaisesRegex(ValueError, "token"):
            Client(token="secret\n")


class SubscribeTest(ClientTest):
    def cursors(
        self,
        count: int,
        request: v1.SubscribeEventsRequest | None = None,
        *,
        store: CursorStore | None = None,
        notices: Notices | None = None,
    ) -> list[bytes]:
        follower = self.client.subscribe(
            request,
            cursor_store=store,
            save_interval=timedelta(0),
            least_backoff=LEAST,
            most_backoff=MOST,
            notices=notices,
        )
        seen: list[bytes] = []

        def handle(event: v1.Event) -> None:
            seen.append(event.cursor)
            if len(seen) == count:
                follower.stop()

        follower.run(handle)
        return seen

    def test_broken_stream_resumes_after_its_last_frame(self) -> None:
        self.gateway.streams = [
            broken(started("0"), batch("5", event("1"), event("2"))),
            stream_of(started("9"), batch("6", event("6"))),
        ]
        self.assertEqual(self.cursors(3), [b"1", b"2", b"6"])
        self.assertEqual(self.gateway.subscriptions[1].after_cursor, b"5")

    def test_latest_is_held_over_an_interruption_before_the_first_event(self) -> None:
        self.gateway.streams = [broken(started("7")), stream_of(started("8"), batch("8", event("8")))]
        self.cursors(1)
        self.assertEqual(self.gateway.subscriptions[1].after_cursor, b"7")

    def test_drain_is_waited_for(self) -> None:
        waits = []
        self.gateway.streams = [stream_of(batch("1", event("1")), drain("3", 20)), stream_of(batch("4", event("4")))]
        notices = Notices(interrupted=lambda error, wait: waits.append((error.reason, error.message, wait)))
        self.cursors(2, notices=notices)
        [(reason, message, wait)] = waits
        self.assertEqual((reason, message), ("DRAINING", "shutdown"))
        self.assertTrue(timedelta(milliseconds=20) <= wait <= timedelta(milliseconds=24))
        self.assertEqual(self.gateway.subscriptions[1].after_cursor, b"3")

    def test_what_cannot_be_mended_ends(self) -> None:
        self.gateway.streams = [broken(code=grpc.StatusCode.PERMISSION_DENIED)]
        with self.assertRaises(CallError) as raised:
            self.cursors(1)
        self.assertEqual(raised.exception.code, grpc.StatusCode.PERMISSION_DENIED)

    def test_durable_position_is_acknowledged_and_repeats_are_left_out(self) -> None:
        self.gateway.mode = v1.SUBSCRIPTION_MODE_CURSOR
        self.gateway.acknowledging = lambda: BARE if len(self.gateway.subscriptions) < 2 else None
        self.gateway.streams = [
            broken(batch("2", event("1"), event("2"))),
            stream_of(batch("3", event("1"), event("2"), event("3"))),
        ]
        self.assertEqual(self.cursors(3, v1.SubscribeEventsRequest(subscription="orders")), [b"1", b"2", b"3"])
        self.assertEqual(self.gateway.acknowledged[-1], b"3")
        self.assertIsNone(self.gateway.subscriptions[1].WhichOneof("start"))

    def test_event_in_hand_is_handled_when_the_block_ends_well(self) -> None:
        for leave, position in ((lambda: None, b"2"), (self._raise, b"1")):
            self.gateway.streams = [stream_of(batch("2", event("1"), event("2")))]
            store = MemoryCursorStore()
            try:
                with self.client.subscribe(cursor_store=store, save_interval=timedelta(0)) as events:
                    for one in events:
                        if one.cursor == b"2":
                            leave()
                            break
            except InterruptedError:
                pass
            self.assertEqual(store.cursor, position)

    def test_iteration_that_is_stopped_saves_the_position(self) -> None:
        self.gateway.streams = [stream_of(batch("2", event("1"), event("2")))]
        store = MemoryCursorStore()
        follower = self.client.subscribe(cursor_store=store, save_interval=timedelta(hours=1))
        for one in follower:
            if one.cursor == b"2":
                follower.stop()
        self.assertEqual(store.cursor, b"2")

    @staticmethod
    def _raise() -> None:
        raise InterruptedError

    def test_position_stands_before_the_oldest_that_is_not_handled(self) -> None:
        position = Position(None, 0, None)
        first, second = position.add(b"1"), position.add(b"2")
        position.move_to(b"5")
        position.done(second)
        self.assertEqual(position.handled, b"")
        position.done(first)
        self.assertEqual(position.handled, b"5")

    def test_cursor_file_that_holds_no_cursor_is_an_error(self) -> None:
        store = FileCursorStore(Path(self.enterContext(tempfile.TemporaryDirectory())) / "position")
        self.assertEqual(store.load(), b"")
        store.save(b"")
        with self.assertRaisesRegex(ValueError, "holds no cursor"):
            store.load()
        store.save(b"\x00\xff\x01")
        self.assertEqual(store.load(), b"\x00\xff\x01")

    def test_store_that_cannot_be_written_ends(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        frames = stream_of(batch("1", event("1")), batch("2", event("2")))
        for interval in (timedelta(0), timedelta(hours=1)):  # at the event, and at the end
            self.gateway.streams = [frames]
            follower = self.client.subscribe(
                cursor_store=FileCursorStore(folder / "none" / "p"), save_interval=interval
            )
            stop = follower.stop
            with self.assertRaises(FileNotFoundError):
                follower.run(lambda event, stop=stop: stop() if event.cursor == b"2" else None)
            self.gateway.streams = [frames]
            with (
                self.assertRaises(FileNotFoundError),
                self.client.subscribe(
                    cursor_store=FileCursorStore(folder / "none" / "p"), save_interval=interval
                ) as events,
            ):
                for one in events:
                    if one.cursor == b"2":
                        break

    def test_handlers_own_error_goes_before_the_stores(self) -> None:
        self.gateway.streams = [stream_of(batch("2", event("1"), event("2")))]
        follower = self.client.subscribe(cursor_store=FileCursorStore("/none/p"), save_interval=timedelta(hours=1))
        with self.assertRaises(InterruptedError):
            follower.run(lambda event: self._raise() if event.cursor == b"2" else None)

    def test_takeover_is_asked_for_until_it_is_had(self) -> None:
        self.gateway.mode = v1.SUBSCRIPTION_MODE_CURSOR
        self.gateway.streams = [broken(), stream_of(started("0"), drain("0", 0)), stream_of(batch("1", event("1")))]
        self.cursors(1, v1.SubscribeEventsRequest(subscription="orders", take_over=True))
        self.assertEqual([request.take_over for request in self.gateway.subscriptions], [True, True, False])

    def test_shared_subscription_is_no_followers(self) -> None:
        with self.assertRaisesRegex(CallError, "SUBSCRIPTION_MODE: .*orders has mode SHARED: use Client.consume"):
            self.cursors(1, v1.SubscribeEventsRequest(subscription="orders"))
        self.assertEqual(self.gateway.subscriptions, [])  # nothing was handed out

    def test_mode_is_asked_for_as_long_as_the_gateway_is_away(self) -> None:
        told: list[CallError] = []
        self.gateway.mode = v1.SUBSCRIPTION_MODE_CURSOR
        self.gateway.finding = lambda: None if told else BARE
        self.gateway.streams = [stream_of(batch("1", event("1")))]
        notices = Notices(interrupted=lambda error, _: told.append(error))
        self.cursors(1, v1.SubscribeEventsRequest(subscription="orders"), notices=notices)
        self.assertEqual([error.code for error in told], [UNAVAILABLE])

    def test_follower_needs_no_right_to_ask_for_the_mode(self) -> None:
        self.gateway.finding = lambda: GatewayError(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
        self.gateway.streams = [stream_of(batch("1", event("1")))]
        self.assertEqual(self.cursors(1, v1.SubscribeEventsRequest(subscription="orders")), [b"1"])

    def test_token_that_cannot_be_had_ends(self) -> None:
        def token() -> str:
            raise OSError("no token")

        with (
            Client(self.gateway.target, token=token) as client,
            self.assertRaisesRegex(CallError, "no token") as raised,
        ):
            client.subscribe().run(lambda _: None)
        self.assertEqual(raised.exception.code, grpc.StatusCode.UNAUTHENTICATED)

    def test_closing_the_client_ends_its_followers_and_prints_nothing(self) -> None:
        for token in (None, "secret"):
            with Client(self.gateway.target, token=token) as client:
                self.gateway.streams = [stream_of(batch("1", event("1")))]
                with self.assertRaisesRegex(CallError, "closed") as raised:
                    client.subscribe(least_backoff=LEAST, most_backoff=MOST).run(lambda _: client.close())
                self.assertEqual(raised.exception.code, grpc.StatusCode.CANCELLED)
                with self.assertRaisesRegex(CallError, "the client is closed"):
                    client.subscribe().run(lambda _: None)

    def test_failed_handler_ends_it_at_once(self) -> None:
        # With nothing further to come, only the failure itself wakes the follower.
        self.gateway.streams = [stream_of(batch("1", event("1")))]
        follower = self.client.subscribe()
        follower._patience = 3600.0
        with self.assertRaises(InterruptedError):
            follower.run(lambda _: self._raise())


class ConsumeTest(ClientTest):
    def setUp(self) -> None:
        super().setUp()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def consume(self, handler: Callable[[v1.Delivery], v1.Settlement | None]) -> Callable[[], None]:
        consumer = self.client.consume("orders", least_backoff=LEAST, most_backoff=MOST)
        thread = threading.Thread(target=consumer.run, args=(handler,))
        thread.start()

        def stop() -> None:
            consumer.stop()
            thread.join()

        self.addCleanup(stop)
        return stop

    def test_handlers_answer_settles(self) -> None:
        self.gateway.streams = [stream_of(shared("1", "a"), shared("2", "b"), shared("3", "c"))]

        def handle(delivery: v1.Delivery) -> v1.Settlement | None:
            match delivery.ack_token:
                case b"1":
                    return None
                case b"2":
                    return v1.Settlement(action=PARK)
                case _:
                    raise ValueError("failed")

        self.consume(handle)
        for token, action in ((b"1", ACK), (b"2", PARK), (b"3", RETRY)):
            self.gateway.await_settled(token, action)

    def test_long_handling_is_extended(self) -> None:
        self.gateway.streams = [stream_of(shared("1", "a"))]
        release = threading.Event()
        self.addCleanup(release.set)
        self.consume(handle_once(release))
        self.gateway.await_settled(b"1", EXTEND)
        self.gateway.await_settled(b"1", EXTEND)
        release.set()
        self.gateway.await_settled(b"1", ACK)

    def test_settlement_is_repeated_while_the_gateway_is_away(self) -> None:
        answers = [BARE, BARE, None]
        self.gateway.acknowledging = lambda: answers.pop(0) if len(answers) > 1 else answers[0]
        self.gateway.streams = [stream_of(shared("1", "a"))]
        self.consume(lambda _: None)
        self.gateway.await_settled(b"1", ACK)

    def test_stopping_hands_back_what_no_handler_saw(self) -> None:
        self.gateway.streams = [stream_of(shared("1", "a"), shared("2", "a"))]
        release = threading.Event()
        self.addCleanup(release.set)
        stop = self.consume(handle_once(release))
        self.gateway.await_settled(b"2", EXTEND)  # it has come, and waits for the first
        stopping = threading.Thread(target=stop)
        stopping.start()
        self.gateway.await_settled(b"2", RETRY)
        release.set()
        self.gateway.await_settled(b"1", ACK)
        stopping.join()

    def test_what_is_no_settlement_ends(self) -> None:
        self.gateway.streams = [stream_of(shared("1", "a"))]
        with self.assertRaisesRegex(TypeError, "the handler returned int"):
            self.client.consume("orders").run(lambda _: ACK)  # type: ignore[arg-type,return-value]

    def test_settlement_that_settles_nothing_ends(self) -> None:
        self.gateway.streams = [stream_of(shared("1", "a"))]
        for action in (v1.SETTLEMENT_ACTION_UNSPECIFIED, EXTEND):
            with self.assertRaisesRegex(ValueError, "ACK, RETRY, PARK or SKIP"):
                self.client.consume("orders").run(lambda _, action=action: v1.Settlement(action=action))

    def test_cursor_subscription_is_no_consumers(self) -> None:
        self.gateway.mode = v1.SUBSCRIPTION_MODE_CURSOR
        with self.assertRaisesRegex(CallError, "orders has mode CURSOR: use Client.subscribe") as raised:
            self.client.consume("orders").run(lambda _: None)
        self.assertEqual(raised.exception.code, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(self.gateway.subscriptions, [])

    def test_failed_handler_is_told_or_else_logged(self) -> None:
        logging.disable(logging.NOTSET)
        told: list[tuple[str, v1.Delivery]] = []
        for notices in (None, Notices(handler_failed=lambda error, delivery: told.append((str(error), delivery)))):
            self.gateway.streams = [stream_of(shared("1", "a"))]
            consumer = self.client.consume("orders", notices=notices)

            def handle(_: v1.Delivery, consumer: SharedConsumer = consumer) -> None:
                consumer.stop()
                raise ValueError("failed")

            if notices is None:
                with self.assertLogs("aulm.gateway", "ERROR"):
                    consumer.run(handle)
            else:
                with self.assertNoLogs("aulm.gateway"):
                    consumer.run(handle)
        self.assertEqual([(words, delivery.ack_token) for words, delivery in told], [("failed", b"1")])

    def test_handler_that_exits_ends(self) -> None:
        self.gateway.streams = [stream_of(shared("1", "a"))]
        with self.assertRaises(SystemExit):
            self.client.consume("orders").run(lambda _: sys.exit(3))


if __name__ == "__main__":
    unittest.main()
