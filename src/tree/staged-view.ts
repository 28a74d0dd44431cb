// Reads of the state with everything staged, which commands are judged by and entries are resolved against: points,
// ranges, and ranges at a revision that is staged only. Holds nothing itself but the arena for what will be kept.

import type { Bytes } from '../shared/bytes.js';
import { compareBytes, emptyBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { ChangedAccess } from './access/access-state.js';
import type { AlarmFlags } from './alarm.js';
import { flagsOf, readAlarms } from './alarms.js';
import { Arena } from './arena.js';
import type { CommandView } from './command-view.js';
import { type SpaceId, spaces } from './delta.js';
import type { KeyText } from './key-text.js';
import type { ResolveSource } from './resolve-entry.js';
import type { StagedLayer } from './staged-layer.js';
import type { KeyRecord, KeyState, VersionWrite } from './store.js';
import { type Layers, readCommitted, readCommittedState, type ScanRange, scanCommitted } from './tree-view.js';

/** What the view needs of the tree. */
export interface StagedViewHost {
  readonly layers: Layers;
  readonly staged: StagedLayer;
  readonly access: ChangedAccess;
  /** Of the committed state. */
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  readonly checkpointsPending: number;
  readonly alarms: AlarmFlags;
  readonly overQuota: boolean;
}

export class StagedView implements CommandView, ResolveSource {
  readonly keyText: KeyText;
  readonly access: ChangedAccess;
  arena = new Arena();
  private readonly host: StagedViewHost;

  constructor(host: StagedViewHost) {
    this.host = host;
    this.keyText = host.layers.keyText;
    this.access = host.access;
  }

  get revision(): Revision {
    const { staged, revision } = this.host;
    return staged.size > 0 ? staged.revision : revision;
  }

  get compactedRevision(): Revision {
    const { staged, compactedRevision } = this.host;
    return staged.size > 0 ? staged.compactedRevision : compactedRevision;
  }

  get checkpointPending(): boolean {
    return this.host.staged.hasCheckpoint || this.host.checkpointsPending > 0;
  }

  get alarms(): AlarmFlags {
    const { staged, alarms } = this.host;
    if (!staged.holds(spaces.alarms)) return alarms;
    const all = { space: spaces.alarms, from: emptyBytes, to: undefined, at: undefined, keysOnly: true };
    return flagsOf(readAlarms((visit) => this.scan(all, visit)));
  }

  get overQuota(): boolean {
    return this.host.overQuota;
  }

  /** Another store took the place of the one before: nothing that was kept for it is needed. */
  reset(): void {
    this.arena = new Arena();
  }

  textOf(key: Bytes): string {
    return this.keyText(key);
  }

  stateOf(key: Bytes): KeyState | undefined {
    const { staged, layers } = this.host;
    const text = this.keyText(key);
    const version = staged.size > 0 ? staged.newest(spaces.user, text) : undefined;
    if (version !== undefined) return version.record ?? undefined;
    return readCommittedState(layers, key, text);
  }

  recordIn(space: SpaceId, key: Bytes): KeyRecord | undefined {
    const { staged, layers } = this.host;
    const text = this.keyText(key);
    const version = staged.size > 0 ? staged.newest(space, text) : undefined;
    if (version !== undefined) return version.record ?? undefined;
    return readCommitted(layers, space, key, text);
  }

  scan(range: ScanRange, visit: (record: KeyRecord) => boolean): void {
    const { layers, revision } = this.host;
    const committed = range.at !== undefined && range.at >= revision ? { ...range, at: undefined } : range;
    const staged = this.stagedIn(range);
    scanMerged((take) => scanCommitted(layers, committed, take), staged, visit);
  }

  /** Keys of a range; in no particular order. */
  keys(space: SpaceId, from: Bytes, to: Bytes, visit: (key: Bytes) => void): void {
    const { layers, staged } = this.host;
    scanCommitted(layers, { space, from, to, at: undefined, keysOnly: true }, (record) => {
      if (staged.newest(space, this.keyText(record.key)) === undefined) visit(record.key);
      return true;
    });
    staged.forEach(space, (version) => {
      if (version.record !== null && isInside(version.key, from, to)) visit(version.key);
    });
  }

  /** The staged versions that count for a range, by key. */
  private stagedIn({ space, from, to, at }: ScanRange): readonly VersionWrite[] {
    const { staged, revision } = this.host;
    if (staged.size === 0 || (at !== undefined && at <= revision)) return noVersions;
    const found: VersionWrite[] = [];
    if (at === undefined || at >= staged.revision) {
      staged.forEach(space, (version) => {
        if (isInside(version.key, from, to)) found.push(version);
      });
    } else {
      const last = new Map<string, VersionWrite>();
      staged.versionsThrough(space, at, (version) => {
        if (isInside(version.key, from, to)) last.set(this.keyText(version.key), version);
      });
      found.push(...last.values());
    }
    return found.sort((a, b) => compareBytes(a.key, b.key));
  }
}

const noVersions: readonly VersionWrite[] = [];

function isInside(key: Bytes, from: Bytes, to: Bytes | undefined): boolean {
  return compareBytes(from, key) <= 0 && (to === undefined || compareBytes(key, to) < 0);
}

/** Visits what `scan` visits with newer versions of some keys over it, in key order, until the callback returns false. */
export function scanMerged(
  scan: (take: (record: KeyRecord) => boolean) => unknown,
  newer: readonly VersionWrite[],
  visit: (record: KeyRecord) => boolean,
): void {
  let next = 0;
  let stopped = false;
  const take = (record: KeyRecord): boolean => {
    stopped = !visit(record);
    return !stopped;
  };
  scan((record) => {
    for (; next < newer.length; next++) {
      const version = newer[next] as VersionWrite;
      const order = compareBytes(version.key, record.key);
      if (order > 0) break;
      if (order === 0) {
        next += 1;
        return version.record === null || take(version.record);
      }
      if (version.record !== null && !take(version.record)) return false;
    }
    return take(record);
  });
  for (; !stopped && next < newer.length; next++) {
    const { record } = newer[next] as VersionWrite;
    if (record !== null) take(record);
  }
}
