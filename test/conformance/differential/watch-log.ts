// What one server told the watches of one stream, in a form that can be compared with another server's: for each watch
// the list of what came, without what is each server's own business (how events are packed, the header).

import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Plain } from '../etcd-messages.js';
import type { GrpcEndpoint } from '../grpc-endpoint.js';

interface WatchResponse extends Plain {
  readonly watch_id?: string;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compact_revision?: string;
  readonly cancel_reason?: string;
  readonly events?: readonly WatchedEvent[];
}

interface WatchedEvent extends Plain {
  readonly kv?: { readonly key?: string; readonly mod_revision?: string };
}

export class WatchLog {
  /** By watch id; what several failed creations were told is in order under `-1`. */
  private readonly told = new Map<string, Plain[]>();
  private readonly stream: ClientDuplexStream<Plain, Plain>;
  private createdCount = 0;
  private failure: Error | undefined;

  constructor(endpoint: GrpcEndpoint) {
    this.stream = endpoint.stream('/etcdserverpb.Watch/Watch');
    this.stream.on('data', (response: WatchResponse) => this.take(response));
    this.stream.on('error', (error) => {
      this.failure = error;
    });
  }

  /** Creations that were answered, successful or not. */
  get answered(): number {
    if (this.failure !== undefined) throw this.failure;
    return this.createdCount;
  }

  /** Whether this watch was cancelled because what it wanted is compacted. */
  isCompacted(id: string): boolean {
    return this.told.get(id)?.some((entry) => entry['compact_revision'] !== undefined) ?? false;
  }

  create(request: Plain): void {
    this.stream.write({ create_request: request });
  }

  cancel(id: number): void {
    this.stream.write({ cancel_request: { watch_id: String(id) } });
  }

  /** Everything told so far, events of one revision by key. */
  content(): { readonly [id: string]: readonly Plain[] } {
    if (this.failure !== undefined) throw this.failure;
    return Object.fromEntries(
      [...this.told].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, list]) => [id, byRevisionAndKey(list)]),
    );
  }

  close(): void {
    this.stream.on('error', () => undefined);
    this.stream.cancel();
  }

  private take(response: WatchResponse): void {
    const id = response.watch_id ?? '0';
    const list = this.told.get(id) ?? [];
    this.told.set(id, list);
    const { created, canceled, compact_revision, cancel_reason } = response;
    if (created === true) this.createdCount += 1;
    if (created === true || canceled === true) list.push({ created, canceled, compact_revision, cancel_reason });
    for (const event of response.events ?? []) list.push(event);
  }
}

function byRevisionAndKey(list: readonly Plain[]): readonly Plain[] {
  const sorted: Plain[] = [];
  let run: WatchedEvent[] = [];
  const flush = (): void => {
    run.sort((a, b) => ((a.kv?.key ?? '') < (b.kv?.key ?? '') ? -1 : 1));
    sorted.push(...run);
    run = [];
  };
  for (const entry of list as readonly WatchedEvent[]) {
    const revision = entry.kv?.mod_revision;
    if (revision === undefined || run[0]?.kv?.mod_revision !== revision) flush();
    if (revision === undefined) sorted.push(entry);
    else run.push(entry);
  }
  flush();
  return sorted;
}
