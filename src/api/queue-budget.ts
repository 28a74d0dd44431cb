// The bytes that all client connections hold together, unsent or half received. Many connections that each stay inside
// their own bound must not exhaust the memory of the node: past the sum, only small queues may grow. An answer that is there
// before anybody can ask for room has a larger sum, and past that is for its front end to give up.

/** A connection that holds no more than this is never held back for the sake of the sum. */
const fairBytes = 64 * 2 ** 10;

export class QueueBudget {
  private readonly totalBytesMax: number;
  private readonly answersBytesMax: number;
  private totalBytes = 0;

  constructor(totalBytesMax: number, answersBytesMax: number) {
    this.totalBytesMax = totalBytesMax;
    this.answersBytesMax = answersBytesMax;
  }

  get heldBytes(): number {
    return this.totalBytes;
  }

  /** A connection holds this many bytes more (or fewer). */
  change(bytes: number): void {
    this.totalBytes += bytes;
  }

  /** True when a connection that holds `bytes` may hold no more. */
  exhausted(bytes: number): boolean {
    return bytes > fairBytes && this.totalBytes > this.totalBytesMax;
  }

  /** True when there is no room for an answer of so many bytes, whoever it is for. */
  overflows(bytes: number): boolean {
    return bytes > fairBytes && this.totalBytes + bytes > this.answersBytesMax;
  }
}
