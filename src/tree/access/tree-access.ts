// Access control inside the tree: follows the rows of its space as they are staged, applied and dropped, and answers for
// either state. Costs an entry that changes no such row one comparison.

import { emptyBytes } from '../../shared/bytes.js';
import type { CommandEnvelope } from '../command.js';
import { spaces } from '../delta.js';
import type { TreeStore, VersionWrite } from '../store.js';
import { AccessJudge, type Refusal } from './access-judge.js';
import { AccessState, type AccessView, type ChangedAccess, StagedAccess } from './access-state.js';
import { type CheckedState, commandRefusal } from './command-check.js';

export interface TreeAccessLimits {
  /** All rows together. */
  readonly accessBytesMax: number;
  /** Ranges of merged permissions that are kept for all users together. */
  readonly accessRangesKeptMax: number;
}

/** As applied. */
export interface AppliedAccess {
  readonly applied: AccessView;
  readonly judge: AccessJudge;
}

export class TreeAccess implements AppliedAccess, ChangedAccess {
  readonly bytesMax: number;
  readonly applied = new AccessState();
  private readonly staged = new StagedAccess(this.applied);
  private readonly appliedJudge: AccessJudge;
  private readonly stagedJudge: AccessJudge;

  constructor(store: TreeStore, limits: TreeAccessLimits) {
    this.bytesMax = limits.accessBytesMax;
    this.appliedJudge = new AccessJudge(this.applied, limits.accessRangesKeptMax);
    this.stagedJudge = new AccessJudge(this.staged, limits.accessRangesKeptMax);
    this.load(store);
  }

  /** What this node has applied. */
  get judge(): AccessJudge {
    return this.appliedJudge;
  }

  /** The state with everything staged. */
  get stagedView(): AccessView {
    return this.staged.empty ? this.applied : this.staged;
  }

  /** Why a command may not be executed for its actor; undefined: it may. */
  refusalOf({ command, actor }: CommandEnvelope, state: CheckedState): Refusal | undefined {
    if (actor === undefined) return undefined;
    return commandRefusal(command, actor, this.staged.empty ? this.appliedJudge : this.stagedJudge, state);
  }

  /** The store is another one now. */
  load(store: TreeStore): void {
    this.staged.clear();
    this.applied.load((take) => {
      store.scan(spaces.access, { from: emptyBytes, to: undefined, at: undefined }, ({ key, value }) => {
        take(key, value);
        return true;
      });
    });
  }

  /** An entry with these versions was staged. */
  onStaged(versions: readonly VersionWrite[]): void {
    const rows = rowsOf(versions);
    if (rows !== undefined) this.staged.stage(rows);
  }

  /** It was applied, on a leader or a follower. */
  onApplied(versions: readonly VersionWrite[]): void {
    const rows = rowsOf(versions);
    if (rows !== undefined) for (const row of rows) this.applied.apply(row);
  }

  /** The oldest staged entry was applied, and these were its versions. */
  onCommitted(versions: readonly VersionWrite[]): void {
    if (rowsOf(versions) !== undefined) this.staged.committed();
  }

  /** Everything staged was dropped. */
  onDropped(): void {
    this.staged.clear();
  }
}

/** Versions come by space, and only alarms come behind access control. */
function rowsOf(versions: readonly VersionWrite[]): readonly VersionWrite[] | undefined {
  const last = versions[versions.length - 1];
  if (last === undefined || last.space < spaces.access) return undefined;
  const rows = versions.filter(({ space }) => space === spaces.access);
  return rows.length === 0 ? undefined : rows;
}
