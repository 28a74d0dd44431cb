// The measurements of one round on one subject, in the order in which they are taken. Each returns plain numbers; nothing
// is judged here.

import { runCommand } from './run-command.js';
import { anonymousMegabytes, diskMegabytes, median, type Subject } from './subject.js';

export interface CompareSettings {
  /** Seconds of each throughput measurement, and before it. */
  readonly durationSeconds: number;
  readonly warmupSeconds: number;
  /** Keys preloaded for overwrites, reads, memory, disk and restart. */
  readonly keys: number;
  readonly leaderKills: number;
}

/** Name of a measure -> value of one round. Absent where the subject cannot be measured. */
export type RoundNumbers = Partial<Record<MeasureName, number>>;

export const measures = {
  sequential1000: { title: 'sequential inserts, 1000 outstanding', unit: 'writes/s', better: 'more' },
  sequential1: { title: 'sequential inserts, 1 outstanding', unit: 'writes/s', better: 'more' },
  random1000: { title: 'random overwrites, 1000 outstanding', unit: 'writes/s', better: 'more' },
  localReads100: { title: 'local reads, 100 outstanding', unit: 'reads/s', better: 'more' },
  memory: { title: 'anonymous memory a node, preloaded', unit: 'MB', better: 'less' },
  disk: { title: 'disk a node, preloaded and compacted', unit: 'MB', better: 'less' },
  restart: { title: 'restart of all nodes to the first answer', unit: 'ms', better: 'less' },
  nextWrite: { title: 'next write after kill -9 of the leader', unit: 'ms', better: 'less' },
} as const;

export type MeasureName = keyof typeof measures;

const loadTimeoutMs = 10_000;
/** So short that a request that died with the leader is soon repeated. */
const failoverTimeoutMs = 200;
const failoverSeconds = 6;
const killAfterMs = 2_000;

export async function measureRound(
  subject: Subject,
  settings: CompareSettings,
  tell: (text: string) => void,
): Promise<RoundNumbers> {
  const numbers: RoundNumbers = {};
  const note = (name: MeasureName, value: number): void => {
    numbers[name] = value;
    tell(`${subject.name}: ${measures[name].title}: ${value.toFixed(value < 100 ? 1 : 0)} ${measures[name].unit}`);
  };
  const { durationSeconds, warmupSeconds, keys } = settings;
  const times = { warmupSeconds, durationSeconds, timeoutMs: loadTimeoutMs, impatient: false };

  await subject.startFresh();
  await settleDisk();
  const insert = { operation: 'put', order: 'sequential', keys: undefined, ...times } as const;
  // One outstanding request measures a path, not a machine: it is the shortest one for both, to the leader.
  const nodes = [await subject.leader()];
  note('sequential1', (await subject.load({ ...insert, inFlight: 1, prefix: 'one/', nodes })).perSecond);
  note('sequential1000', (await subject.load({ ...insert, inFlight: 1000, prefix: 'many/' })).perSecond);

  await subject.startFresh();
  await subject.fill('bench/', keys);
  await settleDisk();
  note('memory', median(subject.pids().map(anonymousMegabytes)));
  await subject.compact();
  note('disk', median(subject.dataDirectories().map(diskMegabytes)));
  await subject.killAll();
  note('restart', await subject.restart());
  await settleDisk();
  const read = { operation: 'getLocal', order: 'random', keys, prefix: 'bench/', ...times } as const;
  note('localReads100', (await subject.load({ ...read, inFlight: 100 })).perSecond);
  const overwrite = { operation: 'put', order: 'random', keys, prefix: 'bench/', ...times } as const;
  note('random1000', (await subject.load({ ...overwrite, inFlight: 1000 })).perSecond);

  await subject.startFresh();
  if (settings.leaderKills > 0) note('nextWrite', await failover(subject, settings.leaderKills));
  await subject.close();
  return numbers;
}

/** What was written before (files of the last subject, preallocated logs) must not be paid for by what is measured next. */
async function settleDisk(): Promise<void> {
  await runCommand('sync', []);
}

/** Median, over several kills, of the longest time that one client connected to a survivor waited for a write. */
async function failover(subject: Subject, kills: number): Promise<number> {
  const gaps: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const leader = await subject.leader();
    const survivor = leader === 0 ? 1 : 0;
    const load = subject.load({
      operation: 'put',
      order: 'sequential',
      keys: undefined,
      inFlight: 1,
      warmupSeconds: 0.5,
      durationSeconds: failoverSeconds,
      timeoutMs: failoverTimeoutMs,
      impatient: true,
      nodes: [survivor],
      prefix: `failover-${kill}/`,
    });
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    await subject.kill(leader);
    gaps.push((await load).longestGapMs);
    await subject.restart();
  }
  return median(gaps);
}
