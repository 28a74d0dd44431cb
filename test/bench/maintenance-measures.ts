// Puts while history is compacted and while files are defragmented, beside the same puts without either: how much slower
// they get, and whether anything stands still.

import type { ApiMeasure } from './etcd-api-measures.js';
import { type ApiSettings, type LoopOutput, run } from './etcd-load-run.js';
import { diskMegabytes, type Subject } from './subject.js';

const keys = 100_000;

/** The store is empty before. */
export async function measureMaintenance(
  subject: Subject,
  settings: ApiSettings,
  note: (name: ApiMeasure, value: number) => void,
): Promise<void> {
  const { duration, revisionSeconds, tell, warmup } = settings;
  const put = async (args: readonly string[]): Promise<LoopOutput> => {
    const common = ['-operation', 'put', '-prefix', 'compaction/', '-keys', String(keys), '-timeout', '30s'];
    const output = await run<LoopOutput>(subject, settings, [...common, ...args]);
    if (output.errors > 0) tell(`${subject.name}: ${output.errors} errors, the first: ${output.firstError}`);
    return output;
  };
  const few = ['-connections', '20', '-in-flight', '100', '-warmup', `${warmup}s`, '-duration', `${duration}s`];
  const disk = (): number => Math.max(...subject.dataDirectories().map(diskMegabytes));

  await put(['-connections', '100', '-in-flight', '1000', '-warmup', '0s', '-duration', `${revisionSeconds}s`]);
  const plain = await put(few);
  note('compactionPlain', plain.perSecond);
  note('compactionPlainGap', plain.longestGapMs);
  note('compactionPlainErrors', plain.errors);
  note('compactionDisk', disk());

  const compacted = await put([...few, '-during', 'compact']);
  note('compactionPuts', compacted.perSecond);
  note('compactionGap', compacted.longestGapMs);
  note('compactionErrors', compacted.errors);
  note('compactionSeconds', compacted.maintenanceSeconds ?? 0);

  const defragmented = await put([...few, '-during', 'defragment']);
  note('compactionDefragmentPuts', defragmented.perSecond);
  note('compactionDefragmentGap', defragmented.longestGapMs);
  note('compactionDefragmentErrors', defragmented.errors);
  note('compactionDefragmentSeconds', defragmented.maintenanceSeconds ?? 0);
  note('compactionDiskAfter', disk());
}
