// What the published client library offers, fit for browsers too. Node programs take a transport
// from tcp-transport.js or tls-transport.js beside it.

export { type ErrorCode, errorCodes, StoreError } from '../shared/errors.js';
export type { AccessStatusResult, KeyPermission } from './access-requests.js';
export type { Channel, ChannelHandler, ClientTransport } from './client-transport.js';
export type { BytesLike, RangeOptions } from './key-range.js';
export type {
  GrantOptions,
  LeaseListOptions,
  LeaseListResult,
  LeaseResult,
  TimeToLiveOptions,
  TimeToLiveResult,
} from './lease-requests.js';
export type { ConnectionEvent } from './peer-rotation.js';
export type {
  Condition,
  ConditionOperand,
  ConditionRelation,
  DeleteOperation,
  GetOperation,
  NestedOperation,
  Operation,
  OperationOutcome,
  PutOperation,
  TransactionRequest,
  TransactionResult,
} from './transaction.js';
export type { Watch } from './watch.js';
export type { WatchListener, WatchUpdate } from './watch-stream.js';
export { type WebSocketLike, type WebSocketTransportOptions, webSocketTransport } from './websocket-transport.js';
export {
  type ClientOptions,
  type ConditionOptions,
  type DigestAnswer,
  type GetResult,
  type LeaseOptions,
  type ListOptions,
  type ListPage,
  type ReadOptions,
  type RequestOptions,
  type StatusResult,
  type WatchOptions,
  type WriteResult,
  ZabtreeClient,
} from './zabtree-client.js';
