// Users, roles and settings in memory, as a tree's layers hold them: what is applied, and over it what the leader has
// staged. Small and bounded (accessBytesMax), so that all of it is kept. Changed only by rows; never judges a request.

import type { Bytes } from '../../shared/bytes.js';
import type { VersionWrite } from '../store.js';
import { type AccessSettings, firstSettings, type RoleRecord, type UserRecord } from './access-records.js';
import { decodeRole, decodeSettings, decodeUser, rowOf } from './access-rows.js';

/** One state of access control. */
export interface AccessView {
  readonly settings: AccessSettings;
  /** Keys and values of all its rows. */
  readonly bytes: number;
  /** Counts changes, also those that are none of the access revision. Never the same for two states of one view. */
  readonly stamp: number;
  user(name: string): UserRecord | undefined;
  role(name: string): RoleRecord | undefined;
  /** In no particular order. */
  userNames(): Iterable<string>;
  roleNames(): Iterable<string>;
}

/** As a change of it is judged. */
export interface ChangedAccess {
  readonly stagedView: AccessView;
  /** How much all rows may take. */
  readonly bytesMax: number;
}

/** A row as a layer holds it. */
interface Held<T> {
  readonly record: T;
  readonly bytes: number;
}

export class AccessState implements AccessView {
  settings: AccessSettings = firstSettings;
  bytes = 0;
  stamp = 0;
  private settingsBytes = 0;
  private users = new Map<string, Held<UserRecord>>();
  private roles = new Map<string, Held<RoleRecord>>();

  user(name: string): UserRecord | undefined {
    return this.users.get(name)?.record;
  }

  role(name: string): RoleRecord | undefined {
    return this.roles.get(name)?.record;
  }

  userNames(): Iterable<string> {
    return this.users.keys();
  }

  roleNames(): Iterable<string> {
    return this.roles.keys();
  }

  /** Takes over the rows of another store, which `visitRows` gives. */
  load(visitRows: (take: (key: Bytes, value: Bytes) => void) => void): void {
    this.settings = firstSettings;
    this.bytes = 0;
    this.settingsBytes = 0;
    this.users = new Map();
    this.roles = new Map();
    visitRows((key, value) => this.take(key, value));
    this.stamp++;
  }

  apply(version: Pick<VersionWrite, 'key' | 'record'>): void {
    this.take(version.key, version.record === null ? null : version.record.value);
    this.stamp++;
  }

  bytesOfUser(name: string): number {
    return this.users.get(name)?.bytes ?? 0;
  }

  bytesOfRole(name: string): number {
    return this.roles.get(name)?.bytes ?? 0;
  }

  bytesOfSettings(): number {
    return this.settingsBytes;
  }

  private take(key: Bytes, value: Bytes | null): void {
    const row = rowOf(key);
    if (row === undefined) return;
    const bytes = value === null ? 0 : key.length + value.length;
    if (row.type === 'settings') {
      this.settings = value === null ? firstSettings : decodeSettings(value);
      this.bytes += bytes - this.settingsBytes;
      this.settingsBytes = bytes;
    } else if (row.type === 'user') {
      this.bytes += bytes - this.bytesOfUser(row.name);
      if (value === null) this.users.delete(row.name);
      else this.users.set(row.name, { record: decodeUser(row.name, value), bytes });
    } else {
      this.bytes += bytes - this.bytesOfRole(row.name);
      if (value === null) this.roles.delete(row.name);
      else this.roles.set(row.name, { record: decodeRole(row.name, value), bytes });
    }
  }
}

/**
 * The leader's staged changes over the applied state. It keeps them until none is staged any more: what has been applied
 * meanwhile is the same or older.
 */
export class StagedAccess implements AccessView {
  private readonly applied: AccessState;
  /** Entries staged and not applied. */
  private entries = 0;
  private changes = 0;
  private stagedSettings: Held<AccessSettings> | null = null;
  private readonly users = new Map<string, Held<UserRecord> | null>();
  private readonly roles = new Map<string, Held<RoleRecord> | null>();

  constructor(applied: AccessState) {
    this.applied = applied;
  }

  /** Nothing is staged: the applied state is the state. */
  get empty(): boolean {
    return this.entries === 0;
  }

  get stamp(): number {
    return this.changes;
  }

  get settings(): AccessSettings {
    return this.stagedSettings?.record ?? this.applied.settings;
  }

  get bytes(): number {
    const { applied } = this;
    let bytes = applied.bytes;
    if (this.stagedSettings !== null) bytes += this.stagedSettings.bytes - applied.bytesOfSettings();
    for (const [name, held] of this.users) bytes += (held?.bytes ?? 0) - applied.bytesOfUser(name);
    for (const [name, held] of this.roles) bytes += (held?.bytes ?? 0) - applied.bytesOfRole(name);
    return bytes;
  }

  user(name: string): UserRecord | undefined {
    const held = this.users.get(name);
    return held === undefined ? this.applied.user(name) : held?.record;
  }

  role(name: string): RoleRecord | undefined {
    const held = this.roles.get(name);
    return held === undefined ? this.applied.role(name) : held?.record;
  }

  userNames(): Iterable<string> {
    return namesOver(this.applied.userNames(), this.users);
  }

  roleNames(): Iterable<string> {
    return namesOver(this.applied.roleNames(), this.roles);
  }

  /** An entry with these rows was staged. */
  stage(versions: readonly Pick<VersionWrite, 'key' | 'record'>[]): void {
    this.entries++;
    this.changes++;
    for (const { key, record } of versions) this.take(key, record === null ? null : record.value);
  }

  /** The oldest staged entry was applied. */
  committed(): void {
    this.entries--;
    if (this.entries === 0) this.forget();
  }

  /** Everything staged is dropped. */
  clear(): void {
    if (this.entries === 0) return;
    this.entries = 0;
    this.forget();
  }

  private forget(): void {
    this.changes++;
    this.stagedSettings = null;
    this.users.clear();
    this.roles.clear();
  }

  private take(key: Bytes, value: Bytes | null): void {
    const row = rowOf(key);
    if (row === undefined) return;
    const bytes = value === null ? 0 : key.length + value.length;
    if (row.type === 'settings') {
      this.stagedSettings = { record: value === null ? firstSettings : decodeSettings(value), bytes };
    } else if (row.type === 'user') {
      this.users.set(row.name, value === null ? null : { record: decodeUser(row.name, value), bytes });
    } else {
      this.roles.set(row.name, value === null ? null : { record: decodeRole(row.name, value), bytes });
    }
  }
}

function* namesOver(applied: Iterable<string>, staged: ReadonlyMap<string, unknown>): Iterable<string> {
  for (const name of applied) if (!staged.has(name)) yield name;
  for (const [name, held] of staged) if (held !== null) yield name;
}
