// The service KV: requests about a client's data, as operations of the store. What changes or depends on several keys is
// one transaction; a Range is read in pages, so that an answer of any size takes little memory.

import { InvariantError } from '../../../shared/assert.js';
import type { Bytes } from '../../../shared/bytes.js';
import { toRevision } from '../../../shared/ids.js';
import type { Command, CommandResult } from '../../../tree/command.js';
import type {
  OperationOutcome,
  Transaction,
  TransactionOperation,
  TransactionOutcome,
} from '../../../tree/transaction.js';
import { ProtoReader } from '../../../wire/protobuf/proto-reader.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { numberOf } from '../codec/int64.js';
import {
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
} from '../codec/operation-requests.js';
import { encodeDeleteRangeResponse, encodePutResponse, encodeTxnResponse } from '../codec/operation-responses.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import { type EtcdFailure, etcdFailures } from '../errors.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { afterReclaim, answer, carryOut, type MethodEntries, outputOf, submit, unary } from '../grpc-methods.js';
import { checkOperation, checkTransaction } from '../operation-checks.js';
import { RangeAnswer } from '../range-answer.js';
import { RangeStreamAnswer } from '../range-stream-answer.js';

export function kvMethods(context: EtcdContext): MethodEntries {
  return [
    unary(context, '/etcdserverpb.KV/Range', (call, request) => range(context, call, request)),
    unary(context, '/etcdserverpb.KV/RangeStream', (call, request) => rangeStream(context, call, request)),
    unary(context, '/etcdserverpb.KV/Put', (call, request) => put(context, call, request)),
    unary(context, '/etcdserverpb.KV/DeleteRange', (call, request) => deleteRange(context, call, request)),
    unary(context, '/etcdserverpb.KV/Txn', (call, request) => txn(context, call, request)),
    unary(context, '/etcdserverpb.KV/Compact', (call, request) => compact(context, call, request)),
  ];
}

function range(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const { operation, serializable } = decodeRangeRequest(new ProtoReader(bytes));
  const refusal = checkOperation(operation);
  if (refusal !== null) refuse(call, refusal);
  else new RangeAnswer(context, call).select(operation.selection, serializable);
}

function rangeStream(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const { operation, serializable } = decodeRangeRequest(new ProtoReader(bytes));
  const { sortTarget, descending } = operation.selection;
  const refusal = checkOperation(operation);
  if (refusal !== null) refuse(call, refusal);
  else if (sortTarget !== 'key' || descending) refuse(call, etcdFailures.invalidSortOption);
  else new RangeStreamAnswer(context, call).select(operation.selection, serializable);
}

function put(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const operation = decodePutRequest(new ProtoReader(bytes));
  const refusal = checkOperation(operation);
  if (refusal !== null) {
    refuse(call, refusal);
    return;
  }
  submit(context, call, transactionOf(operation), putResponse);
}

function putResponse({ headers }: EtcdContext, result: CommandResult): Bytes {
  const { previous } = onlyOutcome(outputOf(result, 'transaction'), 'put');
  return encodePutResponse(headers.at(result.revision), previous);
}

function deleteRange(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const operation = decodeDeleteRangeRequest(new ProtoReader(bytes));
  const refusal = checkOperation(operation);
  if (refusal !== null) {
    refuse(call, refusal);
    return;
  }
  submit(context, call, transactionOf(operation), deleteRangeResponse);
}

function deleteRangeResponse({ headers }: EtcdContext, result: CommandResult): Bytes {
  const outcome = onlyOutcome(outputOf(result, 'transaction'), 'delete');
  return encodeDeleteRangeResponse(headers.at(result.revision), outcome);
}

function txn(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const transaction = decodeTxnRequest(new ProtoReader(bytes));
  const refusal = checkTransaction(transaction, context.limits.transactionOperationsMax);
  if (refusal !== null) {
    refuse(call, refusal);
    return;
  }
  submit(context, call, { type: 'transact', transaction }, txnResponse);
}

function txnResponse({ headers }: EtcdContext, result: CommandResult): Bytes {
  return encodeTxnResponse(headers.at(result.revision), outputOf(result, 'transaction'));
}

function compact(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const { revision: requested, physical } = decodeMessage(pb.CompactionRequest, bytes);
  const revision = numberOf(requested);
  // A revision before the first one is as good as compacted.
  if (revision < 1) {
    refuse(call, etcdFailures.compacted);
    return;
  }
  carryOut(context, call, { type: 'compact', revision: toRevision(revision) }, (result) => {
    const header = headerFields(context.headers.at(result.revision));
    const response = encodeMessage(pb.CompactionResponse, { header });
    if (physical !== true) answer(call, response);
    else afterReclaim(context, call, response);
  });
}

function refuse(call: GrpcCall, { status, message }: EtcdFailure): void {
  call.fail(status, message);
}

const nothing: Pick<Transaction, 'compares' | 'failure'> = { compares: [], failure: [] };

function transactionOf(operation: TransactionOperation): Command {
  return {
    type: 'transact',
    transaction: { compares: nothing.compares, success: [operation], failure: nothing.failure },
  };
}

function onlyOutcome<Type extends OperationOutcome['type']>(
  { outcomes }: TransactionOutcome,
  type: Type,
): Extract<OperationOutcome, { type: Type }> {
  const [outcome] = outcomes;
  if (outcome?.type !== type) throw new InvariantError(`Expected the outcome of a ${type}, got ${outcome?.type}`);
  return outcome as Extract<OperationOutcome, { type: Type }>;
}
