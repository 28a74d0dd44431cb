// Assertions that stay on in production. A broken invariant stops the node: acting on a state that cannot be true
// loses data, a restart does not.

/** Thrown when an invariant of the program itself is broken. Never caught to continue; the process ends. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Stops the node unless `condition` holds. `message` says what was expected, in the form action, then state. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Marks a branch that the compiler has proved impossible. */
export function unreachable(value: never): never {
  throw new InvariantError(`Unexpected variant: ${JSON.stringify(value)}`);
}
