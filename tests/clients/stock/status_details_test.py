"""Reads the gateway's errors with the decoders that Python's own packages bring, and with nothing of ours.

The details of an error are messages of our own .proto files under the standard names. That stock decoders of other
languages read them is what "wire-compatible" means; here googleapis-common-protos and grpcio-status try.
Requests go out as raw bytes, so that no stub of ours is loaded either.
"""

import os
import subprocess
import sys
import tempfile
import unittest

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

SEND_TEXT = "/aulm.gateway.v1.MessagingService/SendText"
READ_EVENTS = "/aulm.gateway.v1.EventService/ReadEvents"
DEADLINE_S = 30


def text_field(number, value):
    """A string field of a protobuf message, encoded."""
    data = value.encode()
    return bytes([number << 3 | 2, len(data)]) + data


class StatusDetailsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        environment = dict(
            os.environ,
            AULM_BASE_URL="http://127.0.0.1:9",  # nobody listens there
            AULM_API_KEY="alm_sk_test_stock_decoder",
            AULM_WEBHOOK_SECRET="whsec_stock_decoder",
            GATEWAY_GRPC_LISTEN="127.0.0.1:0",
            GATEWAY_WEBHOOK_LISTEN="127.0.0.1:0",
            GATEWAY_ADMIN_LISTEN="127.0.0.1:0",
            GATEWAY_STORE="sqlite://" + cls.folder.name,
        )
        program = os.path.join(os.environ["AULM_GATEWAY_BIN"], "aulm-gateway")
        cls.gateway = subprocess.Popen(
            [program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        kind, address = cls.gateway.stdout.readline().split()[1:]
        assert kind == "grpc", kind
        cls.channel = grpc.insecure_channel(address)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.gateway.terminate()
        cls.gateway.wait()
        cls.gateway.stdout.close()
        cls.folder.cleanup()

    def fail_call(self, method, request):
        """Calls the method and returns the gRPC code and the details by the names of their types."""
        call = self.channel.unary_unary(method, request_serializer=None, response_deserializer=None)
        with self.assertRaises(grpc.RpcError) as raised:
            call(request, timeout=DEADLINE_S)
        status = rpc_status.from_call(raised.exception)
        self.assertIsNotNone(status)
        details = {}
        for detail in status.details:
            name = detail.type_url.rsplit(".", 1)[1]
            message = getattr(error_details_pb2, name)()
            self.assertTrue(detail.Unpack(message), name)
            details[name] = message
        return raised.exception.code(), details

    def test_bad_request_names_every_field(self):
        code, details = self.fail_call(SEND_TEXT, b"")

        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(details["ErrorInfo"].reason, "INVALID_FIELD")
        self.assertEqual(details["ErrorInfo"].domain, "aulm-gateway")
        self.assertEqual(details["ErrorInfo"].metadata["outcome"], "not_sent")
        fields = [violation.field for violation in details["BadRequest"].field_violations]
        self.assertEqual(fields, ["session_id", "to", "body"])

    def test_outcome_of_a_send_that_was_never_connected(self):
        request = (
            text_field(1, "11111111-1111-4111-8111-111111111111")
            + text_field(2, "+966512345678")
            + text_field(3, "hello")
            + text_field(4, "order-1")
        )

        code, details = self.fail_call(SEND_TEXT, request)

        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(details["ErrorInfo"].reason, "CONNECT_FAILED")
        self.assertEqual(details["ErrorInfo"].metadata["outcome"], "not_sent")
        self.assertEqual(details["ErrorInfo"].metadata["request_id"], "order-1")

    def test_malformed_cursor(self):
        code, details = self.fail_call(READ_EVENTS, text_field(1, "no cursor"))

        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(details["ErrorInfo"].reason, "CURSOR_INVALID")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
