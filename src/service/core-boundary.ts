// The line between front ends and the core: what is thrown behind it is no front end's own mistake, and ends the process
// even where a front end's code is what called. Expected outcomes pass.

import { CoreFailure } from '../shared/core-failure.js';
import { StoreError } from '../shared/errors.js';

export class CoreBoundary {
  private readonly tell: (failure: CoreFailure) => void;

  /** `failed`: told before anything else can go on; ends the process. */
  constructor(failed: (failure: CoreFailure) => void) {
    this.tell = failed;
  }

  /** For what was thrown behind the line: gives what is to be thrown in front of it. */
  thrown(error: unknown): Error {
    if (error instanceof StoreError) return error;
    // It was told already.
    if (error instanceof CoreFailure) return error;
    const failure = new CoreFailure(error);
    this.tell(failure);
    return failure;
  }

  enter<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.thrown(error);
    }
  }

  /** What is read behind the line, one after the other. */
  *rows<T>(read: () => Iterable<T>): Generator<T, void, undefined> {
    try {
      yield* read();
    } catch (error) {
      throw this.thrown(error);
    }
  }
}
