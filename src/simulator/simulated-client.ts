// One simulated client: a few lanes that each do one thing at a time through some node, and repeat it with the same
// identity elsewhere until they are told what became of it. Records everything in the history; sees nothing but answers.

import type { EnsembleNode } from '../ensemble/ensemble-node.js';
import { type ClientId, type Revision, type Zxid, zxidZero } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import type { Command, CommandResult } from '../tree/command.js';
import type { KeyRecord } from '../tree/store.js';
import { bytesOf, writeOf } from './byte-text.js';
import type { EnsembleView } from './checkers/ensemble-view.js';
import { readAgrees } from './checkers/tree-content.js';
import {
  absent,
  type ClientHistory,
  type ClientOperation,
  type OperationKind,
  type Outcome,
  type WriteNumber,
} from './client-history.js';
import { pickOperation } from './operation-mix.js';
import type { Trace } from './trace.js';
import type { NodeScheduler, VirtualClock } from './virtual-clock.js';

/** A running node as a client can reach it. */
export interface ReachableNode {
  readonly ensemble: EnsembleNode;
  readonly scheduler: NodeScheduler;
}

export interface ClientWorld {
  readonly clock: VirtualClock;
  readonly view: EnsembleView;
  readonly history: ClientHistory;
  readonly trace: Trace;
  readonly nodes: number;
  /** undefined while its process is down. */
  reach(node: number): ReachableNode | undefined;
}

export interface ClientSettings {
  readonly lanes: number;
  readonly keys: number;
  /** Mean pause between two operations of a lane. */
  readonly thinkMs: number;
  /** Deadline given to the node; a client waits a little longer. */
  readonly timeoutMs: number;
  /** Attempts at one write before it is given up as unknown. */
  readonly attemptsMax: number;
  /** Padding of values, at most. */
  readonly valueBytesMax: number;
}

/** Time of a message between a client and its node, at most. */
const hopMs = 1;
/** What the client last learned of a key. */
interface Known {
  readonly write: WriteNumber;
  readonly revision: Revision | 0;
}

/** A read's answer. */
interface Seen {
  readonly record: KeyRecord | undefined;
  readonly revision: Revision;
  readonly zxid: Zxid;
}

interface Lane {
  readonly number: number;
  node: number;
  busy: boolean;
  /** Highest zxid and revision that this lane has been told of. */
  seen: Zxid;
  revision: number;
}

interface Attempted {
  readonly operation: ClientOperation;
  readonly command: Command;
  readonly lane: Lane;
  attempts: number;
  /** Some attempt may have happened. */
  uncertain: boolean;
}

export class SimulatedClient {
  readonly id: ClientId;
  private readonly world: ClientWorld;
  private readonly settings: ClientSettings;
  private readonly random: SeededRandom;
  private readonly lanes: Lane[];
  private readonly known = new Map<string, Known>();
  private readonly outstanding = new Set<number>();
  private nextRequest = 1;
  private bornAt: Zxid | undefined;
  private stopping = false;
  /** Operations of which the client was told what became of them. */
  answered = 0;
  /** Reads of a node's own state that were begun; they are not in the history, which is about linearizable operations. */
  localReads = 0;

  constructor(world: ClientWorld, id: ClientId, settings: ClientSettings, random: SeededRandom) {
    this.world = world;
    this.id = id;
    this.settings = settings;
    this.random = random;
    this.lanes = Array.from({ length: settings.lanes }, (_, number) => ({
      number,
      node: random.below(world.nodes),
      busy: false,
      seen: zxidZero,
      revision: 0,
    }));
  }

  start(): void {
    for (const lane of this.lanes) this.think(lane);
  }

  /** Begins nothing new; what is under way goes on. */
  stop(): void {
    this.stopping = true;
  }

  get idle(): boolean {
    return this.lanes.every((lane) => !lane.busy);
  }

  private think(lane: Lane): void {
    lane.busy = false;
    const pauseMs = -Math.log(1 - this.random.next()) * this.settings.thinkMs;
    this.world.clock.after(pauseMs, () => {
      if (this.stopping) return;
      lane.busy = true;
      if (this.random.chance(0.05)) lane.node = this.random.below(this.world.nodes);
      this.begin(lane);
    });
  }

  private begin(lane: Lane): void {
    const kind = pickOperation(this.random);
    const key = `k${this.random.below(this.settings.keys)}`;
    if (kind === 'localRead') this.readLocally(lane, key);
    else if (kind === 'read') this.read(lane, key);
    else this.write(lane, kind, key);
  }

  private write(lane: Lane, kind: Exclude<OperationKind, 'read'>, key: string): void {
    const known = this.known.get(key) ?? { write: absent, revision: 0 };
    const request = this.nextRequest++;
    this.outstanding.add(request);
    const operation = this.world.history.invoke({ kind, key, client: this.id, request, expected: known.write });
    const command = this.commandOf(operation, known.revision);
    this.attempt({ operation, command, lane, attempts: 0, uncertain: false });
  }

  private commandOf(operation: ClientOperation, knownRevision: Revision | 0): Command {
    const key = bytesOf(operation.key);
    const expectedRevision = knownRevision as Revision;
    const value = (): Uint8Array =>
      bytesOf(`w${operation.write}.`.padEnd(this.random.below(this.settings.valueBytesMax), '.'));
    switch (operation.kind) {
      case 'add':
        return { type: 'add', key, value: value() };
      case 'set':
        return { type: 'set', key, value: value() };
      case 'setIf':
        return { type: 'set', key, value: value(), expectedRevision };
      case 'deleteIf':
        return { type: 'delete', key, expectedRevision };
      default:
        return { type: 'delete', key };
    }
  }

  private attempt(attempted: Attempted): void {
    const { lane, command, operation } = attempted;
    attempted.attempts += 1;
    const target = this.world.reach(lane.node);
    if (target === undefined) {
      this.again(attempted, 20);
      return;
    }
    if (this.bornAt === undefined) this.bornAt = target.ensemble.tree.appliedZxid;
    const identity = {
      client: this.id,
      request: operation.request,
      acknowledgedBelow: Math.min(...this.outstanding),
      bornAt: this.bornAt,
      repeated: attempted.attempts > 1,
    };
    this.say(`asks node ${lane.node}: ${operation.client}.${operation.request} ${operation.kind} ${operation.key}`);
    this.ask<CommandResult>(
      target,
      (deadlineMs, reply) =>
        target.ensemble.submit({ command, identity }, deadlineMs, (result) => {
          if (result.code === 'OK') this.appliedHere(target, lane.node, result.zxid, operation);
          reply(result);
        }),
      (result) => this.answeredWrite(attempted, result),
      () => {
        this.say(`hears nothing of ${operation.client}.${operation.request}`);
        attempted.uncertain = true;
        this.again(attempted, 5);
      },
    );
  }

  /** One request and its one answer, or a timeout, whichever comes first. */
  private ask<T>(
    target: ReachableNode,
    call: (deadlineMs: number, reply: (answer: T) => void) => void,
    answered: (answer: T) => void,
    lost: () => void,
  ): void {
    const { clock } = this.world;
    const { timeoutMs } = this.settings;
    let over = false;
    const cancelTimeout = clock.after(timeoutMs + 100, () => {
      over = true;
      lost();
    });
    target.scheduler.deliver(this.random.next() * hopMs, () => {
      call(target.scheduler.nowMs() + timeoutMs, (answer) => {
        clock.after(this.random.next() * hopMs, () => {
          if (over) return;
          over = true;
          cancelTimeout();
          answered(answer);
        });
      });
    });
  }

  private answeredWrite(attempted: Attempted, result: CommandResult): void {
    const { operation, lane } = attempted;
    this.say(`is told by node ${lane.node}: ${operation.client}.${operation.request} ${result.code} ${result.message}`);
    switch (result.code) {
      case 'OK':
        this.learn(
          operation.key,
          operation.kind === 'delete' || operation.kind === 'deleteIf' ? absent : operation.write,
          result.revision,
        );
        this.completeWrite(attempted, 'ok', result);
        return;
      case 'KEY_EXISTS':
        this.completeWrite(attempted, 'exists', result);
        return;
      case 'KEY_NOT_FOUND':
        this.completeWrite(attempted, 'missing', result);
        return;
      case 'REVISION_MISMATCH':
        this.completeWrite(attempted, 'mismatch', result);
        return;
      case 'NO_QUORUM':
      case 'OVERLOADED':
      case 'NO_SPACE':
      case 'UNAVAILABLE':
        this.again(attempted, 30);
        return;
      case 'TIMEOUT':
      case 'OUTCOME_UNKNOWN':
        attempted.uncertain = true;
        this.again(attempted, 30);
        return;
      default:
        this.world.view.violate(
          'errors fit the request',
          `client ${this.id} lane ${lane.number}: ${operation.kind} answered ${result.code}: ${result.message}`,
        );
    }
  }

  private completeWrite(attempted: Attempted, outcome: Exclude<Outcome, 'unknown'>, result: CommandResult): void {
    const { operation, lane } = attempted;
    operation.revision = result.revision;
    operation.zxid = result.zxid;
    this.world.history.complete(operation, outcome);
    this.saw(lane, result.zxid, result.revision, operation.kind);
    this.finish(attempted);
  }

  /** Tries again at another node after a pause, or gives up. */
  private again(attempted: Attempted, pauseMs: number): void {
    const { lane, operation } = attempted;
    if (attempted.attempts >= this.settings.attemptsMax) {
      if (!attempted.uncertain) this.world.history.complete(operation, 'refused');
      this.finish(attempted, false);
      return;
    }
    lane.node = this.random.below(this.world.nodes);
    this.world.clock.after(pauseMs * (0.5 + this.random.next()), () => this.attempt(attempted));
  }

  private finish(attempted: Attempted, answered = true): void {
    this.outstanding.delete(attempted.operation.request);
    if (answered) this.answered += 1;
    this.think(attempted.lane);
  }

  private read(lane: Lane, key: string): void {
    const target = this.world.reach(lane.node);
    if (target === undefined) {
      this.elsewhere(lane);
      return;
    }
    const operation = this.world.history.invoke({ kind: 'read', key, client: this.id, request: 0, expected: absent });
    this.ask<Seen | null>(
      target,
      (deadlineMs, reply) =>
        target.ensemble.readBarrier(deadlineMs, (error) => {
          const { tree } = target.ensemble;
          reply(error === null ? { ...tree.get(bytesOf(key)), zxid: tree.appliedZxid } : null);
        }),
      (answer) => {
        if (answer === null) {
          this.elsewhere(lane);
          return;
        }
        operation.observed = answer.record === undefined ? absent : writeOf(answer.record.value);
        operation.revision = answer.revision;
        operation.zxid = answer.zxid;
        this.world.history.complete(operation, 'ok');
        this.tookRead(lane, key, answer);
      },
      () => this.elsewhere(lane),
    );
  }

  /** From the node's own state, once that has caught up with what this lane has seen. */
  private readLocally(lane: Lane, key: string): void {
    this.localReads += 1;
    const target = this.world.reach(lane.node);
    if (target === undefined) {
      this.elsewhere(lane);
      return;
    }
    this.ask<Seen | null>(
      target,
      (deadlineMs, reply) =>
        target.ensemble.waitApplied(lane.seen, deadlineMs, (error) => {
          const { tree } = target.ensemble;
          reply(error === null ? { ...tree.get(bytesOf(key)), zxid: tree.appliedZxid } : null);
        }),
      (answer) => (answer === null ? this.elsewhere(lane) : this.tookRead(lane, key, answer)),
      () => this.elsewhere(lane),
    );
  }

  private tookRead(lane: Lane, key: string, answer: Seen): void {
    const { view } = this.world;
    this.saw(lane, answer.zxid, answer.revision, 'read');
    const difference = readAgrees(view.ledger, key, answer.revision, answer.record);
    if (difference !== undefined)
      view.violate(
        'reads show the committed history',
        `client ${this.id} at revision ${answer.revision}: ${key} ${difference}`,
      );
    this.learn(
      key,
      answer.record === undefined ? absent : writeOf(answer.record.value),
      answer.record?.modRevision ?? 0,
    );
    this.answered += 1;
    this.think(lane);
  }

  /** A read found no answer here: the lane goes on somewhere else. */
  private elsewhere(lane: Lane): void {
    lane.node = this.random.below(this.world.nodes);
    this.think(lane);
  }

  private say(text: string): void {
    if (this.world.trace.verbose) this.world.trace.line(`client ${this.id} ${text}`);
  }

  private learn(key: string, write: WriteNumber, revision: Revision | 0): void {
    this.known.set(key, write === absent ? { write: absent, revision: 0 } : { write, revision });
  }

  /** Whoever answers a lane stands at or after everything that the lane has seen. */
  private saw(lane: Lane, zxid: Zxid, revision: Revision, what: string): void {
    const repeats = what !== 'read';
    if (revision < lane.revision && !repeats) {
      this.world.view.violate(
        'revisions never go back for a client',
        `client ${this.id} lane ${lane.number}: ${what} at revision ${revision} after ${lane.revision}`,
      );
    }
    if (zxid > lane.seen) lane.seen = zxid;
    if (revision > lane.revision) lane.revision = revision;
  }

  private appliedHere(target: ReachableNode, node: number, zxid: Zxid, operation: ClientOperation): void {
    if (target.ensemble.tree.appliedZxid >= zxid) return;
    this.world.view.violate(
      'an answer is applied where it is given',
      `node ${node} answered request ${operation.client}.${operation.request} before it applied it`,
    );
  }
}
