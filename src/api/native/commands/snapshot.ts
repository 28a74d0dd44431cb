// OpenSnapshot and ReadSnapshot: this node's state as a snapshot file, in parts that the client asks for one by one. So no
// more is made than the client has taken, whatever carries its bytes. The state is pinned meanwhile; nothing stops for it.

import { randomInt } from 'node:crypto';
import { SnapshotSource, snapshotTurnMs } from '../../../etcd-snapshot/snapshot-source.js';
import { emptyBytes } from '../../../shared/bytes.js';
import { StoreError } from '../../../shared/errors.js';
import type { StoreContents } from '../../../tree/store.js';
import { contained } from '../../front-end-guard.js';
import { okFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

/** So long a part may take that has no bytes yet: the client is told that there is somebody. */
const partMsMax = 1_000;
/** Names of snapshots are below. */
const nameBound = 2 ** 47;

export function handleOpenSnapshot(session: NativeSession, request: { readonly id: number }): void {
  const { id } = request;
  let opened: OpenSnapshot | undefined;
  session.service.copyState(session.actor, {
    opened: (contents) => {
      try {
        if (!session.over) {
          // Drawn: a client that comes with a name from another connection finds nothing here.
          const name = randomInt(1, nameBound);
          opened = new OpenSnapshot(session, name, contents);
          session.snapshots.set(name, opened);
          const standing = { zxid: session.zxid, revision: contents.meta.revision };
          session.answer(okFrame(id, standing, { type: 'snapshot', snapshot: name, bytes: emptyBytes, last: false }));
        }
      } catch (error) {
        session.broken(error);
      }
      if (session.over) contents.close();
    },
    failed: contained(session, (error) => {
      if (opened === undefined) session.fail(id, error);
      else opened.fail(error);
    }),
  });
}

export function handleReadSnapshot(
  session: NativeSession,
  request: { readonly id: number },
  { snapshot }: { readonly snapshot: number },
): void {
  const open = session.snapshots.get(snapshot);
  if (open !== undefined) open.read(request.id);
  else session.fail(request.id, new StoreError('INVALID_ARGUMENT', 'There is no such snapshot on this connection'));
}

export class OpenSnapshot {
  private readonly session: NativeSession;
  private readonly name: number;
  private readonly contents: StoreContents;
  private readonly source: SnapshotSource;
  private readonly goOn: () => void;
  /** The read that waits for bytes. */
  private reading: { readonly id: number; readonly endsMs: number } | null = null;
  private failure: StoreError | null = null;
  private stalled: NodeJS.Timeout | null = null;
  private ended = false;

  constructor(session: NativeSession, name: number, contents: StoreContents) {
    this.session = session;
    this.name = name;
    this.contents = contents;
    this.goOn = contained(session, () => this.turn());
    const { members } = session.service.status();
    this.source = new SnapshotSource(contents, members, session.limits.snapshotChunkBytes);
    this.awaitRead();
  }

  read(id: number): void {
    const { session } = this;
    if (this.reading !== null) {
      session.fail(id, new StoreError('INVALID_ARGUMENT', 'The part of the snapshot before this one is not read yet'));
      return;
    }
    if (this.failure !== null) {
      session.snapshots.delete(this.name);
      session.fail(id, this.failure);
      return;
    }
    this.stopWaiting();
    this.reading = { id, endsMs: performance.now() + partMsMax };
    this.turn();
  }

  /** The next read is told; the one that is under way, too. */
  fail(error: StoreError): void {
    if (this.ended) return;
    const { reading } = this;
    this.end();
    if (reading === null) {
      this.failure = error;
      return;
    }
    this.session.snapshots.delete(this.name);
    this.session.fail(reading.id, error);
  }

  /** The connection is over, or nothing follows. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.reading = null;
    this.stopWaiting();
    this.contents.close();
  }

  private turn(): void {
    const { reading } = this;
    if (this.ended || reading === null) return;
    const endsAt = performance.now() + snapshotTurnMs;
    try {
      while (performance.now() < endsAt) {
        const next = this.source.next();
        if (next === 'not yet') continue;
        this.answer(reading.id, next === 'end' ? null : next.bytes);
        return;
      }
    } catch (cause) {
      if (cause instanceof StoreError) this.fail(cause);
      else this.session.broken(cause);
      return;
    }
    if (performance.now() < reading.endsMs) setImmediate(this.goOn);
    else this.answer(reading.id, emptyBytes);
  }

  /** Null: there are no more. */
  private answer(id: number, bytes: Uint8Array | null): void {
    const { session, name } = this;
    this.reading = null;
    if (bytes === null) {
      this.end();
      session.snapshots.delete(name);
    } else this.awaitRead();
    const part = { type: 'snapshot', snapshot: name, bytes: bytes ?? emptyBytes, last: bytes === null } as const;
    session.answer(okFrame(id, { zxid: session.zxid, revision: this.contents.meta.revision }, part));
  }

  private awaitRead(): void {
    const { stateCopyStallMs } = this.session.limits;
    const stalled = contained(this.session, () => {
      const reason = `the client asked for nothing for ${stateCopyStallMs} ms (stateCopyStallMs)`;
      this.fail(new StoreError('TIMEOUT', `Cannot go on with the snapshot: ${reason}`));
    });
    this.stalled = setTimeout(stalled, stateCopyStallMs);
  }

  private stopWaiting(): void {
    if (this.stalled !== null) clearTimeout(this.stalled);
    this.stalled = null;
  }
}
