// The replicated state: staged over committed generations over the store. The leader executes commands here, every node
// applies entries here, services read here. It knows no clock, disk or network, and never waits: a flush reports back.

import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { TreeAccess, type TreeAccessLimits } from './access/tree-access.js';
import type { Alarm, AlarmFlags } from './alarm.js';
import { CommittedAlarms } from './alarms.js';
import type { CommandEnvelope, CommandOutput, CommandResult, RequestIdentity } from './command.js';
import { CommittedLayers, type CommittedLayersOptions } from './committed-layers.js';
import { type Entry, type Operation, type SpaceId, spaces } from './delta.js';
import { type CommandParts, executeCommand } from './execute-command.js';
import type { DigestDone, VersionsHashDone } from './flusher.js';
import { type KeyText, keyTextOf } from './key-text.js';
import { type LeasePort, noLeases } from './lease-commands.js';
import type {
  ChangesOptions,
  DigestResult,
  Execution,
  RangeRequest,
  RangeResult,
  ReadResult,
  ReplicatedTree,
  SliceRange,
  SpaceListener,
  Watcher,
  WatchRequest,
} from './replicated-tree.js';
import { type ResolvedEntry, resolveEntry } from './resolve-entry.js';
import { type RevisionPin, RevisionPins } from './revision-pins.js';
import { mustRemember, rememberOf, type SessionLimits, SessionTable } from './session-table.js';
import { SpaceListeners } from './space-listeners.js';
import { StagedLayer } from './staged-layer.js';
import { StagedView } from './staged-view.js';
import type { KeyRecord, StoreContents, StoreUsage, TreeStore, VersionWrite } from './store.js';
import type { TransactionLimits } from './transaction-reads.js';
import { type ChangesResult, readChanges, readPast, readRange } from './tree-reads.js';
import { readCommitted, readCommittedAt, scanCommitted } from './tree-view.js';
import type { PastReader } from './watch-event.js';
import { WatchHub } from './watch-hub.js';

export interface TreeOptions extends SessionLimits, TransactionLimits, TreeAccessLimits, CommittedLayersOptions {
  /** History rows that one `changes` call looks at, matching or not. */
  readonly historyRowsMax: number;
  /** Puts are refused while this is so. */
  readonly overQuota?: () => boolean;
  /** What lease commands need, where they are executed. */
  readonly leases?: LeasePort;
}

export class Tree implements ReplicatedTree {
  readonly access: TreeAccess;
  /** What was applied since this tree was opened; plain numbers. */
  readonly counts = { entries: 0, puts: 0, deletes: 0 };
  private readonly options: TreeOptions;
  private readonly keyText: KeyText;
  private readonly hub: WatchHub;
  private readonly spaceListeners = new SpaceListeners();
  private readonly pins = new RevisionPins(() => this.layers.pump());
  private readonly past: PastReader;
  private readonly staged = new StagedLayer();
  private readonly layers: CommittedLayers;
  private sessions: SessionTable;
  private applied: Zxid;
  private current: Revision;
  private compacted: Revision;
  private readonly view: StagedView;
  private readonly committedAlarms: CommittedAlarms;
  private readonly commandParts: CommandParts;

  constructor(store: TreeStore, options: TreeOptions) {
    this.options = options;
    this.keyText = options.keyText ?? keyTextOf;
    this.past = { recordAt: (key, at) => readPast(this.layers, this, key, at) };
    this.hub = new WatchHub(this.past);
    this.sessions = new SessionTable(options, store.sessions(), store.meta.sessionsEvictedThrough);
    this.applied = store.meta.appliedZxid;
    this.current = store.meta.revision;
    this.compacted = store.meta.compactedRevision;
    this.layers = this.createLayers(store);
    this.access = new TreeAccess(store, options);
    this.committedAlarms = new CommittedAlarms(this);
    this.view = this.createView();
    this.commandParts = { leases: options.leases ?? noLeases, limits: options };
  }

  get appliedZxid(): Zxid {
    return this.applied;
  }

  get revision(): Revision {
    return this.current;
  }

  get compactedRevision(): Revision {
    return this.compacted;
  }

  get alarms(): readonly Alarm[] {
    return this.committedAlarms.all;
  }

  get overlayBytes(): number {
    return this.layers.bytes;
  }

  get flushDue(): boolean {
    return this.layers.flushDue;
  }

  get stagedZxid(): Zxid {
    return this.staged.size > 0 ? this.staged.lastZxid : this.applied;
  }

  get flushedZxid(): Zxid {
    return this.layers.flushedZxid;
  }

  // ---- leader ----

  execute(envelope: CommandEnvelope, zxid: Zxid): Execution {
    // The text is built only when it is needed: this runs once per write.
    if (zxid <= this.stagedZxid) assert(false, `Cannot stage ${zxid}: ${this.stagedZxid} is staged or applied already`);
    const identity = envelope.identity;
    if (identity !== undefined) {
      const repeat = this.repeated(identity);
      if (repeat !== undefined) return repeat;
    }
    // After the look for a repeat: what was once told stays true, whatever the client may do by now.
    const outcome =
      this.access.refusalOf(envelope, this.view) ?? executeCommand(envelope.command, this.view, this.commandParts);
    const verdict = outcome.type === 'failure' ? outcome : success;
    const { code, message } = verdict;
    const operations = outcome.type === 'failure' ? noOperations : outcome.operations;
    const output = outcome.type === 'failure' ? undefined : outcome.output;
    if (operations.length === 0 && (identity === undefined || !mustRemember(code, identity))) {
      return { type: 'answered', result: withOutput(this.verdict(code, message), output) };
    }
    const entry = this.entryOf(operations, identity === undefined ? undefined : rememberOf(identity, code), zxid);
    return this.stage(entry, identity, withOutput({ code, message, revision: entry.revision, zxid }, output));
  }

  commitStaged(through: Zxid): void {
    for (;;) {
      const resolved = this.staged.take(through);
      if (resolved === undefined) break;
      this.applyResolved(resolved);
      this.access.onCommitted(resolved.versions);
    }
    this.layers.cutIfFull();
  }

  dropStaged(): void {
    this.staged.clear();
    this.access.onDropped();
  }

  // ---- every node ----

  apply(entries: readonly Entry[]): void {
    assert(this.staged.size === 0, 'Cannot apply entries: staged ones were neither committed nor dropped');
    for (const entry of entries) {
      if (entry.zxid > this.applied) this.applyResolved(resolveEntry(entry, this.view));
    }
    this.layers.cutIfFull();
  }

  get(key: Bytes): ReadResult {
    return { record: readCommitted(this.layers, spaces.user, key, this.keyText(key)), revision: this.current };
  }

  range(request: RangeRequest): RangeResult {
    return readRange(this.layers, this, request);
  }

  changes(request: WatchRequest, from: Revision, options: ChangesOptions): ChangesResult {
    const { past } = this;
    return readChanges(this.layers, this, { ...options, request, from, past, rowsMax: this.options.historyRowsMax });
  }

  watch(watcher: Watcher): void {
    this.hub.add(watcher);
  }

  unwatch(watcher: Watcher): void {
    this.hub.remove(watcher);
  }

  slice(range: SliceRange, visit: (record: KeyRecord) => boolean): Bytes | undefined {
    const at = range.at === this.current ? undefined : range.at;
    return scanCommitted(this.layers, { ...range, space: spaces.user, at }, visit);
  }

  recordAt(key: Bytes, at: Revision): KeyRecord | undefined {
    return at === this.current ? this.get(key).record : readCommittedAt(this.layers, key, at);
  }

  pin(revision: Revision): RevisionPin {
    return this.pins.add(revision);
  }

  recordIn(space: SpaceId, key: Bytes): KeyRecord | undefined {
    return readCommitted(this.layers, space, key, this.keyText(key));
  }

  scanSpace(space: SpaceId, from: Bytes, to: Bytes | undefined, visit: (record: KeyRecord) => boolean): void {
    scanCommitted(this.layers, { space, from, to, at: undefined, keysOnly: false }, visit);
  }

  onSpaceChange(space: SpaceId, listener: SpaceListener): () => void {
    return this.spaceListeners.add(space, listener);
  }

  replaceStore(store: TreeStore): void {
    const through = this.current;
    this.layers.replaceStore(store);
    this.staged.clear();
    this.view.reset();
    this.sessions = new SessionTable(this.options, store.sessions(), store.meta.sessionsEvictedThrough);
    this.applied = store.meta.appliedZxid;
    this.current = store.meta.revision;
    this.compacted = store.meta.compactedRevision;
    this.access.load(store);
    this.pins.storeReplaced(this.compacted);
    this.spaceListeners.reset();
    this.hub.reset(through);
  }

  flush(options: { readonly force: boolean; readonly done?: (error: Error | null) => void }): void {
    this.layers.flush(options);
  }

  digest(done: DigestDone): void {
    this.layers.digest(done);
  }

  hashVersions(through: Revision, done: VersionsHashDone): void {
    this.layers.hashVersions(through, done);
  }

  usage(): StoreUsage {
    return this.layers.store.usage();
  }

  reclaim(done: (error: Error | null) => void): void {
    this.layers.reclaim(done);
  }

  contents(done: (error: Error | null, contents: StoreContents | null) => void): void {
    this.layers.contents(done);
  }

  onCheckpoint(listener: (result: DigestResult) => void): void {
    this.layers.onCheckpoint(listener);
  }

  // ---- inside ----

  /** The answer to a request that was seen before or may have been; undefined: execute it. */
  private repeated(identity: RequestIdentity): Execution | undefined {
    const { client, request, bornAt } = identity;
    const joined = this.staged.joined(client, request);
    if (joined !== undefined) return { type: 'joined', zxid: joined.zxid, result: joined };
    const remembered = this.sessions.lookup(client, request, bornAt);
    if (remembered === undefined) return undefined;
    if (remembered === 'forgotten') {
      const message = 'Cannot tell whether this request was executed before: its result is no longer remembered';
      return { type: 'answered', result: this.verdict('OUTCOME_UNKNOWN', message) };
    }
    const { code, revision, zxid } = remembered;
    const message = code === 'OK' ? '' : 'An earlier attempt of this request was refused, and that stands';
    return { type: 'answered', result: { code, message, revision, zxid } };
  }

  private stage(entry: Entry, identity: RequestIdentity | undefined, result: CommandResult): Execution {
    if (this.staged.size === 0) this.staged.compactedRevision = this.compacted;
    const resolved = resolveEntry(entry, this.view);
    this.staged.add(resolved, identity, result);
    this.access.onStaged(resolved.versions);
    return { type: 'staged', entry, result };
  }

  /** Of a command without effect. */
  private verdict(code: 'OK' | ErrorCode, message: string): CommandResult {
    return { code, message, revision: this.view.revision, zxid: this.stagedZxid };
  }

  private entryOf(operations: readonly Operation[], remember: Operation | undefined, zxid: Zxid): Entry {
    const { revision } = this.view;
    return {
      zxid,
      revision: operations.some(changesUserKey) ? ((revision + 1) as Revision) : revision,
      operations: remember === undefined ? operations : [...operations, remember],
    };
  }

  private applyResolved(resolved: ResolvedEntry): void {
    const { entry, versions, texts, remember } = resolved;
    // Versions are ordered by space, and the user space is the first.
    const changesUser = versions.length > 0 && (versions[0] as VersionWrite).space === spaces.user;
    const expected = changesUser ? this.current + 1 : this.current;
    assert(
      entry.revision === expected,
      `Cannot apply ${entry.zxid}: its revision is ${entry.revision}, not ${expected}`,
    );
    assert(entry.zxid > this.applied, `Cannot apply ${entry.zxid}: ${this.applied} is applied already`);
    const collecting = this.layers.collecting;
    this.counts.entries += 1;
    for (let i = 0; i < versions.length; i++) {
      const version = versions[i] as VersionWrite;
      collecting.add(texts[i] as string, version);
      if (version.space === spaces.user) this.counts[version.record === null ? 'deletes' : 'puts'] += 1;
    }
    this.applied = entry.zxid;
    this.current = entry.revision;
    if (remember !== null) {
      const evicted = this.sessions.remember(remember, entry.revision, entry.zxid);
      collecting.sessionUsed(remember.client, evicted);
    }
    if (resolved.compactTo !== null && resolved.compactTo > this.compacted) this.compacted = resolved.compactTo;
    if (changesUser) this.notify(resolved);
    const last = versions[versions.length - 1];
    if (last !== undefined && last.space !== spaces.user) {
      this.access.onApplied(versions);
      this.spaceListeners.notify(versions);
    }
    if (resolved.checkpoint) {
      this.layers.freeze(true);
      this.layers.pump();
    }
  }

  private notify(resolved: ResolvedEntry): void {
    if (this.hub.size === 0) return;
    const { versions, texts, entry } = resolved;
    let users = versions.length;
    while (users > 0 && (versions[users - 1] as VersionWrite).space !== spaces.user) users -= 1;
    this.hub.notify(entry.revision, texts, users === versions.length ? versions : versions.slice(0, users));
  }

  private createView(): StagedView {
    const tree = this;
    return new StagedView({
      layers: this.layers,
      staged: this.staged,
      access: this.access,
      get revision(): Revision {
        return tree.current;
      },
      get compactedRevision(): Revision {
        return tree.compacted;
      },
      get checkpointsPending(): number {
        return tree.layers.checkpointsPending;
      },
      get alarms(): AlarmFlags {
        return tree.committedAlarms.flags;
      },
      get overQuota(): boolean {
        return tree.options.overQuota?.() ?? false;
      },
    });
  }

  private createLayers(store: TreeStore): CommittedLayers {
    return new CommittedLayers(store, this.options, {
      applied: () => ({
        appliedZxid: this.applied,
        revision: this.current,
        compactedRevision: this.compacted,
        sessionsEvictedThrough: this.sessions.evictedThrough,
      }),
      sessions: () => this.sessions,
      pinnedRevision: () => this.pins.least,
    });
  }
}

const noOperations: readonly Operation[] = [];
const success = { code: 'OK', message: '' } as const;

function withOutput(result: CommandResult, output: CommandOutput | undefined): CommandResult {
  if (output === undefined) return result;
  // Written out: this runs once per write, and a spread costs more than the rest of it.
  const { code, message, revision, zxid } = result;
  return { code, message, revision, zxid, output };
}

function changesUserKey(operation: Operation): boolean {
  switch (operation.type) {
    case 'put':
    case 'delete':
    case 'deleteRange':
      return operation.space === spaces.user;
    default:
      return false;
  }
}
