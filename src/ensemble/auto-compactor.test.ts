// History that compacts itself on three whole nodes on virtual time.

import { describe, expect, test } from 'vitest';
import { ThreeVirtualNodes } from '../../test/harness/three-virtual-nodes.js';
import type { Command } from '../tree/command.js';

const periodMs = 3_000;
const put: Command = { type: 'set', key: new Uint8Array([1]), value: new Uint8Array([2]) };

/** Notes when each revision came, and how old the history was that each compaction took. */
class Historians extends ThreeVirtualNodes {
  readonly agesMs: number[] = [];
  private readonly bornMs = new Map<number, number>();
  private compacted = 0;

  /** Writes all the time. */
  async write(durationMs: number): Promise<void> {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs; await this.pass(100)) {
      const { revision, code } = await this.submit(this.leader ?? this.follower, put);
      if (code === 'OK') this.bornMs.set(revision, this.nowMs);
      const newest = Math.max(...this.nodes.map((node) => node.ensemble?.tree.compactedRevision ?? 0));
      if (newest > this.compacted) this.agesMs.push(this.nowMs - (this.bornMs.get(newest + 1) ?? this.nowMs));
      this.compacted = newest;
    }
  }
}

describe('automatic compaction on three nodes', () => {
  test('goes on under a new leader and begins anew after a restart of all, never too early', async () => {
    const three = new Historians(5, { autoCompaction: { type: 'period', periodMs } });
    for (const node of three.nodes) node.boot();
    await three.led();
    await three.write(periodMs - 500);
    expect(three.agesMs).toEqual([]);
    await three.write(2 * periodMs + 1_000);
    expect(three.agesMs).toHaveLength(3);
    const { leader } = three;
    leader?.crash('process');
    await three.until(() => leader?.down === true);
    await three.led();
    await three.write(1_000 + periodMs);
    const before = three.agesMs.length;
    expect(before).toBeGreaterThan(3);
    for (const node of three.nodes) if (!node.down) node.crash('process');
    await three.until(() => three.nodes.every(({ down }) => down));
    for (const node of three.nodes) node.boot();
    await three.led();
    await three.write(periodMs - 500);
    expect(three.agesMs).toHaveLength(before);
    await three.write(1_000);
    expect(three.agesMs).toHaveLength(before + 1);
    for (const ageMs of three.agesMs) expect(ageMs).toBeGreaterThanOrEqual(periodMs - 200);
  });
});
