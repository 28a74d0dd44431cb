// For whom a call is made: by its token, or by the certificate of its connection. As etcd: the header `token`, then
// `authorization`, then the common name of a certificate that was verified. No token is ever logged.

import type { AccessService } from '../../service/access-service.js';
import type { StoreError } from '../../shared/errors.js';
import type { Actor } from '../../tree/command.js';
import type { GrpcCall } from './grpc/grpc-call.js';

const nobody: Actor = { user: '', accessRevision: 0 };
const bearer = 'Bearer ';

export class CallActors {
  private readonly access: AccessService;

  constructor(access: AccessService) {
    this.access = access;
  }

  /** Undefined: access control is off. Without a token it is a user without a name. Throws UNAUTHENTICATED for a token that is not valid. */
  actorOf(call: GrpcCall): Actor | undefined {
    if (!this.access.enabled) return undefined;
    const token = tokenOf(call);
    if (token !== undefined) return this.access.actorOfToken(token);
    const { commonName } = call;
    return commonName ? this.access.actorOfUser(commonName) : nobody;
  }

  /** False: what the call's token was issued by is not known here yet; `whenJudgeable` waits for it. */
  canJudge(call: GrpcCall): boolean {
    const token = tokenOf(call);
    return token === undefined || this.access.canJudge(token);
  }

  whenJudgeable(call: GrpcCall, done: (error: StoreError | null) => void): void {
    this.access.whenJudgeable(tokenOf(call) ?? '', call.timeoutMs, done);
  }
}

function tokenOf(call: GrpcCall): string | undefined {
  const token = call.header('token') ?? call.header('authorization');
  return token?.startsWith(bearer) ? token.slice(bearer.length) : token;
}
