// What the commands of the etcd front end work with. One for a server; holds nothing of a client.

import type { Limits } from '../../config/limits.js';
import type { StoreService } from '../../service/store-service.js';
import type { ServerId } from '../../shared/ids.js';
import type { Actor } from '../../tree/command.js';
import type { FrontEndGuard } from '../front-end-guard.js';
import type { GrpcCall } from './grpc/grpc-call.js';
import type { ResponseHeaders } from './response-headers.js';

/** How members are shown to clients. */
export interface ShownAddresses {
  readonly clientScheme: 'http' | 'https';
  readonly peerScheme: 'http' | 'https';
  /** What an operator calls this member; undefined where it has no name. */
  nameOf(id: ServerId): string | undefined;
}

/** Members without names, behind ports without TLS. */
export const plainAddresses: ShownAddresses = {
  clientScheme: 'http',
  peerScheme: 'http',
  nameOf: () => undefined,
};

export interface EtcdContext {
  readonly service: StoreService;
  readonly limits: Limits;
  /** Told of what no command expected. */
  readonly guard: FrontEndGuard;
  readonly headers: ResponseHeaders;
  readonly addresses?: ShownAddresses;
  /**
   * Who makes this call, by its token or certificate; undefined where access control is off. Throws StoreError for a
   * token that is not valid.
   */
  readonly actorOf: (call: GrpcCall) => Actor | undefined;
}
