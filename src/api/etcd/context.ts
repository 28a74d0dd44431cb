// What the commands of the etcd front end work with. One for a server; holds nothing of a client.

import type { Limits } from '../../config/limits.js';
import type { Log } from '../../observability/log.js';
import type { StoreService } from '../../service/store-service.js';
import type { Actor } from '../../tree/command.js';
import type { GrpcCall } from './grpc/grpc-call.js';
import type { ResponseHeaders } from './response-headers.js';

export interface EtcdContext {
  readonly service: StoreService;
  readonly limits: Limits;
  readonly log: Log;
  readonly headers: ResponseHeaders;
  /**
   * Who makes this call, by its token or certificate; undefined where access control is off. Throws StoreError for a
   * token that is not valid.
   */
  readonly actorOf: (call: GrpcCall) => Actor | undefined;
}
