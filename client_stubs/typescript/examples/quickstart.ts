import { Event, FileCursorStore, GatewayClient, GatewayError } from "@aulm/gateway-client";

const gateway = new GatewayClient({ target: "127.0.0.1:50051" });
try {
  const { message } = await gateway.sendText({
    sessionId: "00000000-0000-4000-8000-000000000001",
    to: "+966512345678",
    body: "Hello",
    requestId: "order-4711",
  });
  console.log("sent", message?.messageId);
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  console.error(error.reason, error.outcome);
}

const stop = new AbortController();
process.once("SIGINT", () => {
  stop.abort();
});
const cursorStore = new FileCursorStore("position"); // start holds until there is a position
for await (const event of gateway.subscribe({ start: "earliest", cursorStore, signal: stop.signal })) {
  if (event.payload?.$case === "inboundMessage") console.log(event.payload.value.from, event.payload.value.body);
  else console.log(JSON.stringify(Event.toJSON(event)));
}
gateway.close();
