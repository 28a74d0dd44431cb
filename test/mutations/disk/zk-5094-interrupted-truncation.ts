// A truncation that a crash leaves half done.

import path from 'node:path';
import { fillZeros, removeDurably } from '../../../src/storage/durable-files.js';
import type { FileSystem } from '../../../src/storage/file-system.js';
import { type Mutation, replace } from '../mutation.js';

export const interruptedTruncation: Mutation = {
  id: 'zk-5094-interrupted-truncation',
  source: 'ZooKeeper: ZOOKEEPER-5094',
  broken:
    'A truncation removes segments oldest first and leaves no mark, so a crash in the middle leaves a hole for ever.',
  leaves: [
    replace<typeof import('../../../src/storage/log-truncation.js')>('storage/log-truncation', ({ segmentAt }) => ({
      writeTruncationMark: async () => {},
      removeFromPosition: async (files, segments, position) => {
        const target = segmentAt(segments, position);
        if (target === undefined) throw new Error(`No segment holds position ${position}`);
        await fillZeros(files, target.file, { from: position - target.startPosition, to: target.end });
        for (const segment of segments) {
          if (segment.startPosition <= target.startPosition) continue;
          await removeDurably(files, segment.file);
          await takeTime(files, segment.file);
        }
      },
    })),
  ],
  // Tails of several small segments, disks that take their time, and machines that go down meanwhile.
  plan: (plan) => ({
    ...plan,
    faultEveryMs: 400,
    clients: 4,
    client: { ...plan.client, lanes: 3, thinkMs: 10, valueBytesMax: 400 },
    disk: { ...plan.disk, delayMinMs: 5, delayJitterMs: 15 },
    limits: { ...plan.limits, logSegmentBytes: 300, batchEntriesMax: 1, batchesInFlightMax: 4 },
  }),
  nodes: 3,
  seconds: 8,
  faults: ['isolateLeader', 'machineDown'],
  noticedBy: ['any crash point restarts'],
};

/** A truncation is short, and a crash seldom hits it: this makes it longer. */
async function takeTime(files: FileSystem, file: string): Promise<void> {
  for (let i = 0; i < 30; i++) await files.syncDirectory(path.dirname(file));
}
