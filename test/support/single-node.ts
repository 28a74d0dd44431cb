// A node of an ensemble of one, for tests of services and front ends: the real tree over the in-memory store, and a
// leader that commits at the end of the turn. Tests can hold commits and read points back; it has no log and no peers.

import { limits } from '../../src/config/limits.js';
import type { EnsembleNode, NodeStatus } from '../../src/ensemble/ensemble-node.js';
import { NodeScheduler } from '../../src/server/node-scheduler.js';
import type { Bytes } from '../../src/shared/bytes.js';
import { StoreError } from '../../src/shared/errors.js';
import {
  type EnsembleId,
  type Epoch,
  type ServerId,
  toEpoch,
  toServerId,
  type Zxid,
  zxidOf,
} from '../../src/shared/ids.js';
import { MemoryTreeDisk } from '../../src/storage/memory-tree-store.js';
import type { CommandEnvelope, CommandResult } from '../../src/tree/command.js';
import type { DigestResult } from '../../src/tree/replicated-tree.js';
import { Tree } from '../../src/tree/tree.js';

export class SingleNode implements EnsembleNode {
  readonly scheduler = new NodeScheduler();
  readonly tree: Tree;
  readonly disk = new MemoryTreeDisk({ scheduler: this.scheduler });
  serving = true;
  /** While true, nothing commits and no read point is confirmed. */
  private holding = false;
  private held: (() => void)[] = [];
  private counter = 0;
  private readonly listeners = new Set<(payload: Bytes) => void>();
  /** Read points asked for so far. */
  barriers = 0;

  constructor(options: { readonly overlayFlushBytes?: number } = {}) {
    this.tree = new Tree(this.disk.open('tree'), {
      ...limits,
      overlayFlushBytes: options.overlayFlushBytes ?? limits.overlayFlushBytes,
      defer: (task) => this.scheduler.defer(task),
    });
  }

  /** Lets nothing commit and confirms no read point until release(). */
  hold(): void {
    this.holding = true;
  }

  release(): void {
    this.holding = false;
    const { held } = this;
    this.held = [];
    for (const task of held) task();
  }

  submit(envelope: CommandEnvelope, _deadlineMs: number, done: (result: CommandResult) => void): void {
    if (!this.serving) {
      done({ code: 'NO_QUORUM', message: 'no leader', revision: this.tree.revision, zxid: this.tree.appliedZxid });
      return;
    }
    this.later(() => {
      const execution = this.tree.execute(envelope, zxidOf(toEpoch(1), this.counter + 1));
      if (execution.type === 'staged') this.counter++;
      this.tree.commitStaged(this.tree.stagedZxid);
      this.tree.flush({ force: false });
      done(execution.result);
    });
  }

  readBarrier(_deadlineMs: number, done: (error: StoreError | null) => void): void {
    this.barriers++;
    if (this.serving) this.later(() => done(null));
    else done(new StoreError('NO_QUORUM', 'no leader'));
  }

  waitApplied(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void {
    const look = (): void => {
      if (this.tree.appliedZxid >= zxid) done(null);
      else if (this.scheduler.nowMs() >= deadlineMs) done(new StoreError('TIMEOUT', 'not applied in time'));
      else this.scheduler.after(1, look);
    };
    look();
  }

  broadcast(payload: Bytes, _deadlineMs: number, done: (error: StoreError | null) => void): void {
    for (const listener of this.listeners) listener(payload);
    done(null);
  }

  onBroadcast(listener: (payload: Bytes) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  get broadcastListeners(): number {
    return this.listeners.size;
  }

  get epoch(): Epoch {
    return toEpoch(1);
  }

  status(): NodeStatus {
    return {
      id: nodeId,
      ensembleId: '0123456789abcdef0123456789abcdef' as EnsembleId,
      role: 'leading',
      epoch: this.epoch,
      leader: nodeId,
      serving: this.serving,
      zxid: this.tree.appliedZxid,
      revision: this.tree.revision,
      compactedRevision: this.tree.compactedRevision,
      members: [
        { id: nodeId, electionAddr: '127.0.0.1:5001', messageAddr: '127.0.0.1:5002', requestAddr: '127.0.0.1:5003' },
      ],
    };
  }

  digestAll(
    _deadlineMs: number,
    done: (error: StoreError | null, results: readonly (DigestResult & { readonly id: ServerId })[]) => void,
  ): void {
    this.tree.digest((error, result) => {
      if (error !== null || result === null) done(new StoreError('INTERNAL', 'the digest failed'), []);
      else done(null, [{ ...result, id: nodeId }]);
    });
  }

  /** Runs the task at the end of the turn, or when released. */
  private later(task: () => void): void {
    this.scheduler.defer(() => {
      if (this.holding) this.held.push(task);
      else task();
    });
  }
}

const nodeId = toServerId(7_000_000_000_001);
