// A write that failed and is taken for done.

import type { OpenFile } from '../../../src/storage/file-system.js';
import { type Mutation, replace, wrap } from '../mutation.js';

export const ioErrorIgnored: Mutation = {
  id: 'zk-4882-io-error-ignored',
  source: 'ZooKeeper: ZOOKEEPER-4882, 3701',
  broken:
    'An error of a write to the log is ignored: what it should have written is reported durable, and leaves a hole.',
  leaves: [
    replace<typeof import('../../../src/storage/log-segment.js')>('storage/log-segment', ({ LogSegment }) => ({
      LogSegment: class extends LogSegment {
        constructor(...given: ConstructorParameters<typeof LogSegment>) {
          super(...given);
          Object.assign(this, { handle: deafTo(this.handle) });
        }
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['diskError', 'crash', 'machineDown'],
  noticedBy: [
    'a disk keeps what it synced',
    'any crash point restarts',
    'no word after a failed write',
    'durable before acknowledged',
  ],
};

function deafTo(handle: OpenFile): OpenFile {
  return wrap(handle, {
    write: (bytes, position, done) => handle.write(bytes, position, () => done(null, bytes.length)),
    writev: (pieces, position, done) =>
      handle.writev(pieces, position, () =>
        done(
          null,
          pieces.reduce((sum, piece) => sum + piece.length, 0),
        ),
      ),
    writeSync: (bytes, start, position) => {
      try {
        return handle.writeSync(bytes, start, position);
      } catch {
        return bytes.length - start;
      }
    },
  });
}
