// Measures table layouts for the tree store before one is chosen (docs/decisions/0001, 0007): random overwrites
// of preloaded keys in durable flushes, sequential inserts, reads, compaction. Prints one JSON line per run. Standalone:
// npx tsx test/bench/table-layouts.ts [--keys N] [--layouts moved,single,undo,heads] [--flushes 5000,20000] [--writes N]

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Database, open, type RootDatabase } from 'lmdb';

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    writes: { type: 'string', default: '400000' },
    flushes: { type: 'string', default: '5000,20000,100000' },
    layouts: { type: 'string', default: 'moved,single,undo,heads' },
    directory: { type: 'string', default: tmpdir() },
  },
});

const valueBytes = 256;
const overheadBytes = 24;

/** How a layout writes, reads and compacts. Everything runs inside one transaction unless it reads. */
interface Layout {
  put(key: Buffer, revision: number, record: Buffer): void;
  get(key: Buffer): Buffer | undefined;
  /** Removes what reads at `revision` or later do not need; `rows` history rows from `from` on. */
  compact(from: number, rows: number): void;
}

type Table = Database<Buffer, Buffer>;

function table(root: RootDatabase<Buffer, Buffer>, name: string): Table {
  return root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
}

function revisionBytes(revision: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(revision));
  return bytes;
}

function newestFirst(revision: number): Buffer {
  return revisionBytes(2 ** 52 - revision);
}

const end = Buffer.from([0, 1]);
const nothing = Buffer.alloc(0);

/** current: key -> record; versions: key, revision -> replaced record; history: revision -> key. */
function movedLayout(root: RootDatabase<Buffer, Buffer>): Layout {
  const current = table(root, 'current');
  const versions = table(root, 'versions');
  const history = table(root, 'history');
  return {
    put(key, revision, record) {
      const old = current.getBinary(key);
      if (old !== undefined) versions.put(Buffer.concat([key, end, revisionBytes(revision - 1)]), old);
      current.put(key, record);
      history.put(revisionBytes(revision), key);
    },
    get: (key) => current.getBinary(key),
    compact(from, rows) {
      for (let revision = from; revision < from + rows; revision++) {
        const at = revisionBytes(revision);
        const key = history.getBinary(at);
        if (key === undefined) continue;
        versions.remove(Buffer.concat([key, end, revisionBytes(revision - 1)]));
        history.remove(at);
      }
    },
  };
}

/** rows: key, descending revision -> record, nothing is moved; history: revision -> key. */
function singleLayout(root: RootDatabase<Buffer, Buffer>): Layout {
  const rows = table(root, 'rows');
  const history = table(root, 'history');
  const newest = (prefix: Buffer): { key: Buffer; value: Buffer } | undefined => {
    for (const row of rows.getRange({ start: prefix, limit: 1 })) {
      return row.key.subarray(0, prefix.length).equals(prefix) ? row : undefined;
    }
    return undefined;
  };
  return {
    put(key, revision, record) {
      rows.put(Buffer.concat([key, end, newestFirst(revision)]), record);
      history.put(revisionBytes(revision), key);
    },
    get: (key) => newest(Buffer.concat([key, end]))?.value,
    compact(from, count) {
      for (let revision = from; revision < from + count; revision++) {
        const at = revisionBytes(revision);
        const key = history.getBinary(at);
        if (key === undefined) continue;
        const prefix = Buffer.concat([key, end]);
        const start = Buffer.concat([prefix, newestFirst(revision - 1)]);
        for (const row of [...rows.getKeys({ start, limit: 1 })]) {
          if (row.subarray(0, prefix.length).equals(prefix)) rows.remove(row);
        }
        history.remove(at);
      }
    },
  };
}

/** current: key -> record; undo: revision, key -> replaced record, append-only; index: key, revision -> nothing. */
function undoLayout(root: RootDatabase<Buffer, Buffer>): Layout {
  const current = table(root, 'current');
  const undo = table(root, 'undo');
  const index = table(root, 'index');
  return {
    put(key, revision, record) {
      const old = current.getBinary(key);
      const at = revisionBytes(revision);
      undo.put(Buffer.concat([at, key]), old ?? nothing);
      if (old !== undefined) index.put(Buffer.concat([key, end, at]), nothing);
      current.put(key, record);
    },
    get: (key) => current.getBinary(key),
    compact(from, rows) {
      const range = { start: revisionBytes(from), end: revisionBytes(from + rows) };
      const indexed: Buffer[] = [];
      for (const row of [...undo.getKeys(range)]) {
        indexed.push(Buffer.concat([row.subarray(8), end, row.subarray(0, 8)]));
        undo.remove(row);
      }
      indexed.sort(Buffer.compare);
      for (const row of indexed) index.remove(row);
    },
  };
}

const headBytes = 24;
const revisionLength = 8;

/** heads: key -> where its newest version is, small rows; versions: revision -> key, its previous revision, record. */
function headsLayout(root: RootDatabase<Buffer, Buffer>): Layout {
  const heads = table(root, 'heads');
  const versions = table(root, 'versions');
  return {
    put(key, revision, record) {
      const head = Buffer.alloc(headBytes);
      const old = heads.getBinary(key);
      if (old !== undefined) old.copy(head, revisionLength, 0, revisionLength);
      const at = revisionBytes(revision);
      at.copy(head);
      heads.put(key, head);
      versions.putSync(at, Buffer.concat([head.subarray(revisionLength, 2 * revisionLength), key, record]), {
        append: true,
      });
    },
    get(key) {
      const head = heads.getBinary(key);
      return head === undefined ? undefined : versions.getBinary(head.subarray(0, revisionLength));
    },
    compact(from, rows) {
      const range = { start: revisionBytes(from), end: revisionBytes(from + rows) };
      const replaced: Buffer[] = [];
      for (const { value } of versions.getRange(range)) replaced.push(Buffer.from(value.subarray(0, revisionLength)));
      for (const row of replaced.sort(Buffer.compare)) versions.remove(row);
    },
  };
}

const layouts: Readonly<Record<string, (root: RootDatabase<Buffer, Buffer>) => Layout>> = {
  moved: movedLayout,
  single: singleLayout,
  undo: undoLayout,
  heads: headsLayout,
};

function anonymousMegabytes(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

function keyOf(index: number): Buffer {
  return Buffer.from(`key-${String(index).padStart(12, '0')}`);
}

/** A small generator of its own, so that every layout gets the same keys. */
function randomKeys(seed: number, count: number, bound: number): number[] {
  let state = seed;
  const keys = new Set<number>();
  while (keys.size < count) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    keys.add(Math.floor((state / 2 ** 32) * bound));
  }
  return [...keys].sort((a, b) => a - b);
}

interface Cost {
  readonly cpuMicros: number;
  readonly wallMicros: number;
}

/** CPU and time per operation. */
function measure(operations: number, task: () => void): Cost {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  task();
  const wall = Number(process.hrtime.bigint() - start) / 1000;
  const used = process.cpuUsage(cpu);
  const each = (micros: number): number => Math.round((micros / operations) * 10) / 10;
  return { cpuMicros: each(used.user + used.system), wallMicros: each(wall) };
}

function runLayout(name: string, flushWrites: number): void {
  const create = layouts[name];
  if (create === undefined) throw new Error(`Cannot measure layout "${name}": known are ${Object.keys(layouts)}`);
  const keys = Number(options.keys);
  const writes = Math.ceil(Number(options.writes) / flushWrites) * flushWrites;
  const directory = mkdtempSync(join(options.directory, 'zabtree-layouts-'));
  const path = join(directory, 'data.mdb');
  const root = open<Buffer, Buffer>({
    path,
    encoding: 'binary',
    keyEncoding: 'binary',
    mapSize: 64 * 2 ** 30,
    overlappingSync: false,
    noMemInit: true,
  });
  const layout = create(root);
  const record = Buffer.alloc(valueBytes + overheadBytes, 7);
  let revision = 1;
  const flush = (picked: readonly number[]): void => {
    root.transactionSync(() => {
      for (const each of picked) {
        revision += 1;
        record.writeUInt32LE(revision, 0);
        layout.put(keyOf(each), revision, record);
      }
    });
  };
  const insert = measure(keys, () => {
    for (let from = 0; from < keys; from += flushWrites) {
      flush(Array.from({ length: Math.min(flushWrites, keys - from) }, (_, i) => from + i));
    }
  });
  const preloaded = revision;
  const insertedMegabytes = Math.round(statSync(path).size / 2 ** 20);
  const batches = Array.from({ length: writes / flushWrites }, (_, i) => randomKeys(i + 1, flushWrites, keys));
  const overwrite = measure(writes, () => batches.forEach(flush));
  const overwrittenMegabytes = Math.round(statSync(path).size / 2 ** 20);
  const anonymous = anonymousMegabytes();
  const reads = randomKeys(99, Math.min(200_000, Math.floor(keys / 5)), keys).sort((a, b) => (a % 977) - (b % 977));
  const read = measure(reads.length, () => {
    for (const each of reads) layout.get(keyOf(each));
  });
  const compact = measure(writes, () => {
    for (let from = preloaded + 1; from <= revision; from += 4096) {
      root.transactionSync(() => layout.compact(from, Math.min(4096, revision - from + 1)));
    }
  });
  const line = {
    layout: name,
    flushWrites,
    keys,
    writes,
    insert,
    overwrite,
    read,
    compact,
    insertedMegabytes,
    overwrittenMegabytes,
    anonymousMegabytes: anonymous,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  void root.close().then(() => rmSync(directory, { recursive: true, force: true }));
}

const flushes = options.flushes.split(',');
const names = options.layouts.split(',');
const [flushWrites, name] = [flushes[0], names[0]];
if (flushes.length === 1 && names.length === 1 && flushWrites !== undefined && name !== undefined) {
  runLayout(name, Number(flushWrites));
} else {
  // Each run in a process of its own: LMDB keeps the pages of its largest transaction as memory.
  const { keys, writes, directory } = options;
  const common = ['--keys', keys, '--writes', writes, '--directory', directory];
  for (const flush of flushes) {
    for (const layout of names) {
      const run = [...process.execArgv, import.meta.filename, ...common, '--layouts', layout, '--flushes', flush];
      spawnSync(process.execPath, run, { stdio: 'inherit' });
    }
  }
}
