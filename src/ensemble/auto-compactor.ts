// Compacts history as the configuration says, by commands like those of clients. When and how far is decided in
// compaction-schedule.ts.

import type { AutoCompactionConfig } from '../config/node-config.js';
import type { Command, CommandResult } from '../tree/command.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import { CompactionSchedule } from './compaction-schedule.js';
import type { EnsembleLog } from './ports.js';

export interface AutoCompactorOptions {
  /** Undefined: nothing is compacted. */
  readonly policy: AutoCompactionConfig | undefined;
  readonly tree: Pick<ReplicatedTree, 'revision' | 'compactedRevision'>;
  /** This node leads and serves. */
  leads(): boolean;
  submit(command: Command, done: (code: CommandResult['code']) => void): void;
  readonly log: Pick<EnsembleLog, 'info' | 'warn'>;
}

export class AutoCompactor {
  private readonly options: AutoCompactorOptions;
  private readonly schedule: CompactionSchedule | undefined;

  constructor(options: AutoCompactorOptions) {
    this.options = options;
    this.schedule = options.policy === undefined ? undefined : new CompactionSchedule(options.policy);
  }

  tick(nowMs: number): void {
    const { schedule, options } = this;
    if (schedule === undefined) return;
    const { revision, compactedRevision } = options.tree;
    const target = schedule.look({ nowMs, revision, compactedRevision, leads: options.leads() });
    if (target === null) return;
    options.log.info('compacting history', { revision: target });
    options.submit({ type: 'compact', revision: target }, (code) => {
      // A client may have gone further meanwhile.
      const compacted = code === 'OK' || code === 'COMPACTED';
      if (!compacted) options.log.warn('history was not compacted and will be later', { revision: target, code });
      schedule.ended(compacted);
    });
  }
}
