// What the generated code gives for each message, as far as this package asks for it.

/** Decodes one type of message. */
export interface MessageFns<T> {
  decode(bytes: Uint8Array): T;
}
