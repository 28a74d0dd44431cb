// Tells live watchers of committed changes: exact keys by a map, ranges by an interval tree over the distinct ranges.
// Holds no history and no queue; a watcher that cannot keep up is its owner's business.

import { assert } from '../shared/assert.js';
import type { Revision } from '../shared/ids.js';
import { IntervalTree, type TextRange } from './interval-tree.js';
import type { WatchEvent, Watcher } from './replicated-tree.js';
import type { VersionWrite } from './store.js';
import { CommittedEvent, type PastReader } from './watch-event.js';

interface RangeGroup {
  readonly range: TextRange;
  readonly watchers: Set<Watcher>;
}

export class WatchHub {
  private readonly past: PastReader;
  /** Most keys have one watcher, and a set would take more memory than the watcher. */
  private readonly exact = new Map<string, Watcher | Set<Watcher>>();
  /** Distinct ranges; `ranges` finds them by key, `groups` by their ends. */
  private readonly ranges = new IntervalTree<RangeGroup>();
  private readonly groups = new Map<string, Map<string | undefined, RangeGroup>>();
  /** An empty range holds nothing; the interval tree would not mind, but it could never be hit. */
  private readonly unhittable = new Set<Watcher>();
  private count = 0;

  constructor(past: PastReader) {
    this.past = past;
  }

  get size(): number {
    return this.count;
  }

  /** A watcher is added once, and its keys stay as they are until it is removed. */
  add(watcher: Watcher): void {
    this.count++;
    if (watcher.single) this.addExact(watcher);
    else if (isEmpty(watcher)) this.unhittable.add(watcher);
    else this.addRange(watcher);
  }

  remove(watcher: Watcher): void {
    assert(this.take(watcher), 'Cannot remove a watcher: it was not added');
    this.count--;
  }

  /** Changes of one revision, in key order, with the texts of their keys. */
  notify(revision: Revision, texts: readonly string[], versions: readonly VersionWrite[]): void {
    if (this.count === 0) return;
    if (versions.length === 1) {
      this.notifyOne(revision, texts[0] as string, versions[0] as VersionWrite);
      return;
    }
    const told = new Map<Watcher, WatchEvent[]>();
    for (let i = 0; i < versions.length; i++) {
      const event = new CommittedEvent(versions[i] as VersionWrite, this.past);
      this.forEachWatcher(texts[i] as string, (watcher) => {
        const events = told.get(watcher);
        if (events === undefined) told.set(watcher, [event]);
        else events.push(event);
      });
    }
    for (const [watcher, events] of told) watcher.notify(revision, events);
  }

  /** The state jumped; everything up to `through` was notified. */
  reset(through: Revision): void {
    const watchers = [...this.unhittable];
    for (const there of this.exact.values()) {
      if (there instanceof Set) watchers.push(...there);
      else watchers.push(there);
    }
    for (const byEnd of this.groups.values()) {
      for (const group of byEnd.values()) watchers.push(...group.watchers);
    }
    for (const watcher of watchers) watcher.reset(through);
  }

  private notifyOne(revision: Revision, text: string, version: VersionWrite): void {
    const events = [new CommittedEvent(version, this.past)];
    this.forEachWatcher(text, (watcher) => watcher.notify(revision, events));
  }

  private forEachWatcher(text: string, visit: (watcher: Watcher) => void): void {
    const there = this.exact.get(text);
    if (there instanceof Set) there.forEach(visit);
    else if (there !== undefined) visit(there);
    this.ranges.stab(text, (group) => group.watchers.forEach(visit));
  }

  private addExact(watcher: Watcher): void {
    const text = watcher.from;
    const there = this.exact.get(text);
    if (there === undefined) this.exact.set(text, watcher);
    else if (there instanceof Set) there.add(watcher);
    else this.exact.set(text, new Set([there, watcher]));
  }

  private addRange(watcher: Watcher): void {
    const { from, to } = watcher;
    const byEnd = this.groups.get(from) ?? new Map<string | undefined, RangeGroup>();
    this.groups.set(from, byEnd);
    let group = byEnd.get(to);
    if (group === undefined) {
      group = { range: { from, to }, watchers: new Set() };
      byEnd.set(to, group);
      this.ranges.insert(group.range, group);
    }
    group.watchers.add(watcher);
  }

  /** Whether it was there. */
  private take(watcher: Watcher): boolean {
    if (watcher.single) return this.takeExact(watcher);
    if (isEmpty(watcher)) return this.unhittable.delete(watcher);
    const group = this.groups.get(watcher.from)?.get(watcher.to);
    if (group === undefined || !group.watchers.delete(watcher)) return false;
    if (group.watchers.size === 0) this.removeGroup(group);
    return true;
  }

  private takeExact(watcher: Watcher): boolean {
    const text = watcher.from;
    const there = this.exact.get(text);
    if (there instanceof Set) {
      const was = there.delete(watcher);
      if (there.size === 0) this.exact.delete(text);
      return was;
    }
    return there === watcher && this.exact.delete(text);
  }

  private removeGroup(group: RangeGroup): void {
    const { from, to } = group.range;
    const byEnd = this.groups.get(from);
    byEnd?.delete(to);
    if (byEnd?.size === 0) this.groups.delete(from);
    this.ranges.remove(group.range);
  }
}

function isEmpty({ from, to }: TextRange): boolean {
  return to !== undefined && to <= from;
}
