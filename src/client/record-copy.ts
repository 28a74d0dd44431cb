// Copies of what a frame holds, so that a caller may keep them: a frame's own bytes belong to the connection.

import type { KeyRecord, NativeEvent } from '../wire/native-messages.js';

export function copyRecord(record: KeyRecord): KeyRecord {
  return {
    key: record.key.slice(),
    value: record.value.slice(),
    createRevision: record.createRevision,
    modRevision: record.modRevision,
    version: record.version,
    lease: record.lease,
  };
}

export function copyEvent(event: NativeEvent): NativeEvent {
  return {
    type: event.type,
    key: event.key.slice(),
    modRevision: event.modRevision,
    record: event.record === undefined ? undefined : copyRecord(event.record),
  };
}
