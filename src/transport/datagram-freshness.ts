// Which datagrams of a sender are newer than all before. Within one data directory (incarnation) boot and sequence only
// grow; a new directory begins anew. The last few directories of a sender are remembered, so that repeating datagrams of
// an older one brings nothing back.

import type { ServerId } from '../shared/ids.js';

interface Mark {
  readonly incarnation: string;
  boot: number;
  sequence: number;
}

/** Incarnations remembered of one sender. */
const incarnationsMax = 8;

export class DatagramFreshness {
  /** Of each sender, the most recently used incarnation last. */
  readonly #marks = new Map<ServerId, Mark[]>();

  /** True, and remembered, if it is newer than every one of this sender and incarnation before. */
  accept(sender: ServerId, incarnation: string, boot: number, sequence: number): boolean {
    let marks = this.#marks.get(sender);
    if (marks === undefined) {
      marks = [];
      this.#marks.set(sender, marks);
    }
    const index = marks.findIndex((mark) => mark.incarnation === incarnation);
    const mark = marks[index];
    if (mark === undefined) {
      marks.push({ incarnation, boot, sequence });
      if (marks.length > incarnationsMax) marks.shift();
      return true;
    }
    if (boot < mark.boot || (boot === mark.boot && sequence <= mark.sequence)) return false;
    mark.boot = boot;
    mark.sequence = sequence;
    if (index !== marks.length - 1) {
      marks.splice(index, 1);
      marks.push(mark);
    }
    return true;
  }
}
