// Watch and CancelWatch: the changes of a range as frames that carry the id of the request that asked for them. A
// revision that does not fit one frame is flagged in every frame but its last.

import type { WatchHandle, WatchSink } from '../../../service/store-service.js';
import { StoreError } from '../../../shared/errors.js';
import type { Revision } from '../../../shared/ids.js';
import type { WatchEvent } from '../../../tree/replicated-tree.js';
import type { KeyRecord } from '../../../tree/store.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { failureFrame, okFrame, watchFrame } from '../encoder.js';
import type { NativeSession, SessionWatch } from '../session.js';
import { watchRequestOf } from './key-range.js';

export function handleWatch(
  session: NativeSession,
  request: { readonly id: number },
  body: Extract<NativeRequestBody, { type: 'watch' }>,
): void {
  const { id } = request;
  try {
    admit(session, id);
    const watch = new NativeWatch(session, id);
    const start = {
      ...watchRequestOf(body.range),
      seen: body.seen,
      fromRevision: body.fromRevision === 0 ? undefined : body.fromRevision,
      withInitial: body.withInitial,
      actor: session.actor,
    };
    watch.open(session.service.watch(start, watch));
    session.watches.set(id, watch);
    session.answer(okFrame(id, session));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    session.fail(id, error);
  }
}

function admit(session: NativeSession, id: number): void {
  if (session.watches.has(id)) throw new StoreError('INVALID_ARGUMENT', `A watch with the id ${id} is open already`);
  const { watchesPerConnectionMax } = session.limits;
  if (session.watches.size < watchesPerConnectionMax) return;
  throw new StoreError('OVERLOADED', `This connection has ${watchesPerConnectionMax} watches open: that is the limit`);
}

export function handleCancelWatch(
  session: NativeSession,
  request: { readonly id: number },
  body: Extract<NativeRequestBody, { type: 'cancelWatch' }>,
): void {
  // One that has ended by itself meanwhile is as gone as the client wants it.
  session.watches.get(body.watch)?.cancel();
  session.watches.delete(body.watch);
  session.answer(okFrame(request.id, session));
}

class NativeWatch implements WatchSink, SessionWatch {
  private readonly session: NativeSession;
  private readonly id: number;
  private handle: WatchHandle | null = null;

  constructor(session: NativeSession, id: number) {
    this.session = session;
    this.id = id;
  }

  open(handle: WatchHandle): void {
    this.handle = handle;
  }

  cancel(): void {
    this.handle?.cancel();
  }

  resume(): void {
    this.handle?.resume();
  }

  ready(): boolean {
    return this.session.mayPush(this);
  }

  events(events: readonly WatchEvent[]): void {
    try {
      this.push(events);
    } catch (error) {
      this.session.broken(error);
    }
  }

  initial(records: readonly KeyRecord[], revision: Revision, last: boolean): void {
    const { session, id } = this;
    try {
      session.push(watchFrame(id, session.zxid, revision, { type: 'watchInitial', records, last }));
    } catch (error) {
      session.broken(error);
    }
  }

  ended(error: StoreError): void {
    const { session, id } = this;
    try {
      session.watches.delete(id);
      session.push({ ...failureFrame(id, error, session), payload: { type: 'watchEnded' } });
    } catch (thrown) {
      session.broken(thrown);
    }
  }

  private push(events: readonly WatchEvent[]): void {
    const frameBytesMax = this.session.limits.watchPageBytes;
    let begin = 0;
    let bytes = 0;
    for (let index = 0; index < events.length; index++) {
      const event = events[index];
      if (event === undefined) break;
      const eventBytes = event.key.length + (event.record?.value.length ?? 0) + eventOverheadBytes;
      if (index > begin && bytes + eventBytes > frameBytesMax) {
        this.pushEvents(events.slice(begin, index), event.modRevision);
        begin = index;
        bytes = 0;
      }
      bytes += eventBytes;
    }
    this.pushEvents(begin === 0 ? events : events.slice(begin), undefined);
  }

  private pushEvents(events: readonly WatchEvent[], following: Revision | undefined): void {
    const revision = events[events.length - 1]?.modRevision;
    if (revision === undefined) return;
    const more = following === revision;
    this.session.push(watchFrame(this.id, this.session.zxid, revision, { type: 'watchEvents', events, more }));
  }
}

/** Numbers, tags and lengths of an event beside its key and value. */
const eventOverheadBytes = 64;
