// The state that commands are judged by, as they see it: everything staged so far over everything committed. Reads only.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { ChangedAccess } from './access/access-state.js';
import type { AlarmFlags } from './alarm.js';
import type { SpaceId } from './delta.js';
import type { KeyRecord, KeyState } from './store.js';
import type { ScanRange } from './tree-view.js';

export interface CommandView {
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  /** A checkpoint is staged, or its digest is not done yet. */
  readonly checkpointPending: boolean;
  readonly access: ChangedAccess;
  readonly alarms: AlarmFlags;
  /** This node's data has reached its quota, whether or not the alarm is raised yet. */
  readonly overQuota: boolean;
  /** The newest version of a user's key; undefined when it does not exist. Half the work of `recordIn`. */
  stateOf(key: Bytes): KeyState | undefined;
  /** The newest record of a key of any space. */
  recordIn(space: SpaceId, key: Bytes): KeyRecord | undefined;
  /**
   * Visits the records of a range in key order until the callback returns false; records of the overlay come with their
   * values even if only keys are asked for. `at` is not compacted and not in the future.
   */
  scan(range: ScanRange, visit: (record: KeyRecord) => boolean): void;
  /** The key as text: one character a byte, in the order of the bytes. */
  textOf(key: Bytes): string;
}
