// Has streams tell their clients what they have collected, a number of them in each turn of the event loop: what is told to
// thousands of connections at once must not keep a leader from its followers, nor take memory for all of them together.

import { Fifo } from '../../shared/fifo.js';

/** A stream that holds events until it is told to send them. */
export interface CollectingStream {
  tell(): void;
  /** It could not. */
  failed(error: unknown): void;
}

/** Each writes to a socket of its own: some milliseconds of work. */
export const streamsToldAtOnce = 128;

export class TellingTurns {
  private readonly collecting = new Fifo<CollectingStream>();
  private readonly tellSome = (): void => {
    for (let left = streamsToldAtOnce; left > 0; left--) {
      const stream = this.collecting.shift();
      if (stream === undefined) return;
      try {
        stream.tell();
      } catch (error) {
        stream.failed(error);
      }
    }
    if (this.collecting.length > 0) setImmediate(this.tellSome);
  };

  /** It tells once everything that was committed together is there, and those before it have told. */
  add(stream: CollectingStream): void {
    if (this.collecting.length === 0) process.nextTick(this.tellSome);
    this.collecting.push(stream);
  }
}
