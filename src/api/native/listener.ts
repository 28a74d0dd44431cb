// All native connections of a node: admits byte streams whose first byte is the native preface's, and closes them when
// the node stops. It opens no port: the client port hands it streams.

import type { Limits } from '../../config/limits.js';
import type { Log } from '../../observability/log.js';
import type { StoreService } from '../../service/store-service.js';
import { StoreError } from '../../shared/errors.js';
import type { ArrivalBudget } from '../arrival-budget.js';
import type { FrontEndGuard } from '../front-end-guard.js';
import type { QueueBudget } from '../queue-budget.js';
import type { ByteStream } from './byte-stream.js';
import { NativeConnection } from './connection.js';
import { TurnFlush } from './turn-flush.js';

export interface NativeListenerOptions {
  readonly service: StoreService;
  readonly limits: Limits;
  /** Shared with the other front ends. */
  readonly budget: QueueBudget;
  readonly arrivals: ArrivalBudget;
  readonly guard: FrontEndGuard;
  readonly log: Log;
}

export class NativeListener {
  private readonly options: NativeListenerOptions;
  private readonly connections = new Set<NativeConnection>();
  private readonly turns = new TurnFlush();

  constructor(options: NativeListenerOptions) {
    this.options = options;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /**
   * Serves a stream from its first byte on. `first`: bytes that were read already. With `refusal` the client is told
   * that, and the stream is closed.
   */
  accept(stream: ByteStream, options: { readonly first?: Uint8Array; readonly refusal?: StoreError } = {}): void {
    const { service, limits, budget, arrivals, guard, log } = this.options;
    const connection = new NativeConnection(stream, {
      service,
      limits,
      turns: this.turns,
      budget,
      arrivals,
      guard,
      log,
      refusal: options.refusal,
      closed: (over) => this.connections.delete(over),
    });
    this.connections.add(connection);
    if (options.first !== undefined) connection.received(options.first);
  }

  /** Tells every client that this node is stopping, and closes the connections. */
  close(): void {
    for (const connection of this.connections) {
      connection.refuse(new StoreError('UNAVAILABLE', 'This node is stopping'));
    }
  }
}
