// One watch over all keys of a nemesis run, from the first revision to the last, over any number of reconnections. Keeps
// what it was told; judges nothing.

import { tcpTransport } from '../../src/client/tcp-transport.js';
import { ZabtreeClient } from '../../src/client/zabtree-client.js';
import { absent } from '../../src/simulator/client-history.js';
import type { WatchedChange } from './judge.js';
import { writeOf } from './nemesis-client.js';

export interface NemesisWatcherOptions {
  readonly peers: readonly string[];
  readonly prefix: string;
  readonly fromRevision: number;
  readonly onFinding: (text: string) => void;
}

const beginTimeoutMs = 60_000;

export class NemesisWatcher {
  readonly changes: WatchedChange[] = [];
  private readonly client: ZabtreeClient;
  private readonly decoder = new TextDecoder();
  private closed = false;

  constructor({ peers, prefix, fromRevision, onFinding }: NemesisWatcherOptions) {
    this.client = new ZabtreeClient({ peers, transport: tcpTransport });
    this.client.watchEach(
      { prefix, fromRevision, timeoutMs: beginTimeoutMs },
      {
        update: (update) => {
          if (update.type !== 'events') return;
          for (const { modRevision, key, record } of update.events) {
            const write = record === undefined ? absent : writeOf(record.value);
            this.changes.push({ revision: modRevision, key: this.decoder.decode(key), write });
          }
        },
        ended: (error) => {
          if (!this.closed) onFinding(`a watch ended: ${error?.message ?? 'without a reason'}`);
        },
      },
    );
  }

  get lastRevision(): number {
    return this.changes.at(-1)?.revision ?? 0;
  }

  close(): void {
    this.closed = true;
    this.client.close();
  }
}
