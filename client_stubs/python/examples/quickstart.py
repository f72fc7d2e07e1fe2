"""Sends one message, then prints what comes back. Started again, it goes on where it was."""

from aulm.gateway import CallError, Client, FileCursorStore, v1

with Client("127.0.0.1:50051") as client:
    try:
        sent = client.send_text(
            session_id="00000000-0000-4000-8000-000000000001",
            to="+966512345678",
            body="Hello",
            request_id="order-4711",
        )
        print("sent", sent.message.message_id)
    except CallError as error:
        print(error.reason, error.outcome)

    start = v1.SubscribeEventsRequest(position=v1.START_POSITION_EARLIEST)  # until there is a position
    with client.subscribe(start, cursor_store=FileCursorStore("position")) as events:
        for event in events:
            print(event)
