// What a connection has to send: frames are gathered in memory that is used again and go to the socket once a turn of the
// event loop. Says when the socket has enough, so that whoever produces frames waits.

import type { Duplex } from 'node:stream';
import { frameHeadBytes } from './frames.js';

export interface OutboxHost {
  /** The gathered frames are about to leave: add what may go with them. */
  fill(): void;
  /** It was full and is not any more. */
  room(): void;
  /** One of them has thrown, or sending has. */
  broken(error: unknown): void;
}

const slabBytes = 16 * 2 ** 10;
/** Gathered bytes past which it is full; what is added even then is bounded by whoever adds it. */
const gatheredBytesMax = 64 * 2 ** 10;
/** A piece from this size on is not copied. */
const viewBytesMin = 4 * 2 ** 10;
const spareSlabsMax = 256;

/** Memory that no connection is using right now. Shared by the connections of a listener. */
export class SlabPool {
  private readonly spare: Buffer[] = [];

  take(): Buffer {
    return this.spare.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
  }

  give(slab: Buffer): void {
    if (this.spare.length < spareSlabsMax) this.spare.push(slab);
  }
}

export class Outbox {
  private readonly socket: Duplex;
  private readonly slabs: SlabPool;
  private readonly host: OutboxHost;
  private slab: Buffer | null = null;
  private slabStart = 0;
  private slabEnd = 0;
  /** Before what is in the slab. */
  private pieces: Uint8Array[] = [];
  /** Slabs that `pieces` lie in. */
  private used: Buffer[] = [];
  private gathered = 0;
  private scheduled = false;
  private waiting = false;
  private readonly tick = (): void => {
    this.scheduled = false;
    try {
      this.flush();
    } catch (error) {
      this.host.broken(error);
    }
  };
  private readonly tellRoom = (): void => {
    if (!this.waiting) return;
    this.waiting = false;
    try {
      this.host.room();
    } catch (error) {
      this.host.broken(error);
    }
  };

  constructor(socket: Duplex, { slabs, host }: { readonly slabs: SlabPool; readonly host: OutboxHost }) {
    this.socket = socket;
    this.slabs = slabs;
    this.host = host;
    socket.on('drain', this.tellRoom);
  }

  /** Whether the socket has enough for now; then `room` is told later. */
  isFull(): boolean {
    const full = this.gathered >= gatheredBytesMax || this.socket.writableNeedDrain;
    this.waiting ||= full;
    return full;
  }

  /** Begins a frame, whose payload of so many bytes is added next. */
  head(type: number, flags: number, stream: number, length: number): void {
    const slab = this.roomFor(frameHeadBytes);
    let at = this.slabEnd;
    slab[at++] = length >> 16;
    slab[at++] = length >> 8;
    slab[at++] = length;
    slab[at++] = type;
    slab[at++] = flags;
    slab[at++] = stream >> 24;
    slab[at++] = stream >> 16;
    slab[at++] = stream >> 8;
    slab[at++] = stream;
    this.slabEnd = at;
    this.gathered += frameHeadBytes;
    this.schedule();
  }

  uint32(value: number): void {
    const slab = this.roomFor(4);
    this.slabEnd = slab.writeUInt32BE(value >>> 0, this.slabEnd);
    this.gathered += 4;
  }

  /** The bytes must not change until they have left. */
  add(bytes: Uint8Array): void {
    this.gathered += bytes.length;
    if (bytes.length >= viewBytesMin) {
      this.cut();
      this.pieces.push(bytes);
      return;
    }
    const slab = this.roomFor(bytes.length);
    slab.set(bytes, this.slabEnd);
    this.slabEnd += bytes.length;
  }

  /** There is something to send, or to ask for by `fill`. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    process.nextTick(this.tick);
  }

  /** Gives everything to the socket now. */
  flush(): void {
    const { socket } = this;
    if (socket.destroyed) {
      this.forget();
      return;
    }
    this.host.fill();
    // What is said after the end is for nobody.
    if (this.gathered > 0 && socket.writable) this.write();
    else this.forget();
    // Not at once: others shall have their turn before more is made for a client that reads as fast as it is served.
    if (this.waiting && !socket.writableNeedDrain) setImmediate(this.tellRoom);
  }

  // ---- inside ----

  private write(): void {
    const { socket, slab, pieces, used } = this;
    this.gathered = 0;
    if (pieces.length === 0 && slab !== null) {
      socket.write(slab.subarray(this.slabStart, this.slabEnd));
    } else {
      this.cut();
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
      this.pieces = [];
    }
    // Otherwise the socket still reads this memory, and has it for itself.
    if (socket.writableLength === 0) {
      for (const one of used) this.slabs.give(one);
      if (slab !== null) this.slabs.give(slab);
    }
    this.used = [];
    this.slab = null;
  }

  private forget(): void {
    this.pieces = [];
    this.used = [];
    this.slab = null;
    this.gathered = 0;
  }

  private roomFor(bytes: number): Buffer {
    if (this.slab !== null && this.slabEnd + bytes <= slabBytes) return this.slab;
    if (this.slab !== null) {
      this.cut();
      this.used.push(this.slab);
    }
    this.slab = this.slabs.take();
    this.slabStart = 0;
    this.slabEnd = 0;
    return this.slab;
  }

  /** What is in the slab becomes a piece. */
  private cut(): void {
    if (this.slab === null || this.slabStart === this.slabEnd) return;
    this.pieces.push(this.slab.subarray(this.slabStart, this.slabEnd));
    this.slabStart = this.slabEnd;
  }
}
