// Watches a whole test cluster from outside: who led, what was proposed, what was committed. Fails at the first step that
// breaks an invariant; the numbers are those of src/zab/SPEC.md.

import { assert } from '../../src/shared/assert.js';
import { type Epoch, epochOf, formatZxid, type ServerId, type Zxid, zxidZero } from '../../src/shared/ids.js';
import { checkSoleLeader, establishedEpoch } from '../../src/zab/invariants.js';
import type { Batch } from '../../src/zab/messages.js';
import type { ZabState } from '../../src/zab/zab.js';
import type { ClusterDisk } from './cluster-disk.js';

export class Ledger {
  private readonly leaders = new Map<Epoch, ServerId>();
  private readonly established = new Set<string>();
  private readonly proposed = new Map<Zxid, Batch>();
  /** Everything that any node has delivered, in order. */
  readonly committed: Batch[] = [];
  private readonly requests = new Map<string, Zxid>();

  get committedZxid(): Zxid {
    return this.committed.at(-1)?.last ?? zxidZero;
  }

  propose(batch: Batch): void {
    assert(!this.proposed.has(batch.last), `9: ${formatZxid(batch.last)} was proposed twice`);
    this.proposed.set(batch.last, batch);
  }

  /** A batch that was on a disk from the beginning. */
  found(batch: Batch): void {
    this.proposed.set(batch.last, batch);
  }

  append(batch: Batch): void {
    const known = this.proposed.get(batch.last);
    assert(
      known?.first === batch.first && known.body === batch.body,
      `9: ${formatZxid(batch.last)} is not what was proposed`,
    );
  }

  /** 11, 12, 13: every node delivers the same batches in the same order. `from`: how many it had delivered before. */
  deliver(node: ServerId, from: number, fresh: readonly Batch[]): void {
    fresh.forEach((batch, index) => {
      const known = this.committed[from + index];
      if (known === undefined) this.committed.push(batch);
      else
        assert(
          known.last === batch.last && known.body === batch.body,
          `11: ${node} delivers ${formatZxid(batch.last)} where ${formatZxid(known.last)} was`,
        );
    });
  }

  /** 16: what a leader commits is durable on a quorum, or was: a disk may be lost while its acknowledgment travels. */
  commit(zxid: Zxid, nodes: readonly { readonly disk: ClusterDisk; readonly lost: readonly ClusterDisk[] }[]): void {
    const holders = nodes.filter(({ disk, lost }) => [disk, ...lost].some((each) => each.holdsDurably(zxid))).length;
    assert(
      holders * 2 > nodes.length,
      `16: ${formatZxid(zxid)} is committed and durable on ${holders} of ${nodes.length}`,
    );
  }

  /** 17: what anyone delivered is never truncated where it was durable. */
  truncate(disk: ClusterDisk, to: Zxid): void {
    const lost = this.committed.find(({ last }) => last > to && disk.log.some((batch) => batch.last === last));
    assert(lost === undefined, `17: committed ${formatZxid(lost?.last ?? zxidZero)} is truncated`);
  }

  /** 1, and 15 at the moment when a leader is established; whoever serves began with the same restored tree, if any. */
  observe(state: ZabState, disk: ClusterDisk): void {
    checkSoleLeader(this.leaders, state);
    this.observeRestored(state, disk);
    const epoch = establishedEpoch(state);
    if (epoch === undefined || this.established.has(`${state.self}/${epoch}`)) return;
    this.established.add(`${state.self}/${epoch}`);
    for (const { last } of this.committed) {
      if (epochOf(last) >= epoch) break;
      const held = disk.applied.some((batch) => batch.last === last) || disk.log.some((batch) => batch.last === last);
      assert(held, `15: ${state.self} leads epoch ${epoch} without committed ${formatZxid(last)}`);
    }
  }

  private observeRestored(state: ZabState, disk: ClusterDisk): void {
    const { role } = state;
    const serves = role.role === 'leading' ? role.phase === 'established' : role.role === 'following' && role.serving;
    if (!serves) return;
    const { restored } = disk;
    if (restored !== undefined) this.deliver(state.self, 0, [restored]);
    const first = this.committed[0];
    assert(
      first === undefined || epochOf(first.last) > 0 || restored !== undefined,
      `11: ${state.self} serves without what was restored`,
    );
  }

  /** A confirmation of leadership covers everything committed anywhere before it was asked for. */
  request(node: ServerId, request: number): void {
    this.requests.set(`${node}/${request}`, this.committedZxid);
  }

  confirm(node: ServerId, request: number, committed: Zxid): void {
    for (const [key, zxid] of this.requests) {
      const [asked, number] = key.split('/').map(Number);
      if (asked !== node || (number ?? 0) > request) continue;
      assert(
        committed >= zxid,
        `26: ${node} confirms ${formatZxid(committed)} as latest after ${formatZxid(zxid)} was committed`,
      );
      this.requests.delete(key);
    }
  }

  /** Requests of a node that lost leadership are forgotten. */
  forget(node: ServerId): void {
    for (const key of this.requests.keys()) if (key.startsWith(`${node}/`)) this.requests.delete(key);
  }
}
