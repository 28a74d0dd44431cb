// Epochs written over what was there.

import type { OpenFile } from '../../../src/storage/file-system.js';
import { type Mutation, replace } from '../mutation.js';

export const epochFileInPlace: Mutation = {
  id: 'zk-2307-epoch-file-in-place',
  source: 'ZooKeeper: ZOOKEEPER-2307, 1653, 4269',
  broken: 'The file with the epochs is written in place, so a crash leaves one that no boot can read.',
  leaves: [
    replace<typeof import('../../../src/storage/durable-files.js')>('storage/durable-files', () => ({
      replaceFile: async (files, file, contents) => {
        const handle = await files.open(file, 'replace');
        await written(handle, Buffer.from(contents));
        await handle.sync();
        await handle.close();
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['crash', 'machineDown', 'crashAtStep', 'crashLoop'],
  noticedBy: ['any crash point restarts'],
};

function written(handle: OpenFile, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    handle.write(bytes, 0, (error) => (error === null ? resolve() : reject(error)));
  });
}
