// The service Auth as a client sees it, message by message; etcdctl compares the whole with etcd (test/conformance).

import { describe, expect, it } from 'vitest';
import { EtcdCall } from '../../../../test/support/etcd-call.js';
import { SingleNode } from '../../../../test/support/single-node.js';
import { until } from '../../../../test/support/until.js';
import { limits } from '../../../config/limits.js';
import { createLog } from '../../../observability/log.js';
import { createStoreService } from '../../../service/service.js';
import { emptyBytes } from '../../../shared/bytes.js';
import { FrontEndGuard } from '../../front-end-guard.js';
import { CallActors } from '../call-actors.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { numberOf } from '../codec/int64.js';
import { plainAddresses } from '../context.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { etcdMethods } from '../listener.js';
import { ResponseHeaders } from '../response-headers.js';

class Bench {
  readonly node = new SingleNode();
  readonly service = createStoreService(this.node, { scheduler: this.node.scheduler, limits });
  private readonly actors = new CallActors(this.service.access);
  private readonly methods = etcdMethods(
    {
      service: this.service,
      limits,
      guard: new FrontEndGuard(createLog({ level: 'error', format: 'text' })),
      headers: new ResponseHeaders(this.service),
      addresses: plainAddresses,
      actorOf: (call: GrpcCall) => this.actors.actorOf(call),
    },
    this.actors,
  );

  begin(method: string, request: Uint8Array, headers: Readonly<Record<string, string>> = {}): EtcdCall {
    const call = new EtcdCall(headers);
    const found = this.methods.get(`/etcdserverpb.Auth/${method}`);
    if (found?.type !== 'unary') throw new Error(`There is no ${method}`);
    found.handle(call, request);
    return call;
  }

  /** The answer's bytes, or the text of the failure. */
  async call(
    method: string,
    request: Uint8Array = emptyBytes,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Uint8Array | string> {
    const call = this.begin(method, request, headers);
    await until('an answer', () => call.over);
    return call.failure?.message ?? call.sent[0] ?? 'no answer';
  }

  async enable(): Promise<void> {
    await this.call('UserAdd', encodeMessage(pb.AuthUserAddRequest, { name: 'root', password: 'pw' }));
    await this.call('UserGrantRole', encodeMessage(pb.AuthUserGrantRoleRequest, { user: 'root', role: 'root' }));
    expect(await this.call('AuthEnable')).toBeInstanceOf(Uint8Array);
  }

  async token(): Promise<string> {
    const request = encodeMessage(pb.AuthenticateRequest, { name: 'root', password: 'pw' });
    const answer = await this.call('Authenticate', request);
    if (typeof answer === 'string') throw new Error(answer);
    return decodeMessage(pb.AuthenticateResponse, answer).token;
  }
}

const statusOf = (answer: Uint8Array | string): { readonly enabled: boolean; readonly revision: number } => {
  if (typeof answer === 'string') throw new Error(answer);
  const { enabled, authRevision } = decodeMessage(pb.AuthStatusResponse, answer);
  return { enabled, revision: numberOf(authRevision) };
};

describe('the service Auth', () => {
  it('takes a token from either header, refuses a wrong one, and asks for none where access control is off', async () => {
    const bench = new Bench();
    expect(statusOf(await bench.call('AuthStatus', emptyBytes, { token: 'x' }))).toEqual({
      enabled: false,
      revision: 1,
    });
    await bench.enable();
    const token = await bench.token();
    expect(statusOf(await bench.call('AuthStatus', emptyBytes, { token }))).toEqual({ enabled: true, revision: 3 });
    for (const authorization of [token, `Bearer ${token}`]) {
      expect(statusOf(await bench.call('AuthStatus', emptyBytes, { authorization })).enabled).toBe(true);
    }
    expect(await bench.call('AuthStatus')).toBe('etcdserver: user name is empty');
    expect(await bench.call('AuthStatus', emptyBytes, { token: 'x' })).toBe('etcdserver: invalid auth token');
    const request = encodeMessage(pb.AuthenticateRequest, { name: 'root', password: 'no' });
    expect(await bench.call('Authenticate', request, { token: 'x' })).toBe(
      'etcdserver: authentication failed, invalid user ID or password',
    );
  });

  it('tells a role as it was granted, and what the role root may', async () => {
    const bench = new Bench();
    await bench.call('RoleAdd', encodeMessage(pb.AuthRoleAddRequest, { name: 'r' }));
    await bench.call('RoleAdd', encodeMessage(pb.AuthRoleAddRequest, { name: 'root' }));
    const perm = { permType: 2, key: Buffer.from('a'), range_end: Buffer.from([0]) };
    const grant = (fields: pb.IAuthRoleGrantPermissionRequest): Promise<Uint8Array | string> =>
      bench.call('RoleGrantPermission', encodeMessage(pb.AuthRoleGrantPermissionRequest, fields));
    expect(await grant({ name: 'r', perm })).toBeInstanceOf(Uint8Array);
    expect(await grant({ name: 'r' })).toBe('etcdserver: permission not given');
    const permissionsOf = async (role: string): Promise<unknown> => {
      const answer = await bench.call('RoleGet', encodeMessage(pb.AuthRoleGetRequest, { role }));
      if (typeof answer === 'string') return answer;
      const { perm: held } = decodeMessage(pb.AuthRoleGetResponse, answer);
      return held.map(({ permType, key, range_end }) => [
        permType,
        Buffer.from(key ?? emptyBytes).toString(),
        [...(range_end ?? [])],
      ]);
    };
    expect(await permissionsOf('r')).toEqual([[2, 'a', [0]]]);
    expect(await permissionsOf('root')).toEqual([[2, '', [0]]]);
    expect(await permissionsOf('x')).toBe('etcdserver: role name not found');
  });

  it('waits for what a token rests on that another member has just issued', async () => {
    const bench = new Bench();
    await bench.enable();
    const token = await bench.token();
    // As a member sees it that has applied nothing yet.
    const behind = new Bench();
    const call = behind.begin('AuthStatus', emptyBytes, { token });
    await new Promise((resolve) => setImmediate(resolve));
    expect(call.over).toBe(false);
    await behind.enable();
    await until('an answer', () => call.over);
    // It has caught up, with a secret of its own here.
    expect(call.failure?.message).toBe('etcdserver: invalid auth token');
  });
});
