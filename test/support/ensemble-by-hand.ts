// An ensemble made by hand for the checkers' tests: what its disks hold and what it says, without running anything.

import {
  type ClientId,
  type EnsembleId,
  type Revision,
  toEpoch,
  toServerId,
  type Zxid,
  zxidOf,
} from '../../src/shared/ids.js';
import { bytesOf } from '../../src/simulator/byte-text.js';
import { type EnsembleChecker, EnsembleView, type NodeView } from '../../src/simulator/checkers/ensemble-view.js';
import type { Operation } from '../../src/tree/delta.js';
import { encodeBatch } from '../../src/wire/batch-codec.js';
import type { EpochRecord } from '../../src/zab/effects.js';
import type { Batch } from '../../src/zab/messages.js';

export const ensembleId = '0123456789abcdef0123456789abcdef' as EnsembleId;

export function newView(): { view: EnsembleView; nodes: readonly [NodeView, NodeView, NodeView] } {
  const view = new EnsembleView([11, 12, 13].map(toServerId));
  return { view, nodes: [view.node(0), view.node(1), view.node(2)] };
}

export function at(epoch: number, counter: number): Zxid {
  return zxidOf(toEpoch(epoch), counter);
}

/** A batch of one entry that puts `value` at the key `k`, as request `request` of client 7. */
export function put(zxid: Zxid, revision: number, value = 'v', request = revision): Batch {
  const operations: Operation[] = [
    {
      type: 'put',
      space: 1,
      key: bytesOf('k'),
      value: bytesOf(value),
      createRevision: 2 as Revision,
      version: revision - 1,
      lease: 0n,
    },
    { type: 'remember', client: 7 as ClientId, request, acknowledgedBelow: 1, code: 'OK' },
  ];
  const body = encodeBatch(zxid, [{ zxid, revision: revision as Revision, operations }]);
  return { first: zxid, last: zxid, body };
}

export function log(checker: EnsembleChecker, node: NodeView, batch: Batch, durable = true): void {
  checker.appending?.(node, batch);
  node.log.append(batch);
  if (durable) node.log.durable = batch.last;
}

/** Makes the batches committed: on every node's disk, and in the ledger. */
export function commit(view: EnsembleView, ...batches: Batch[]): void {
  for (const batch of batches) {
    for (const node of view.nodes) {
      node.log.append(batch);
      node.log.durable = batch.last;
    }
    for (const mirrored of view.node(0).log.between(view.ledger.last, batch.last)) view.ledger.append(mirrored);
  }
}

export function apply(checker: EnsembleChecker, node: NodeView, zxid: Zxid): void {
  const previous = node.applied;
  node.applied = zxid;
  checker.applied?.(node, previous);
}

export function write(checker: EnsembleChecker, node: NodeView, record: Partial<EpochRecord>): void {
  const previous = node.record;
  node.record = { ...previous, ensembleId, ...record };
  checker.persisted?.(node, previous);
}

export function serve(
  checker: EnsembleChecker,
  node: NodeView,
  role: 'leading' | 'following',
  epoch: number,
  leader: NodeView,
): void {
  node.role = role;
  node.serving = true;
  node.epoch = toEpoch(epoch);
  node.leader = leader.serverId;
  checker.roleChanged?.(node);
}

export function invariants(view: EnsembleView): string[] {
  return view.violations.map(({ invariant }) => invariant);
}
