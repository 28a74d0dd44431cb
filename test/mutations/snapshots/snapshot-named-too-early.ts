// A manifest that names what is not on the disk.

import { type Mutation, replace, wrap } from '../mutation.js';
import { littleLog } from './little-log.js';

export const snapshotNamedTooEarly: Mutation = {
  id: 'snapshot-named-too-early',
  source: 'zabtree',
  broken:
    'The manifest names the tree and the log of a snapshot before their files are durable: with the power they go.',
  leaves: [
    replace<typeof import('../../../src/storage/snapshot-installation.js')>(
      'storage/snapshot-installation',
      ({ SnapshotInstallation }) => ({
        SnapshotInstallation: class extends SnapshotInstallation {
          constructor(options: ConstructorParameters<typeof SnapshotInstallation>[0]) {
            const { runtime } = options;
            const files = wrap(runtime.files, { syncDirectory: async () => {} });
            super({ ...options, runtime: wrap(runtime, { files }) });
          }
        },
      }),
    ),
  ],
  plan: littleLog,
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'partition', 'machineDown', 'crashAll'],
  noticedBy: ['any crash point restarts', 'a disk keeps what it synced'],
};
