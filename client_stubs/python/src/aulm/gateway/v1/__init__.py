"""The contract aulm.gateway.v1: every message and enum. Stubs are in the modules *_service_pb2_grpc."""

from .event_pb2 import *  # noqa: F403
from .event_service_pb2 import *  # noqa: F403
from .message_pb2 import *  # noqa: F403
from .messaging_service_pb2 import *  # noqa: F403
from .quota_service_pb2 import *  # noqa: F403
from .rate_limit_pb2 import *  # noqa: F403
from .session_pb2 import *  # noqa: F403
from .session_service_pb2 import *  # noqa: F403
from .subscription_service_pb2 import *  # noqa: F403
