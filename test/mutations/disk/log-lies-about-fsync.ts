// A log that says durable too early.

import type { NodeStorage } from '../../../src/ensemble/ports.js';
import { type Mutation, wrap } from '../mutation.js';

export const logLiesAboutFsync: Mutation = {
  id: 'log-lies-about-fsync',
  source: 'zabtree',
  broken: 'The log reports entries as durable before they are.',
  storage: (storage, scheduler) => lyingLog(storage, (task) => scheduler.after(0.01, task)),
  nodes: 3,
  seconds: 4,
  noticedBy: ['durable before acknowledged', 'applied is durable here'],
};

function lyingLog(storage: NodeStorage, soon: (task: () => void) => void): NodeStorage {
  let report: (through: NodeStorage['log']['last']) => void = () => {};
  return wrap(storage, {
    start: (handler) => {
      report = (through) => handler.durable(through);
      // What really became durable is told too late to matter.
      storage.start({
        ...handler,
        durable: () => {},
        failed: (error) => handler.failed(error),
        pressure: (full) => handler.pressure(full),
      });
    },
    get log() {
      const { log } = storage;
      return wrap(log, {
        append: (batch) => {
          log.append(batch);
          soon(() => report(batch.last));
        },
      });
    },
  });
}
