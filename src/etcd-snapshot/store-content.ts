// What zabtree keeps, in etcd's words, both ways: contents of a store as the content of a snapshot, and what a snapshot says
// beside the keys as rows of zabtree's spaces. Copies nothing that it can pass on.

import { compareBytes, emptyBytes } from '../shared/bytes.js';
import { epochOf, type Revision } from '../shared/ids.js';
import { Secret } from '../shared/secret.js';
import { firstSettings } from '../tree/access/access-records.js';
import {
  decodeRole,
  decodeSettings,
  decodeUser,
  encodeRole,
  encodeSettings,
  encodeUser,
  roleKey,
  rowOf,
  settingsKey,
  userKey,
} from '../tree/access/access-rows.js';
import type { Alarm, AlarmKind } from '../tree/alarm.js';
import { alarmKey, readAlarms } from '../tree/alarms.js';
import { type SpaceId, spaces } from '../tree/delta.js';
import { decodeLeaseRecord, encodeLeaseRecord, leaseIdOf, leaseKey } from '../tree/lease-records.js';
import type { StoreContents, VersionWrite } from '../tree/store.js';
import type {
  SnapshotAlarm,
  SnapshotContent,
  SnapshotFacts,
  SnapshotLease,
  SnapshotMember,
  SnapshotRole,
  SnapshotUser,
} from './snapshot-content.js';

export function snapshotContentOf(contents: StoreContents, members: readonly SnapshotMember[]): SnapshotContent {
  const { meta } = contents;
  const users: SnapshotUser[] = [];
  const roles: SnapshotRole[] = [];
  let settings = firstSettings;
  for (const { key, value } of contents.records(spaces.access)) {
    const row = rowOf(key);
    // A row of a kind that etcd does not have.
    if (row === undefined) continue;
    if (row.type === 'settings') settings = decodeSettings(value);
    else if (row.type === 'role') roles.push(decodeRole(row.name, value));
    else {
      const { name, password, roles: granted, noPassword } = decodeUser(row.name, value);
      users.push({ name, passwordHash: password.reveal(), roles: granted, noPassword });
    }
  }
  return {
    facts: {
      compactedRevision: meta.compactedRevision,
      consistentIndex: meta.appliedZxid,
      term: epochOf(meta.appliedZxid),
      accessEnabled: settings.enabled,
      accessRevision: settings.revision,
    },
    versions: () => contents.versions(),
    leases: () => leasesOf(contents),
    alarms: alarmsOf(contents).map(({ kind, member }) => ({ member, type: alarmTypes[kind] })),
    users,
    roles,
    members,
  };
}

/** As etcd numbers them. */
const alarmTypes: Readonly<Record<AlarmKind, number>> = { noSpace: 1, corrupt: 2 };

function alarmsOf(contents: StoreContents): readonly Alarm[] {
  return readAlarms((visit) => {
    for (const record of contents.records(spaces.alarms)) if (!visit(record)) return;
  });
}

/** Alarms stay those of the members of the ensemble that was; kinds that are not known here are left out. */
export function alarmRows(alarms: readonly SnapshotAlarm[], revision: Revision): readonly VersionWrite[] {
  return alarms.flatMap(({ member, type }) => {
    const kind = (Object.keys(alarmTypes) as AlarmKind[]).find((known) => alarmTypes[known] === type);
    return kind === undefined ? [] : [recordRow(spaces.alarms, alarmKey({ kind, member }), emptyBytes, revision)];
  });
}

function* leasesOf(contents: StoreContents): Generator<SnapshotLease, undefined, undefined> {
  for (const { key, value } of contents.records(spaces.leases)) {
    const { grantedSeconds, remainingSeconds } = decodeLeaseRecord(value);
    yield { id: leaseIdOf(key), ttlSeconds: grantedSeconds, remainingSeconds };
  }
  return undefined;
}

/** What a row of a space without a past has beside key and value, at this revision. */
export function recordRow(space: SpaceId, key: Uint8Array, value: Uint8Array, revision: Revision): VersionWrite {
  const record = { key, value, createRevision: revision, modRevision: revision, version: 1, lease: 0n };
  return { space, key, modRevision: revision, record };
}

export function leaseRow({ id, ttlSeconds, remainingSeconds }: SnapshotLease, revision: Revision): VersionWrite {
  const value = encodeLeaseRecord({ grantedSeconds: ttlSeconds, remainingSeconds });
  return recordRow(spaces.leases, leaseKey(id), value, revision);
}

/** `tokenSecret` signs the tokens of the new ensemble; the one of the old is in no snapshot. */
export function accessRows(
  content: {
    readonly facts: SnapshotFacts;
    readonly users: readonly SnapshotUser[];
    readonly roles: readonly SnapshotRole[];
  },
  tokenSecret: Secret,
  revision: Revision,
): readonly VersionWrite[] {
  const { accessEnabled, accessRevision } = content.facts;
  const settings = { enabled: accessEnabled, revision: Math.max(1, accessRevision), tokenSecret };
  const rows = [recordRow(spaces.access, settingsKey, encodeSettings(settings), revision)];
  for (const { name, passwordHash, roles, noPassword } of content.users) {
    const password = new Secret(passwordHash);
    const user = { name, password, noPassword, roles: [...roles].sort(), credentialRevision: settings.revision };
    rows.push(recordRow(spaces.access, userKey(name), encodeUser(user), revision));
  }
  for (const role of content.roles) rows.push(recordRow(spaces.access, roleKey(role.name), encodeRole(role), revision));
  return rows.sort((a, b) => compareBytes(a.key, b.key));
}
