// What was thrown inside the core and is no outcome of a request: the state that every node has to have alike may be half
// changed. It ends the process; whoever catches all exceptions throws this one again.

export class CoreFailure extends Error {
  override readonly name = 'CoreFailure';

  constructor(cause: unknown) {
    super('The core has failed: its state may be half changed', { cause });
  }
}
