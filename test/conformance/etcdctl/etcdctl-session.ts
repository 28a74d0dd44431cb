// Commands of etcdctl against one cluster, with everything that they print, as lines that are the same for two clusters
// that behave alike: names, ids, times and sizes that differ by nature are masked.

import { type ChildProcess, spawn } from 'node:child_process';
import { until } from '../../../src/cli/local-ensemble/until.js';

export interface Cluster {
  /** `host:port` of every member. */
  readonly endpoints: readonly string[];
  /** A directory for files that commands write. */
  readonly directory: string;
}

export interface StepOptions {
  readonly input?: string;
  /** Asks all members instead of the first one. */
  readonly everywhere?: boolean;
  /** What else differs by nature. Matches become `…`. */
  readonly mask?: readonly RegExp[];
  /** Lines come in an order that means nothing. */
  readonly sorted?: boolean;
  /** So does how often each comes. */
  readonly distinct?: boolean;
  /** Only what this matches counts. */
  readonly pick?: RegExp;
  readonly timeoutMs?: number;
}

/** A command that runs until it is told to stop. */
export interface RunningStep {
  /** Waits until so many lines have come. */
  lines(count: number): Promise<void>;
  /** Interrupts it and takes what it printed. */
  stop(): Promise<void>;
}

const commandTimeoutMs = 60_000;
const patienceMs = 30_000;

export class EtcdctlSession {
  readonly cluster: Cluster;
  /** What was run and printed, masked. */
  readonly transcript: string[] = [];
  private readonly running = new Set<ChildProcess>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Runs one command to its end. The words are those behind `etcdctl`; gives what it printed on standard output. */
  async run(words: readonly string[], options: StepOptions = {}): Promise<string> {
    const child = this.spawn(words, options);
    const output = collect(child);
    child.stdin?.end(options.input ?? '');
    const { code, signal } = await ended(child);
    this.running.delete(child);
    if (signal !== null) throw new Error(`etcdctl ${words.join(' ')} did not end in time: ${output.all()}`);
    this.transcript.push(`$ etcdctl ${this.shown(words.join(' '), options)}`);
    this.take(output, options);
    this.transcript.push(`[${code}]`);
    return output.stdout;
  }

  /** Begins a command that ends when it is told to. */
  begin(words: readonly string[], options: StepOptions = {}): RunningStep {
    const child = this.spawn(words, { ...options, timeoutMs: commandTimeoutMs * 2 });
    const output = collect(child);
    const end = ended(child);
    child.stdin?.end(options.input ?? '');
    return {
      lines: async (count) => {
        await until(`${count} lines of etcdctl ${words.join(' ')}`, { timeoutMs: patienceMs }, () => {
          if (child.exitCode !== null) throw new Error(`etcdctl ${words.join(' ')} ended: ${output.all()}`);
          return output.stdout.split('\n').length > count || undefined;
        });
      },
      stop: async () => {
        child.kill('SIGINT');
        await end;
        this.running.delete(child);
        this.transcript.push(`$ etcdctl ${words.join(' ')} (until it was interrupted)`);
        this.take(output, options);
      },
    };
  }

  /** Ends what still runs. */
  close(): void {
    for (const child of this.running) child.kill('SIGKILL');
  }

  private spawn(words: readonly string[], { everywhere = false, timeoutMs }: StepOptions): ChildProcess {
    const { endpoints } = this.cluster;
    const child = spawn('etcdctl', [...words], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs ?? commandTimeoutMs,
      killSignal: 'SIGKILL',
      env: {
        ...process.env,
        ETCDCTL_API: '3',
        // Its own five seconds are not always enough on a busy machine.
        ETCDCTL_COMMAND_TIMEOUT: `${patienceMs}ms`,
        ETCDCTL_ENDPOINTS: (everywhere ? endpoints : endpoints.slice(0, 1)).join(','),
      },
    });
    child.stdin.on('error', () => undefined);
    this.running.add(child);
    return child;
  }

  private take(output: Output, options: StepOptions): void {
    const { sorted = false, distinct = false, pick } = options;
    const said = [...linesOf(output.stdout), ...linesOf(output.stderr).filter(isSaid)];
    const picked = pick === undefined ? said : said.flatMap((line) => line.match(pick) ?? []);
    const lines = picked.map((line) => this.shown(line, options));
    if (sorted) lines.sort();
    this.transcript.push(...(distinct ? new Set(lines) : lines));
    while (this.transcript.at(-1) === '') this.transcript.pop();
  }

  private shown(line: string, { mask = [] }: StepOptions): string {
    return mask.reduce((text, pattern) => text.replaceAll(pattern, '…'), this.masked(line));
  }

  private masked(line: string): string {
    let text = line.replaceAll(this.cluster.directory, 'DIRECTORY');
    for (const endpoint of this.cluster.endpoints) text = text.replaceAll(endpoint, 'ENDPOINT');
    // In no order: etcd keeps them in a map.
    text = text.replace(/attached keys\(\[(.*)\]\)/, (_, keys: string) => {
      return `attached keys([${keys.split(' ').sort().join(' ')}])`;
    });
    return alwaysMasked.reduce((masked, [pattern, name]) => masked.replaceAll(pattern, name), text);
  }
}

/** What no two clusters have in common. */
const alwaysMasked: readonly (readonly [RegExp, string])[] = [
  [/127\.0\.0\.1:\d+/g, 'PEER'],
  [
    /"(cluster_id|member_id|raft_term|ID|leader|raftIndex|raftTerm|raftAppliedIndex|dbSize|dbSizeInUse)":\d+/g,
    '"$1":N',
  ],
  [/"(ClusterID|MemberID|RaftTerm|Leader|RaftIndex|RaftAppliedIndex|DBSize|ID)" : \d+/g, '"$1" : N'],
  // Ids that the server has drawn; the tests' own begin with zeros.
  [/\b(?!0000)[0-9a-f]{11,16}\b/g, 'ID'],
  [/"(hash|Hash)":\d+/g, '"$1":N'],
  [/\btook = [^\s]+/g, 'took = T'],
  [/\b\d+(\.\d+)? (B|kB|MB|GB)\b/g, 'SIZE'],
  [/\b3\.\d+\.\d+\b/g, 'VERSION'],
];

interface Output {
  stdout: string;
  stderr: string;
  all(): string;
}

function collect(child: ChildProcess): Output {
  const output: Output = { stdout: '', stderr: '', all: () => output.stdout + output.stderr };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return output;
}

function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

/** As they stand in the end: a carriage return takes a line back. */
function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.slice(line.lastIndexOf('\r') + 1));
}

/** The client's own log is of times and addresses. */
function isSaid(line: string): boolean {
  return !line.startsWith('{"level":');
}
