// Writes numbered keys through the client library and remembers exactly which were acknowledged, so that they can be
// looked for afterwards. A write that failed is counted and not repeated beyond what the client library does itself.

import { tcpTransport } from '../../client/tcp-transport.js';
import { ZabtreeClient } from '../../client/zabtree-client.js';

export interface AcknowledgedLoadOptions {
  readonly peers: readonly string[];
  readonly prefix: string;
  /** Writes outstanding at a time. */
  readonly inFlight: number;
  /** Writes in all; undefined: until stop(). */
  readonly count?: number;
  /** The client library repeats a write until then. */
  readonly timeoutMs: number;
  /** After each acknowledgment. */
  readonly onAcknowledged?: (count: number) => void;
  readonly valueBytes?: number;
}

export class AcknowledgedLoad {
  /** Key -> value of every acknowledged write. */
  readonly acknowledged = new Map<string, string>();
  /** Messages of the writes that failed. */
  readonly failures: string[] = [];
  /** Settles once every write was answered and no new one is to come. */
  readonly finished: Promise<void>;
  /** Longest time between two acknowledgments, milliseconds. */
  longestGapMs = 0;
  private readonly options: AcknowledgedLoadOptions;
  private readonly client: ZabtreeClient;
  private next = 0;
  private lastAcknowledgedAt = performance.now();
  private stopping = false;

  constructor(options: AcknowledgedLoadOptions) {
    this.options = options;
    this.client = new ZabtreeClient({ peers: options.peers, transport: tcpTransport, timeoutMs: options.timeoutMs });
    const writers = Array.from({ length: options.inFlight }, () => this.write());
    this.finished = Promise.all(writers).then(() => this.client.close());
  }

  /** Lets what is outstanding finish. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.finished;
  }

  private async write(): Promise<void> {
    const { prefix, count, valueBytes, onAcknowledged } = this.options;
    while (!this.stopping && (count === undefined || this.next < count)) {
      const number = this.next++;
      const key = `${prefix}${String(number).padStart(9, '0')}`;
      const value = `value-${number}`.padEnd(valueBytes ?? 0, '.');
      try {
        await this.client.set(key, value);
      } catch (error) {
        this.failures.push(error instanceof Error ? error.message : String(error));
        continue;
      }
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAcknowledgedAt);
      this.lastAcknowledgedAt = now;
      this.acknowledged.set(key, value);
      onAcknowledged?.(this.acknowledged.size);
    }
  }
}

/** Acknowledged writes that a node lacks or has otherwise. */
export function lostWrites(acknowledged: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string[] {
  return [...acknowledged].filter(([key, value]) => found.get(key) !== value).map(([key]) => key);
}
