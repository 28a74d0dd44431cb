// Fills an empty tree with what a snapshot of etcd holds: all versions as they were, compacted as far as the snapshot says,
// leases with the keys that they hold, alarms, users and roles. Knows no directory and no ensemble.

import type { Limits } from '../config/limits.js';
import type { SnapshotVersion } from '../etcd-snapshot/snapshot-content.js';
import { SnapshotFileError } from '../etcd-snapshot/snapshot-file-error.js';
import type { SnapshotReader } from '../etcd-snapshot/snapshot-reader.js';
import { accessRows, alarmRows, leaseRow, recordRow } from '../etcd-snapshot/store-content.js';
import { isVerifiable } from '../service/password-hashing.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { type Revision, revisionFirst, type Zxid, zxidZero } from '../shared/ids.js';
import type { Secret } from '../shared/secret.js';
import { ImageEncoder } from '../storage/tree-image.js';
import type { OpenedTreeStore } from '../storage/tree-store-opener.js';
import { spaces } from '../tree/delta.js';
import { leasedKey } from '../tree/lease-records.js';
import type { TreeMeta, VersionWrite } from '../tree/store.js';

const chunkBytes = 2 ** 20;
/** Rows of the other spaces in one flush, and keys that are looked at for it. */
const rowsMax = 5_000;
/** Room for revisions to come: at a million a second it lasts for a century. */
const revisionMax = 2 ** 52;

export interface FillOptions {
  /** Where the tree ends up. */
  readonly seed: Zxid;
  readonly limits: Limits;
  /** Signs the tokens of users. */
  readonly tokenSecret: Secret;
}

export interface FilledTree {
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  readonly versions: number;
  readonly leases: number;
  readonly users: number;
  /** Users whose password was hashed in a way that is not verified here: nobody can log in with it. */
  readonly foreignPasswords: number;
  readonly accessEnabled: boolean;
}

/** Throws SnapshotFileError for what cannot be kept here. */
export async function fillTree(
  store: OpenedTreeStore,
  reader: SnapshotReader,
  { seed, limits, tokenSecret }: FillOptions,
): Promise<FilledTree> {
  const { facts } = reader;
  const { last, versions } = await writeVersions(store, reader, limits, seed);
  const revision = Math.max(last, facts.compactedRevision) as Revision;
  if (revision > revisionMax)
    throw new SnapshotFileError(`its revision is ${revision}, expected at most ${revisionMax}`);
  const meta = { ...emptyMeta(seed), revision, compactedRevision: facts.compactedRevision };
  const users = reader.users();
  const leases = new Set<bigint>();
  const flusher = new RowFlusher(store, meta);
  for (const lease of reader.leases()) {
    leases.add(lease.id);
    await flusher.add(leaseRow(lease, revision));
  }
  for (const row of accessRows({ facts, users, roles: reader.roles() }, tokenSecret, revision)) await flusher.add(row);
  for (const row of alarmRows(reader.alarms(), revision)) await flusher.add(row);
  await flusher.finish();
  while (await compactSlice(store, facts.compactedRevision, limits.compactVersionsMax));
  await writeLeasedKeys(store, leases, new RowFlusher(store, meta));
  const { accessEnabled, compactedRevision } = facts;
  const withPassword = users.filter(({ noPassword }) => !noPassword);
  const foreignPasswords = withPassword.filter(({ passwordHash }) => !isVerifiable(passwordHash, limits)).length;
  const counts = { versions, leases: leases.size, users: users.length, foreignPasswords };
  return { revision, compactedRevision, ...counts, accessEnabled };
}

/** As if nothing was ever compacted: what was left behind goes when the tree is compacted, by the tree's own rules. */
async function writeVersions(
  store: OpenedTreeStore,
  reader: SnapshotReader,
  limits: Limits,
  seed: Zxid,
): Promise<{ readonly last: Revision; readonly versions: number }> {
  const encoder = new ImageEncoder(chunkBytes);
  encoder.add({ type: 'header', meta: emptyMeta(seed) });
  let last = revisionFirst;
  let versions = 0;
  for (const version of reader.versions()) {
    requireFits(version, limits);
    last = version.modRevision;
    versions += 1;
    encoder.add({ type: 'version', version });
    if (encoder.length >= chunkBytes) await writeImage(store, encoder.take());
  }
  encoder.end();
  await writeImage(store, encoder.take());
  await finishImage(store);
  return { last, versions };
}

function requireFits({ key, modRevision, record }: SnapshotVersion, limits: Limits): void {
  const refuse = (what: string, bytes: number, limit: 'keyBytesMax' | 'valueBytesMax'): never => {
    const name = JSON.stringify(Buffer.from(key.subarray(0, 100)).toString());
    throw new SnapshotFileError(
      `key ${name} of revision ${modRevision} has a ${what} of ${bytes} bytes, the limit is ${limits[limit]} (${limit})`,
    );
  };
  if (key.length > limits.keyBytesMax) refuse('length', key.length, 'keyBytesMax');
  if (record !== null && record.value.length > limits.valueBytesMax)
    refuse('value', record.value.length, 'valueBytesMax');
}

/** What each lease that is there holds now. */
async function writeLeasedKeys(
  store: OpenedTreeStore,
  leases: ReadonlySet<bigint>,
  flusher: RowFlusher,
): Promise<void> {
  if (leases.size === 0) return;
  let from: Bytes | undefined = emptyBytes;
  while (from !== undefined) {
    const rows: VersionWrite[] = [];
    let seen = 0;
    let lastKey: Bytes = emptyBytes;
    store.scan(spaces.user, { from, to: undefined, at: undefined, keysOnly: true }, ({ key, lease, modRevision }) => {
      lastKey = new Uint8Array(key);
      if (leases.has(lease)) rows.push(recordRow(spaces.leaseKeys, leasedKey(lease, lastKey), emptyBytes, modRevision));
      seen += 1;
      return seen < rowsMax;
    });
    for (const row of rows) await flusher.add(row);
    from = seen < rowsMax ? undefined : Buffer.concat([lastKey, new Uint8Array(1)]);
  }
  await flusher.finish();
}

/** Collects rows of the spaces without a past and flushes many at a time. */
class RowFlusher {
  private readonly store: OpenedTreeStore;
  private readonly meta: TreeMeta;
  private rows: VersionWrite[] = [];

  constructor(store: OpenedTreeStore, meta: TreeMeta) {
    this.store = store;
    this.meta = meta;
  }

  async add(row: VersionWrite): Promise<void> {
    this.rows.push(row);
    if (this.rows.length >= rowsMax) await this.finish();
  }

  /** Flushes what is left, and the meta in any case. */
  finish(): Promise<void> {
    const { meta, rows } = this;
    this.rows = [];
    const byteLength = rows.reduce((sum, { key, record }) => sum + key.length + (record?.value.length ?? 0), 0);
    // The store wants them by space and key.
    const versions = rows.sort((a, b) => a.space - b.space || Buffer.compare(a.key, b.key));
    const batch = { meta, versions, sessions: [], sessionsEvicted: [], byteLength };
    return settled((done) => this.store.flush(batch, done));
  }
}

function emptyMeta(appliedZxid: Zxid): TreeMeta {
  return { appliedZxid, revision: revisionFirst, compactedRevision: 0 as Revision, sessionsEvictedThrough: zxidZero };
}

function writeImage(store: OpenedTreeStore, chunk: Bytes): Promise<void> {
  return settled((done) => store.writeImage(chunk, done));
}

function finishImage(store: OpenedTreeStore): Promise<void> {
  return settled((done) => store.finishImage(done));
}

/** Says whether more is left. */
function compactSlice(store: OpenedTreeStore, revision: Revision, versionsMax: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    store.compactSlice(revision, versionsMax, (error, more) => (error === null ? resolve(more) : reject(error)));
  });
}

function settled(begin: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => begin((error) => (error === null ? resolve() : reject(error))));
}
