import { describe, expect, it } from 'vitest';
import { errorCodes, StoreError } from '../../shared/errors.js';
import { WireError } from '../../wire/protobuf/wire-error.js';
import { EtcdError, etcdFailures, failureOf, failureOfCode } from './errors.js';
import { grpcStatus } from './grpc/grpc-status.js';

describe('failureOf()', () => {
  it('tells every closed code in the words of etcd', () => {
    for (const code of errorCodes) {
      const { status, message } = failureOf(new StoreError(code, 'secret of the store'));
      expect(status, code).toBeGreaterThan(grpcStatus.ok);
      expect(message, code).toMatch(/^etcdserver: [a-z]/);
      expect(failureOfCode(code)).toEqual({ status, message });
    }
  });

  it('keeps the texts and codes that clients compare', () => {
    const told = (code: (typeof errorCodes)[number]) => failureOf(new StoreError(code, ''));
    expect(told('COMPACTED')).toEqual({
      status: grpcStatus.outOfRange,
      message: 'etcdserver: mvcc: required revision has been compacted',
    });
    expect(told('LEASE_NOT_FOUND')).toEqual({
      status: grpcStatus.notFound,
      message: 'etcdserver: requested lease not found',
    });
    expect(told('NO_QUORUM')).toEqual({ status: grpcStatus.unavailable, message: 'etcdserver: no leader' });
    expect(told('TIMEOUT')).toEqual({ status: grpcStatus.unavailable, message: 'etcdserver: request timed out' });
    expect(told('OUTCOME_UNKNOWN')).toEqual({ status: grpcStatus.unavailable, message: 'etcdserver: leader changed' });
    expect(told('TOO_LARGE')).toEqual({
      status: grpcStatus.invalidArgument,
      message: 'etcdserver: request is too large',
    });
  });

  it('passes on what was refused here, and says that bytes are no message', () => {
    expect(failureOf(new EtcdError(etcdFailures.emptyKey)).message).toBe('etcdserver: key is not provided');
    expect(failureOf(new WireError('unexpected EOF'))).toEqual({
      status: grpcStatus.internal,
      message: 'grpc: error unmarshalling request: unexpected EOF',
    });
  });

  it('keeps a defect to itself', () => {
    const failure = failureOf(new TypeError('x is undefined'));
    expect(failure).toEqual({ status: grpcStatus.internal, message: 'etcdserver: internal error', isDefect: true });
  });
});
