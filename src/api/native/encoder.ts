// Protocol-neutral results as frames of the native protocol. Pure: it knows no connection and sends nothing.

import type { MemberStatus } from '../../service/store-service.js';
import { emptyBytes } from '../../shared/bytes.js';
import type { Revision, ServerId } from '../../shared/ids.js';
import type { CommandResult } from '../../tree/command.js';
import type { DigestResult } from '../../tree/replicated-tree.js';
import type { KeyRecord } from '../../tree/store.js';
import type { NativeDigest, NativeFrame, NativePayload, NativeStatus } from '../../wire/native-messages.js';
import { failureOf } from './errors.js';

/** State that an answer was given from. */
export type Standing = Pick<NativeFrame, 'zxid' | 'revision'>;

const noPayload: NativePayload = { type: 'none' };

export function resultFrame(id: number, result: CommandResult): NativeFrame {
  const { code, message, zxid, revision, output } = result;
  const frame = { id, code, message, zxid, revision, payload: noPayload };
  return output === undefined ? frame : { ...frame, output };
}

export function failureFrame(id: number, error: unknown, standing: Standing): NativeFrame {
  const { code, message } = failureOf(error);
  return { id, code, message, zxid: standing.zxid, revision: standing.revision, payload: noPayload };
}

export function okFrame(id: number, standing: Standing, payload: NativePayload = noPayload): NativeFrame {
  return { id, code: 'OK', message: '', zxid: standing.zxid, revision: standing.revision, payload };
}

export function recordFrame(id: number, standing: Standing, record: KeyRecord | undefined): NativeFrame {
  if (record !== undefined) return okFrame(id, standing, { type: 'record', record });
  return { ...okFrame(id, standing), code: 'KEY_NOT_FOUND', message: 'The key does not exist' };
}

export function listPayload(records: readonly KeyRecord[], next: Uint8Array | undefined): NativePayload {
  return { type: 'list', records, next: next ?? emptyBytes };
}

export function statusPayload(status: MemberStatus): NativePayload {
  return { type: 'status', status: nativeStatusOf(status) };
}

function nativeStatusOf(status: MemberStatus): NativeStatus {
  return {
    id: status.id,
    ensembleId: status.ensembleId ?? '',
    role: status.role,
    epoch: status.epoch,
    leader: status.leader ?? 0,
    serving: status.serving,
    compactedRevision: status.compactedRevision,
    members: status.members.map((member) => ({
      id: member.id,
      electionAddr: member.electionAddr,
      messageAddr: member.messageAddr,
      requestAddr: member.requestAddr ?? '',
    })),
  };
}

export function nativeDigestOf(id: ServerId, result: DigestResult): NativeDigest {
  return { id, zxid: result.zxid, revision: result.revision, digest: result.digest };
}

/** A frame of a watch: its head names the revision, and the zxid that the node has applied. */
export function watchFrame(
  watch: number,
  zxid: Standing['zxid'],
  revision: Revision,
  payload: NativePayload,
): NativeFrame {
  return { id: watch, code: 'OK', message: '', zxid, revision, payload };
}
