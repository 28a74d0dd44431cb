// A simulated client that holds leases and makes transactions, one request at a time. It keeps a lease alive or lets it
// end, moves between nodes, and repeats what has an effect until it is told what became of it. Records what it is told.

import type { ClientId, Zxid } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import type { Command, CommandResult } from '../tree/command.js';
import type { KeyRecord } from '../tree/store.js';
import type { OperationOutcome } from '../tree/transaction.js';
import { bytesOf, keyText } from './byte-text.js';
import type { ClientCall } from './client-history.js';
import type { ClientSettings, ClientWorld } from './simulated-client.js';
import { drawTransaction } from './transaction-draw.js';

/** Time of a message between a client and its node, at most. */
const hopMs = 1;
/** Times to live that are asked for, seconds: up to this. */
const ttlSecondsMax = 5;

/** Keys that only clients of this kind write. */
const ownKeys = ['p0', 'p1'];

interface Lease {
  readonly id: bigint;
  /** Nobody renews it: it is to end. */
  readonly forsaken: boolean;
}

export class SimulatedHolder {
  private readonly world: ClientWorld;
  private readonly id: ClientId;
  private readonly settings: ClientSettings;
  private readonly random: SeededRandom;
  private readonly keys: readonly string[];
  private readonly values = new Map<string, Uint8Array>();
  private leases: Lease[] = [];
  private node: number;
  private nextRequest = 1;
  private bornAt: Zxid | undefined;
  private revision = 1;
  private busy = false;
  private stopping = false;
  answered = 0;

  constructor(world: ClientWorld, id: ClientId, settings: ClientSettings, random: SeededRandom) {
    this.world = world;
    this.id = id;
    this.settings = settings;
    this.random = random;
    this.node = random.below(world.nodes);
    this.keys = [...Array.from({ length: settings.keys }, (_, index) => `k${index}`), ...ownKeys];
  }

  start(): void {
    this.think();
  }

  /** Begins nothing new, so that its leases end. */
  stop(): void {
    this.stopping = true;
  }

  get idle(): boolean {
    return !this.busy;
  }

  private think(): void {
    this.busy = false;
    this.world.clock.after(-Math.log(1 - this.random.next()) * this.settings.thinkMs * 2, () => {
      if (this.stopping) return;
      this.busy = true;
      if (this.random.chance(0.1)) this.node = this.random.below(this.world.nodes);
      const command = this.draw();
      const repeats = command.type === 'transact' || command.type === 'leaseGrant' || command.type === 'leaseRevoke';
      const call = this.world.history.call(command, this.id, repeats ? this.nextRequest++ : 0);
      this.attempt(call, 1);
    });
  }

  private draw(): Command {
    const { random } = this;
    const lease = this.leases[random.below(Math.max(1, this.leases.length))];
    const roll = random.below(100);
    if (lease === undefined ? roll < 40 : roll < 6 && this.leases.length < 4) {
      // Ids of one's own collide now and then.
      const id = random.chance(0.5) ? 0n : BigInt(1 + random.below(30));
      return { type: 'leaseGrant', id, ttlSeconds: random.below(ttlSecondsMax + 1) };
    }
    if (lease !== undefined && roll < 36) {
      const kept = (random.chance(0.7) ? this.leases.find(({ forsaken }) => !forsaken) : undefined) ?? lease;
      return { type: 'leaseKeepAlive', id: kept.id };
    }
    if (lease !== undefined && roll < 44)
      return { type: 'leaseTimeToLive', id: lease.id, wantsKeys: random.chance(0.5) };
    if (lease !== undefined && roll < 48) return { type: 'leaseRevoke', id: lease.id };
    const transaction = drawTransaction(this.keys, {
      random,
      newValue: () => bytesOf(`w${this.world.history.nextWrite()}.`.padEnd(random.below(40), '.')),
      lease: () => (random.chance(0.5) ? (this.leases[random.below(this.leases.length)]?.id ?? 0n) : 0n),
      revision: () => Math.max(1, this.revision - random.below(4)),
      mayKeepValue: (key) => ownKeys.includes(key),
      valueOf: (key) => this.values.get(key) ?? bytesOf('w0'),
    });
    return { type: 'transact', transaction };
  }

  private attempt(call: ClientCall, attempts: number): void {
    const { world, settings, random } = this;
    const target = world.reach(this.node);
    if (target === undefined) {
      this.again(call, attempts);
      return;
    }
    this.bornAt ??= target.ensemble.tree.appliedZxid;
    const { command, request } = call;
    const identity = {
      client: this.id,
      request,
      acknowledgedBelow: request,
      bornAt: this.bornAt,
      repeated: attempts > 1,
    };
    const sentMs = world.clock.nowMs();
    let over = false;
    const cancelTimeout = world.clock.after(settings.timeoutMs + 100, () => {
      over = true;
      this.again(call, attempts);
    });
    target.scheduler.deliver(random.next() * hopMs, () => {
      const deadlineMs = target.scheduler.nowMs() + settings.timeoutMs;
      target.ensemble.submit(request === 0 ? { command } : { command, identity }, deadlineMs, (result) => {
        world.clock.after(random.next() * hopMs, () => {
          if (over) return;
          over = true;
          cancelTimeout();
          this.told(call, attempts, sentMs, result);
        });
      });
    });
  }

  private told(call: ClientCall, attempts: number, sentMs: number, result: CommandResult): void {
    switch (result.code) {
      case 'OK':
      case 'KEY_NOT_FOUND':
      case 'LEASE_EXISTS':
      case 'LEASE_NOT_FOUND':
        call.sentMs = sentMs;
        this.world.history.answered(call, result);
        this.answered += 1;
        this.learn(call, result);
        this.think();
        return;
      case 'NO_QUORUM':
      case 'OVERLOADED':
      case 'NO_SPACE':
      case 'UNAVAILABLE':
      case 'TIMEOUT':
      case 'OUTCOME_UNKNOWN':
        this.again(call, attempts);
        return;
      default:
        this.world.view.violate(
          'errors fit the request',
          `client ${this.id}: ${call.command.type} answered ${result.code}: ${result.message}`,
        );
    }
  }

  /** What has an effect is repeated elsewhere, or given up; anything else is simply not answered. */
  private again(call: ClientCall, attempts: number): void {
    this.node = this.random.below(this.world.nodes);
    if (call.request === 0 || attempts >= this.settings.attemptsMax) this.think();
    else this.world.clock.after(15 + this.random.next() * 30, () => this.attempt(call, attempts + 1));
  }

  private learn({ command }: ClientCall, { code, output, revision }: CommandResult): void {
    if (revision > this.revision) this.revision = revision;
    if (output?.type === 'leaseGrant') this.leases.push({ id: output.id, forsaken: this.random.chance(0.3) });
    const gone =
      (command.type === 'leaseRevoke' && command.id) ||
      (output?.type === 'leaseKeepAlive' && output.ttlSeconds === 0 && output.id) ||
      (output?.type === 'leaseTimeToLive' && output.ttlSeconds < 0 && output.id);
    if (gone !== false) this.leases = this.leases.filter(({ id }) => id !== gone);
    if (code === 'LEASE_NOT_FOUND' && command.type === 'transact') this.leases = [];
    if (output?.type === 'transaction') this.remember(output);
  }

  /** Values to compare with later. */
  private remember(outcome: OperationOutcome): void {
    if (outcome.type === 'transaction') for (const each of outcome.outcomes) this.remember(each);
    else for (const { key, value } of recordsOf(outcome)) this.values.set(keyText(key), value);
  }
}

function recordsOf(outcome: Exclude<OperationOutcome, { type: 'transaction' }>): readonly KeyRecord[] {
  if (outcome.type === 'range') return outcome.records;
  if (outcome.type === 'delete') return outcome.previous;
  return outcome.previous === undefined ? [] : [outcome.previous];
}
