// This node's state as the bytes of a snapshot file, chunk by chunk, in steps that are short enough for a turn of the event
// loop. Knows no protocol and no client: who takes the chunks says when to go on.

import type { StoreContents } from '../tree/store.js';
import type { SnapshotMember } from './snapshot-content.js';
import { measureSnapshot, type SnapshotSize, writeSnapshot } from './snapshot-writer.js';
import { snapshotContentOf } from './store-content.js';

/** Work on one snapshot in one turn of the event loop. */
export const snapshotTurnMs = 4;

export interface SnapshotChunk {
  readonly bytes: Buffer;
  /** Of the database, behind this chunk; the checksum is not counted. */
  readonly remaining: number;
}

/** A member of the ensemble, as far as a snapshot tells of it. */
interface MemberAddresses {
  readonly id: number;
  readonly messageAddr: string;
  readonly requestAddr: string | undefined;
}

export class SnapshotSource {
  private readonly content: ReturnType<typeof snapshotContentOf>;
  private readonly chunkBytes: number;
  private measuring: Generator<null, SnapshotSize, undefined> | null;
  private pages: Generator<Buffer | null, undefined, undefined> | null = null;
  private remaining = 0;
  /** Pages that make no whole chunk yet, and their bytes. */
  private gathered: Buffer[] = [];
  private gatheredBytes = 0;
  /** What is left of pages that were larger than a chunk. */
  private rest: Buffer | null = null;

  /** `contents` stay open until its end, and are closed by who has opened them. */
  constructor(contents: StoreContents, members: readonly MemberAddresses[], chunkBytes: number) {
    this.content = snapshotContentOf(contents, members.map(memberOf));
    this.chunkBytes = chunkBytes;
    this.measuring = measureSnapshot(this.content);
  }

  /** One step. Throws what the store says, and SnapshotFileError for a content that cannot be written, which is a defect. */
  next(): SnapshotChunk | 'not yet' | 'end' {
    if (this.rest !== null) return this.cut(this.rest);
    if (this.measuring !== null) {
      this.measure(this.measuring);
      return 'not yet';
    }
    const next = this.pages?.next();
    if (next === undefined || next.done === true) return 'end';
    if (next.value === null) return 'not yet';
    this.gathered.push(next.value);
    this.gatheredBytes += next.value.length;
    const isChecksum = this.gatheredBytes > this.remaining;
    const isLastPage = this.gatheredBytes === this.remaining;
    if (this.gatheredBytes < this.chunkBytes && !isLastPage && !isChecksum) return 'not yet';
    const bytes = this.gathered.length === 1 ? next.value : Buffer.concat(this.gathered);
    this.gathered = [];
    this.gatheredBytes = 0;
    return this.cut(bytes);
  }

  private measure(measuring: Generator<null, SnapshotSize, undefined>): void {
    const next = measuring.next();
    if (next.done !== true) return;
    this.measuring = null;
    this.remaining = next.value.databaseBytes;
    this.pages = writeSnapshot(this.content, next.value);
  }

  private cut(gathered: Buffer): SnapshotChunk {
    const bytes = gathered.subarray(0, this.chunkBytes);
    this.rest = bytes.length < gathered.length ? gathered.subarray(bytes.length) : null;
    this.remaining = Math.max(0, this.remaining - bytes.length);
    return { bytes, remaining: this.remaining };
  }
}

function memberOf({ id, messageAddr, requestAddr }: MemberAddresses): SnapshotMember {
  return {
    id: BigInt(id),
    name: messageAddr,
    peerUrls: [`http://${messageAddr}`],
    clientUrls: requestAddr === undefined ? [] : [`http://${requestAddr}`],
  };
}
