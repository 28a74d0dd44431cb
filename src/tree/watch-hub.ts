// Tells live watchers of committed changes: exact keys by a map, ranges by an interval tree over the distinct ranges.
// Holds no history and no queue; a watcher that cannot keep up is its owner's business.

import type { Revision } from '../shared/ids.js';
import { IntervalTree, type TextRange } from './interval-tree.js';
import type { KeyText } from './key-text.js';
import type { WatchEvent, Watcher, WatchRequest } from './replicated-tree.js';
import type { VersionWrite } from './store.js';

interface RangeGroup {
  readonly range: TextRange;
  readonly watchers: Set<Subscription>;
}

/** One `watch` call; the same Watcher may be in several. */
interface Subscription {
  readonly watcher: Watcher;
}

export class WatchHub {
  private readonly keyText: KeyText;
  private readonly exact = new Map<string, Set<Subscription>>();
  /** Distinct ranges; `ranges` finds them by key, `groups` by their ends. */
  private readonly ranges = new IntervalTree<RangeGroup>();
  private readonly groups = new Map<string, Map<string | undefined, RangeGroup>>();
  private readonly all = new Set<Subscription>();

  constructor(keyText: KeyText) {
    this.keyText = keyText;
  }

  get size(): number {
    return this.all.size;
  }

  add(request: WatchRequest, watcher: Watcher): () => void {
    const subscription: Subscription = { watcher };
    this.all.add(subscription);
    const from = this.keyText(request.from);
    if (request.single) return this.addExact(from, subscription);
    const to = request.to === undefined ? undefined : this.keyText(request.to);
    // An empty range holds nothing; the tree would not mind, but it could never be hit.
    if (to !== undefined && to <= from) return () => void this.all.delete(subscription);
    return this.addRange({ from, to }, subscription);
  }

  /** Changes of one revision, in key order, with the texts of their keys. */
  notify(revision: Revision, texts: readonly string[], versions: readonly VersionWrite[]): void {
    if (this.all.size === 0) return;
    if (versions.length === 1) {
      this.notifyOne(revision, texts[0] as string, versions[0] as VersionWrite);
      return;
    }
    const told = new Map<Subscription, WatchEvent[]>();
    for (let i = 0; i < versions.length; i++) {
      const text = texts[i] as string;
      const event = eventOf(versions[i] as VersionWrite);
      const collect = (subscription: Subscription): void => {
        const events = told.get(subscription);
        if (events === undefined) told.set(subscription, [event]);
        else events.push(event);
      };
      this.exact.get(text)?.forEach(collect);
      this.ranges.stab(text, (group) => group.watchers.forEach(collect));
    }
    for (const [subscription, events] of told) subscription.watcher.notify(revision, events);
  }

  private notifyOne(revision: Revision, text: string, version: VersionWrite): void {
    const events = [eventOf(version)];
    const tell = (subscription: Subscription): void => subscription.watcher.notify(revision, events);
    this.exact.get(text)?.forEach(tell);
    this.ranges.stab(text, (group) => group.watchers.forEach(tell));
  }

  /** The state jumped; everything up to `through` was notified. */
  reset(through: Revision): void {
    for (const subscription of [...this.all]) {
      if (this.all.has(subscription)) subscription.watcher.reset(through);
    }
  }

  private addExact(text: string, subscription: Subscription): () => void {
    const there = this.exact.get(text);
    if (there === undefined) this.exact.set(text, new Set([subscription]));
    else there.add(subscription);
    return () => {
      this.all.delete(subscription);
      const watchers = this.exact.get(text);
      if (watchers?.delete(subscription) && watchers.size === 0) this.exact.delete(text);
    };
  }

  private addRange(range: TextRange, subscription: Subscription): () => void {
    const byEnd = this.groups.get(range.from) ?? new Map<string | undefined, RangeGroup>();
    this.groups.set(range.from, byEnd);
    let group = byEnd.get(range.to);
    if (group === undefined) {
      group = { range, watchers: new Set() };
      byEnd.set(range.to, group);
      this.ranges.insert(range, group);
    }
    group.watchers.add(subscription);
    const joined = group;
    return () => {
      this.all.delete(subscription);
      if (joined.watchers.delete(subscription) && joined.watchers.size === 0) this.removeGroup(joined);
    };
  }

  private removeGroup(group: RangeGroup): void {
    const { from, to } = group.range;
    const byEnd = this.groups.get(from);
    byEnd?.delete(to);
    if (byEnd?.size === 0) this.groups.delete(from);
    this.ranges.remove(group.range);
  }
}

/** What a watcher sees of a version. */
export function eventOf(version: VersionWrite): WatchEvent {
  const record = version.record;
  return {
    type: record === null ? 'delete' : 'put',
    key: version.key,
    modRevision: version.modRevision,
    record: record ?? undefined,
  };
}
