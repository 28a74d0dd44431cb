// What every request of a client may say, and what every write is answered.

import type { Revision, Zxid } from '../shared/ids.js';

export interface RequestOptions {
  readonly timeoutMs?: number;
}

export interface WriteResult {
  readonly revision: Revision;
  readonly zxid: Zxid;
}
