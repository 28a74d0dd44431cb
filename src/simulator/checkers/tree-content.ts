// The tree of a node is exactly what replaying the committed history up to its zxid makes: keys, values, revisions,
// versions, and the history of changes that watches catch up from.

import { equalBytes, prefixEnd } from '../../shared/bytes.js';
import { formatZxid, type Revision, type Zxid } from '../../shared/ids.js';
import { spaces } from '../../tree/delta.js';
import { decodeLeaseRecord, keyOfLeased, leaseIdOf } from '../../tree/lease-records.js';
import type { ReplicatedTree, WatchEvent } from '../../tree/replicated-tree.js';
import type { KeyRecord } from '../../tree/store.js';
import { keyText } from '../byte-text.js';
import type { Ledger, ModelVersion } from '../ledger.js';
import type { EnsembleView, NodeView } from './ensemble-view.js';

const everything = { from: new Uint8Array(0), to: undefined };
const pageBytes = 1 << 20;

/** Compares the node's whole current state with the model. */
export function checkTreeContent(view: EnsembleView, node: NodeView): void {
  const { tree } = node;
  if (tree === undefined) return;
  const { ledger } = view;
  const zxid = tree.appliedZxid;
  const violate = (detail: string): void =>
    view.violate('tree equals replay', `node ${node.index} at ${formatZxid(zxid)}: ${detail}`);
  if (tree.revision !== ledger.revisionAt(zxid))
    violate(`revision ${tree.revision}, expected ${ledger.revisionAt(zxid)}`);
  const expected = new Map<string, ModelVersion>();
  for (const key of ledger.allKeys()) {
    const version = ledger.at(key, zxid);
    if (version?.value !== undefined) expected.set(key, version);
  }
  for (const record of allRecords(tree)) {
    const key = keyText(record.key);
    const version = expected.get(key);
    expected.delete(key);
    const difference = differs(record, version);
    if (difference !== undefined) violate(`key ${JSON.stringify(key)} ${difference}`);
  }
  for (const key of expected.keys()) violate(`key ${JSON.stringify(key)} is missing`);
  const leases = leasesOf(tree);
  const wanted = wantedLeases(ledger, zxid);
  if (leases !== wanted) violate(`leases and their keys are ${leases}, expected ${wanted}`);
}

/** Every lease with its times and the keys that the index says it holds. */
function leasesOf(tree: ReplicatedTree): string {
  const held: string[] = [];
  tree.scanSpace(spaces.leases, everything.from, undefined, ({ key, value }) => {
    const { grantedSeconds, remainingSeconds } = decodeLeaseRecord(value);
    const keys: string[] = [];
    tree.scanSpace(spaces.leaseKeys, key, prefixEnd(key), (leased) => {
      keys.push(keyText(keyOfLeased(leased.key)));
      return true;
    });
    held.push(`${leaseIdOf(key)}:${grantedSeconds}:${remainingSeconds}[${keys.join()}]`);
    return true;
  });
  let indexed = 0;
  tree.scanSpace(spaces.leaseKeys, everything.from, undefined, () => {
    indexed += 1;
    return true;
  });
  return `${indexed} keys: ${held.sort().join(' ')}`;
}

/** The same from the keys themselves. */
function wantedLeases(ledger: Ledger, zxid: Zxid): string {
  const held: string[] = [];
  let indexed = 0;
  for (const id of ledger.allLeases()) {
    const lease = ledger.leaseAt(id, zxid);
    if (lease === undefined) continue;
    const keys = ledger.leasedKeysAt(id, zxid);
    indexed += keys.length;
    held.push(`${id}:${lease.grantedSeconds}:${lease.remainingSeconds}[${keys.join()}]`);
  }
  return `${indexed} keys: ${held.sort().join(' ')}`;
}

/** Compares everything that a watch from the first retained revision would be told with the model. */
export function checkTreeHistory(view: EnsembleView, node: NodeView): void {
  const { tree } = node;
  if (tree === undefined) return;
  const zxid = tree.appliedZxid;
  const first = tree.compactedRevision + 1;
  const expected = view.ledger.changes.filter((change) => change.revision >= first && change.zxid <= zxid);
  let count = 0;
  for (const event of allChanges(tree, first as Revision)) {
    const change = expected[count];
    count += 1;
    const same =
      change !== undefined &&
      change.revision === event.modRevision &&
      change.key === keyText(event.key) &&
      (change.version.value === undefined) === (event.type === 'delete') &&
      (event.record === undefined || differs(event.record, change.version) === undefined);
    if (same) continue;
    view.violate(
      'history equals replay',
      `node ${node.index} at ${formatZxid(zxid)}: change ${count} is at revision ${event.modRevision}, expected ${change?.revision}`,
    );
    return;
  }
  if (count !== expected.length) {
    view.violate(
      'history equals replay',
      `node ${node.index} at ${formatZxid(zxid)}: ${count} changes, expected ${expected.length}`,
    );
  }
}

/** Why a record is not this version; undefined when it is. */
export function differs(record: KeyRecord, version: ModelVersion | undefined): string | undefined {
  if (version?.value === undefined) return `is there since revision ${record.modRevision}, expected absent`;
  if (record.modRevision !== version.revision)
    return `has revision ${record.modRevision}, expected ${version.revision}`;
  if (record.createRevision !== version.createRevision) {
    return `was created at ${record.createRevision}, expected ${version.createRevision}`;
  }
  if (record.version !== version.version) return `has version ${record.version}, expected ${version.version}`;
  if (record.lease !== version.lease) return `has lease ${record.lease}, expected ${version.lease}`;
  return equalBytes(record.value, version.value)
    ? undefined
    : `has another value than revision ${version.revision} wrote`;
}

/** The value of a key at a revision, as a reader was told, agrees with the ledger. */
export function readAgrees(
  ledger: Ledger,
  key: string,
  revision: Revision,
  record: KeyRecord | undefined,
): string | undefined {
  const version = ledger.atRevision(key, revision);
  if (record !== undefined) return differs(record, version);
  return version?.value === undefined ? undefined : `is absent at ${revision}, expected revision ${version.revision}`;
}

function allRecords(tree: ReplicatedTree): KeyRecord[] {
  const records: KeyRecord[] = [];
  let from: Uint8Array | undefined = everything.from;
  while (from !== undefined) {
    const page = tree.range({ from, to: undefined, at: undefined, limit: 1000, bytesMax: pageBytes, keysOnly: false });
    if (page.type !== 'range') break;
    records.push(...page.records);
    from = page.next;
  }
  return records;
}

function allChanges(tree: ReplicatedTree, first: Revision): WatchEvent[] {
  const events: WatchEvent[] = [];
  let from = first;
  while (from <= tree.revision) {
    const page = tree.changes({ ...everything, single: false }, from, { bytesMax: pageBytes });
    if (page.type === 'compacted' || page.next <= from) break;
    events.push(...page.events);
    from = page.next;
  }
  return events;
}
