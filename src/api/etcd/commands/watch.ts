// The service Watch: one method, a stream of requests and a stream of answers that any number of watches share.

import type { EtcdContext } from '../context.js';
import { type MethodEntries, streaming } from '../grpc-methods.js';
import { WatchDesk } from '../watch-desk.js';
import { WatchStream } from '../watch-stream.js';

export function watchMethods(context: EtcdContext): MethodEntries {
  const desk = new WatchDesk(context);
  return [streaming(context, '/etcdserverpb.Watch/Watch', (call) => new WatchStream(desk, call))];
}
