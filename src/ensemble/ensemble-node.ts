// One node of one Zab group as the services see it. The class in ensemble.ts implements it; services, and tests of front
// ends, depend on this alone.

import type { Bytes } from '../shared/bytes.js';
import type { StoreError } from '../shared/errors.js';
import type { EnsembleId, Epoch, Revision, ServerId, Zxid } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { DigestResult, ReplicatedTree } from '../tree/replicated-tree.js';
import type { Role } from '../zab/messages.js';

/** Addresses of one member as its configuration states them, `host:port`. */
export interface MemberAddresses {
  readonly id: ServerId;
  readonly electionAddr: string;
  readonly messageAddr: string;
  /** Learned from the member's handshake; undefined until then. The own one is always known. */
  readonly requestAddr: string | undefined;
}

export interface NodeStatus {
  readonly id: ServerId;
  readonly ensembleId: EnsembleId | null;
  readonly role: Role;
  readonly epoch: Epoch;
  readonly leader: ServerId | null;
  /** True while it may answer writes and linearizable reads. */
  readonly serving: boolean;
  /** Last applied. */
  readonly zxid: Zxid;
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  readonly members: readonly MemberAddresses[];
}

export interface EnsembleNode {
  readonly tree: ReplicatedTree;
  /** As in `status()`, for every answer. */
  readonly epoch: Epoch;

  /**
   * Executes a command exactly once through whoever leads; `done` is called once, when this very node has applied it
   * (so that its client reads its own write), or with a failure code: NO_QUORUM and OVERLOADED and NO_SPACE (nothing
   * happened), TIMEOUT and OUTCOME_UNKNOWN (it may have). Deadline in Scheduler.nowMs() time.
   */
  submit(envelope: CommandEnvelope, deadlineMs: number, done: (result: CommandResult) => void): void;

  /**
   * Calls back when this node's tree has applied everything that was committed anywhere when this was called
   * (linearizable read point). Reads of one turn share one confirmation. Error: NO_QUORUM or TIMEOUT.
   */
  readBarrier(deadlineMs: number, done: (error: StoreError | null) => void): void;

  /** Calls back when this node has applied `zxid`. Error: TIMEOUT. */
  waitApplied(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void;

  /** Sends an ephemeral message to the broadcast listeners of every reachable node. Nothing is stored. */
  broadcast(payload: Bytes, deadlineMs: number, done: (error: StoreError | null) => void): void;
  onBroadcast(listener: (payload: Bytes) => void): () => void;

  status(): NodeStatus;

  /** Compares all reachable nodes at one checkpoint entry. Proposes one entry. */
  digestAll(
    deadlineMs: number,
    done: (error: StoreError | null, results: readonly (DigestResult & { readonly id: ServerId })[]) => void,
  ): void;
}
