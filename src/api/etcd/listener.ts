// The table of all methods of the etcd front end, by their paths. What carries calls to them is not known here.

import { leaseMethods } from './commands/lease.js';
import { watchMethods } from './commands/watch.js';
import type { EtcdContext } from './context.js';
import type { GrpcMethods } from './grpc/grpc-call.js';

export function etcdMethods(context: EtcdContext): GrpcMethods {
  return new Map([...leaseMethods(context), ...watchMethods(context)]);
}
