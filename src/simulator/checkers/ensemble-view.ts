// What the checkers of the whole ensemble look at: every node's disk as it would survive a crash, what each node says of
// itself, and the ledger. Kept up to date by the simulation; the nodes under test never see it.

import { assert } from '../../shared/assert.js';
import { type Epoch, epochZero, formatZxid, type ServerId, type Zxid, zxidZero } from '../../shared/ids.js';
import type { ReplicatedTree } from '../../tree/replicated-tree.js';
import type { EpochRecord } from '../../zab/effects.js';
import type { Batch, ElectionMessage, PeerMessage, Role } from '../../zab/messages.js';
import { Ledger } from '../ledger.js';
import { LogMirror } from '../log-mirror.js';
import type { InvariantName } from './invariants.js';

export interface Violation {
  /** Short name of the broken invariant. */
  readonly invariant: InvariantName;
  readonly atMs: number;
  readonly detail: string;
}

export const blankRecord: EpochRecord = {
  ensembleId: null,
  acceptedEpoch: epochZero,
  currentEpoch: epochZero,
  probation: false,
  seed: zxidZero,
};

/** One node as the world sees it. The disk fields outlive its process. */
export class NodeView {
  readonly index: number;
  readonly serverId: ServerId;
  /** Its commit log. */
  log = new LogMirror();
  /** Its manifest as durably written. */
  record: EpochRecord = blankRecord;
  /** Logs that this node lost together with its disk. */
  readonly lostLogs: LogMirror[] = [];
  up = false;
  /** A write of the running process to its log or its record has failed: it must not acknowledge anything any more. */
  failed = false;
  /** What the running process says. */
  role: Role = 'looking';
  epoch: Epoch = epochZero;
  leader: ServerId | null = null;
  serving = false;
  applied: Zxid = zxidZero;
  tree: ReplicatedTree | undefined;

  constructor(index: number, serverId: ServerId) {
    this.index = index;
    this.serverId = serverId;
  }

  /** It may be counted in a quorum: it belongs to an ensemble and has not come back from a lost disk. */
  get counted(): boolean {
    return this.record.ensembleId !== null && !this.record.probation;
  }

  describe(): string {
    const { acceptedEpoch, currentEpoch } = this.record;
    const state = this.up ? `${this.role}${this.serving ? ' (serving)' : ''} epoch ${this.epoch}` : 'down';
    return `node ${this.index}: ${state}, accepted ${acceptedEpoch}, current ${currentEpoch}${this.counted ? '' : ', not counted'}, log ${this.log.describe()}, applied ${formatZxid(this.applied)}`;
  }
}

export class EnsembleView {
  readonly nodes: readonly NodeView[];
  readonly ledger = new Ledger();
  readonly violations: Violation[] = [];
  readonly quorum: number;
  nowMs: () => number = () => 0;
  /** The clients' last moment, and when it was true time. */
  moment: () => number = () => 0;
  /** When each batch was first written by anybody, by its last zxid. */
  readonly appended = new Map<Zxid, { readonly ms: number; readonly moment: number }>();
  /** The moment at which each batch was known to be committed, by its last zxid. */
  readonly committed = new Map<Zxid, number>();
  /** True times at which some clock jumped. */
  readonly clockJumps: number[] = [];

  constructor(serverIds: readonly ServerId[]) {
    this.nodes = serverIds.map((serverId, index) => new NodeView(index, serverId));
    this.quorum = Math.floor(serverIds.length / 2) + 1;
  }

  node(index: number): NodeView {
    const node = this.nodes[index];
    assert(node !== undefined, `There is no node ${index}`);
    return node;
  }

  violate(invariant: InvariantName, detail: string): void {
    this.violations.push({ invariant, atMs: this.nowMs(), detail });
  }

  /** Nodes on whose platter the history up to `zxid` with this hash is, or was when their disk was lost. */
  holders(zxid: Zxid, historyHash: number): number {
    return this.holding(zxid, historyHash, () => true);
  }

  /** Of those, the ones that may be counted. A lost disk counts for what it held: it was a voter's when that was told. */
  countedHolders(zxid: Zxid, historyHash: number): number {
    return this.holding(zxid, historyHash, (node) => node.counted);
  }

  private holding(zxid: Zxid, historyHash: number, mayCount: (node: NodeView) => boolean): number {
    let count = 0;
    for (const node of this.nodes) {
      const held = (log: LogMirror): boolean => log.durable >= zxid && this.holds(log, zxid, historyHash);
      if ((mayCount(node) && held(node.log)) || node.lostLogs.some(held)) count += 1;
    }
    return count;
  }

  private holds(log: LogMirror, zxid: Zxid, historyHash: number): boolean {
    const own = log.hashAt(zxid);
    if (own !== undefined) return own === historyHash;
    // Below the log's base the history came with a snapshot or was flushed to the tree: it counts if it is the committed one.
    return zxid < log.base && this.ledger.hashAt(zxid) === historyHash;
  }
}

/** A checker of the ensemble implements what it needs. Called when the thing has happened, before anyone else acts. */
export interface EnsembleChecker {
  /** The process is up and has opened its disk; the log mirror is what the disk holds. */
  booted?(node: NodeView): void;
  /** Before the batch enters the mirror. */
  appending?(node: NodeView, batch: Batch): void;
  /** Before the mirror is cut. */
  truncating?(node: NodeView, to: Zxid): void;
  /** Before the mirror is replaced. */
  installing?(node: NodeView, zxid: Zxid): void;
  /** The record is durable; `previous` was there before. */
  persisted?(node: NodeView, previous: EpochRecord): void;
  /** `link` names the sender's end of the connection within one boot of it. */
  sent?(from: NodeView, to: NodeView, link: number, message: PeerMessage): void;
  /** An election datagram, before the network has its way with it. */
  voted?(from: NodeView, message: ElectionMessage): void;
  roleChanged?(node: NodeView): void;
  /** The tree has applied more; `previous` was applied before. */
  applied?(node: NodeView, previous: Zxid): void;
  diskLost?(node: NodeView): void;
}
