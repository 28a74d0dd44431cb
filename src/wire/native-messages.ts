// Requests and frames of the native client protocol as plain data, for the server and for clients. Optional numbers are
// 0 when absent, as on the wire. protocol/native.proto describes each field.

import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { Revision, ServerId, Zxid } from '../shared/ids.js';
import type { AccessChange } from '../tree/access/access-change.js';
import type { KeyPermission } from '../tree/access/access-records.js';
import type { CommandEnvelope, CommandOutput, RequestIdentity } from '../tree/command.js';
import type { KeyRecord } from '../tree/store.js';
import type {
  Compare,
  KeySelection,
  RangeSelection,
  Transaction,
  TransactionOperation as TransactionStep,
} from '../tree/transaction.js';

export type {
  AccessChange,
  CommandEnvelope,
  CommandOutput,
  Compare,
  KeyPermission,
  KeyRecord,
  KeySelection,
  RangeSelection,
  RequestIdentity,
  Transaction,
  TransactionStep,
};

/** Which keys. */
export type NativeRange =
  | { readonly type: 'single'; readonly key: Bytes }
  | { readonly type: 'prefix'; readonly prefix: Bytes }
  /** `to` exclusive; undefined = to the last key. */
  | { readonly type: 'range'; readonly from: Bytes; readonly to: Bytes | undefined };

export type NativeRequestBody =
  | { readonly type: 'write'; readonly envelope: CommandEnvelope }
  | { readonly type: 'get'; readonly key: Bytes; readonly local: boolean; readonly seen: Zxid }
  | {
      readonly type: 'list';
      readonly range: NativeRange;
      /** Empty, or `next` of the page before. */
      readonly page: Bytes;
      readonly limit: number;
      readonly revision: Revision;
      readonly keysOnly: boolean;
      readonly local: boolean;
      readonly seen: Zxid;
    }
  | {
      readonly type: 'watch';
      readonly range: NativeRange;
      readonly fromRevision: Revision;
      readonly withInitial: boolean;
      readonly seen: Zxid;
    }
  | { readonly type: 'cancelWatch'; readonly watch: number }
  | { readonly type: 'authenticate'; readonly user: string; readonly password: string }
  /** Its passwords are as they were typed, in UTF-8; the token's secret is empty. */
  | { readonly type: 'changeAccess'; readonly change: AccessChange; readonly identity: RequestIdentity | undefined }
  | { readonly type: 'askAccess'; readonly question: AccessQuestion }
  | { readonly type: 'listLeases'; readonly local: boolean; readonly seen: Zxid }
  | { readonly type: 'openSnapshot' }
  | { readonly type: 'readSnapshot'; readonly snapshot: number }
  | { readonly type: 'broadcast'; readonly payload: Bytes }
  | { readonly type: 'subscribeBroadcasts' }
  | { readonly type: 'unsubscribeBroadcasts' }
  | { readonly type: 'status' }
  | { readonly type: 'digest' }
  | { readonly type: 'digestAll' };

export type AccessQuestion =
  | { readonly type: 'status' | 'users' | 'roles' }
  | { readonly type: 'rolesOfUser' | 'permissionsOfRole'; readonly name: string };

export interface NativeRequest {
  /** > 0, unique among the unanswered requests and open watches of the connection. */
  readonly id: number;
  /** 0 = the server's default. */
  readonly timeoutMs: number;
  readonly body: NativeRequestBody;
}

/** As the server reads it. Unknown kinds are answered with UNSUPPORTED, so that newer clients can ask. */
export interface ReceivedRequest extends Omit<NativeRequest, 'body'> {
  readonly body: NativeRequestBody | { readonly type: 'unknown' };
}

export interface NativeMember {
  readonly id: ServerId;
  readonly electionAddr: string;
  readonly messageAddr: string;
  /** Empty while unknown. */
  readonly requestAddr: string;
}

export interface NativeStatus {
  readonly id: ServerId;
  /** Empty before the ensemble has formed. */
  readonly ensembleId: string;
  readonly role: 'looking' | 'follower' | 'leader';
  readonly epoch: number;
  /** 0 = unknown. */
  readonly leader: number;
  readonly serving: boolean;
  readonly compactedRevision: Revision;
  readonly members: readonly NativeMember[];
}

export interface NativeDigest {
  readonly id: ServerId;
  readonly zxid: Zxid;
  readonly revision: Revision;
  readonly digest: string;
}

export interface NativeEvent {
  readonly type: 'put' | 'delete';
  readonly key: Bytes;
  readonly modRevision: Revision;
  /** undefined for a delete. */
  readonly record: KeyRecord | undefined;
}

export type NativePayload =
  /** A write's answer, an acknowledgment, or a failure of any request. */
  | { readonly type: 'none' }
  | {
      readonly type: 'hello';
      readonly protocolVersion: number;
      readonly serverId: ServerId;
      readonly frameBytesMax: number;
      readonly keyBytesMax: number;
      readonly valueBytesMax: number;
      readonly requestsInFlightMax: number;
    }
  | { readonly type: 'record'; readonly record: KeyRecord }
  /** `next` empty: this was the last page. */
  | { readonly type: 'list'; readonly records: readonly KeyRecord[]; readonly next: Bytes }
  | { readonly type: 'status'; readonly status: NativeStatus }
  | { readonly type: 'digest'; readonly digest: NativeDigest }
  | { readonly type: 'digestAll'; readonly digests: readonly NativeDigest[] }
  /** `more`: the last event's revision goes on in the next frame of this watch. */
  | { readonly type: 'watchEvents'; readonly events: readonly NativeEvent[]; readonly more: boolean }
  | { readonly type: 'watchInitial'; readonly records: readonly KeyRecord[]; readonly last: boolean }
  | { readonly type: 'watchEnded' }
  | { readonly type: 'broadcast'; readonly payload: Bytes }
  | ({ readonly type: 'access' } & AccessAnswer)
  /** In order, as numbers without a sign. */
  | { readonly type: 'leases'; readonly ids: readonly bigint[] }
  /** `last`: nothing follows. No bytes: none are ready yet, or it was only opened. */
  | { readonly type: 'snapshot'; readonly snapshot: number; readonly bytes: Bytes; readonly last: boolean };

/** What the question was about; the rest is empty. */
export interface AccessAnswer {
  readonly enabled: boolean;
  readonly accessRevision: number;
  readonly names: readonly string[];
  readonly permissions: readonly KeyPermission[];
}

/** What a frame from the server says beside its payload. */
export interface NativeFrameHeader {
  /** Id of the request answered or of the watch; 0 = neither. */
  readonly id: number;
  readonly code: 'OK' | ErrorCode;
  /** For people; empty when OK. */
  readonly message: string;
  readonly zxid: Zxid;
  readonly revision: Revision;
}

export interface NativeFrame extends NativeFrameHeader {
  readonly payload: NativePayload;
  /** Of a write that answers more than that it happened. */
  readonly output?: CommandOutput;
}
