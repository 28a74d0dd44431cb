// What every decoder throws for bytes that do not follow the protocol. Never thrown for a defect of our own encoder's
// input (that asserts), and never carries the bytes themselves.

/** Malformed input from the outside: the frame, datagram or record is to be refused. */
export class WireError extends Error {
  override readonly name = 'WireError';
}
