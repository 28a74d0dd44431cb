// What a client asks about leases: commands like writes, but their answers tell something. Knows no connection.

import { StoreError } from '../shared/errors.js';
import type { Revision, Zxid } from '../shared/ids.js';
import type { CommandOutput } from '../wire/native-messages.js';
import type { Command } from './pending-request.js';
import type { RequestOptions, WriteResult } from './request-options.js';

export interface CommandAnswer {
  readonly revision: Revision;
  readonly zxid: Zxid;
  /** Absent in the answer to a repetition. */
  readonly output: CommandOutput | undefined;
}

export interface GrantOptions extends RequestOptions {
  /** Not 0; default: a random one. */
  readonly id?: bigint;
}

export interface LeaseResult {
  readonly id: bigint;
  readonly ttlSeconds: number;
}

export interface TimeToLiveOptions extends RequestOptions {
  /** With the keys that the lease holds. */
  readonly keys?: boolean;
}

export interface TimeToLiveResult extends LeaseResult {
  readonly grantedSeconds: number;
  readonly keys: readonly Uint8Array[];
}

/** Of a request whose answer has to tell something. */
const attemptsMax = 5;

export interface LeaseListOptions extends RequestOptions {
  /** Answer from the state of the connected node; default: linearizable. */
  readonly local?: boolean;
}

export interface LeaseListResult {
  /** In order, as numbers without a sign. */
  readonly ids: readonly bigint[];
  readonly revision: Revision;
  readonly zxid: Zxid;
}

/** How requests get their answers. */
export interface LeaseAsker {
  command(command: Command, options: RequestOptions): Promise<CommandAnswer>;
  list(options: LeaseListOptions): Promise<LeaseListResult>;
}

export class LeaseRequests {
  readonly #asker: LeaseAsker;

  constructor(asker: LeaseAsker) {
    this.#asker = asker;
  }

  /** All leases that there are. */
  list(options: LeaseListOptions = {}): Promise<LeaseListResult> {
    return this.#asker.list(options);
  }

  /**
   * A lease of that many seconds, or of the least that the ensemble grants. Its id is drawn here, so that a repetition
   * asks for the same. Fails with LEASE_EXISTS when there is one with this id.
   */
  async grant(ttlSeconds: number, options: GrantOptions = {}): Promise<LeaseResult> {
    const { id = randomLeaseId(), ...rest } = options;
    const { output } = await this.#asker.command({ type: 'leaseGrant', id, ttlSeconds }, rest);
    if (output?.type === 'leaseGrant') return { id: output.id, ttlSeconds: output.ttlSeconds };
    const { grantedSeconds } = await this.timeToLive(id, rest);
    return { id, ttlSeconds: grantedSeconds };
  }

  /** Deletes the keys of the lease too. Fails with LEASE_NOT_FOUND when there is no such lease. */
  async revoke(id: bigint, options: RequestOptions = {}): Promise<WriteResult> {
    const { revision, zxid } = await this.#asker.command({ type: 'leaseRevoke', id }, options);
    return { revision, zxid };
  }

  /** The lease's time begins anew. ttlSeconds 0: there is no such lease. */
  async keepAlive(id: bigint, options: RequestOptions = {}): Promise<LeaseResult> {
    const output = await this.#tell({ type: 'leaseKeepAlive', id }, options);
    if (output.type !== 'leaseKeepAlive') throw unexpected(output.type);
    return { id, ttlSeconds: output.ttlSeconds };
  }

  /** ttlSeconds -1: there is no such lease. */
  async timeToLive(id: bigint, options: TimeToLiveOptions = {}): Promise<TimeToLiveResult> {
    const { keys = false, ...rest } = options;
    const output = await this.#tell({ type: 'leaseTimeToLive', id, wantsKeys: keys }, rest);
    if (output.type !== 'leaseTimeToLive') throw unexpected(output.type);
    return { id, ttlSeconds: output.ttlSeconds, grantedSeconds: output.grantedSeconds, keys: output.keys };
  }

  /** A repetition may be answered without what was asked for: then it is asked anew. */
  async #tell(command: Command, options: RequestOptions): Promise<CommandOutput> {
    for (let asked = 0; asked < attemptsMax; asked++) {
      const { output } = await this.#asker.command(command, options);
      if (output !== undefined) return output;
    }
    throw unexpected(command.type);
  }
}

function unexpected(type: string): StoreError {
  return new StoreError('INTERNAL', `The server answered a ${type} with something else`);
}

/** 63 random bits, never 0. */
function randomLeaseId(): bigint {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  const id = (BigInt(high >>> 1) << 32n) | BigInt(low);
  return id === 0n ? 1n : id;
}
