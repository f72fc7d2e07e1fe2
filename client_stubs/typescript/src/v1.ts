// The generated code of the contract aulm.gateway.v1, whole: `import { … } from "@aulm/gateway-client/v1"`.
export * from "./gen/aulm/gateway/v1/event.js";
export * from "./gen/aulm/gateway/v1/event_service.js";
export * from "./gen/aulm/gateway/v1/message.js";
export * from "./gen/aulm/gateway/v1/messaging_service.js";
export * from "./gen/aulm/gateway/v1/quota_service.js";
export * from "./gen/aulm/gateway/v1/rate_limit.js";
export * from "./gen/aulm/gateway/v1/session.js";
export * from "./gen/aulm/gateway/v1/session_service.js";
export * from "./gen/aulm/gateway/v1/subscription_service.js";
