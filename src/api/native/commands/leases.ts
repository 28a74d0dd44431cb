// ListLeases: which leases there are, linearizable or local.

import { zxidZero } from '../../../shared/ids.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { contained } from '../../front-end-guard.js';
import { okFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleListLeases(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: Extract<NativeRequestBody, { type: 'listLeases' }>,
): void {
  const { id, timeoutMs } = request;
  const wanted = (): boolean => !session.crowded;
  const { actor } = session;
  const options = { local: body.local, seen: body.seen, timeoutMs, wanted, actor };
  const done: Parameters<typeof session.service.leases>[1] = (error, result) => {
    if (error !== null) session.fail(id, error);
    // Nothing was read; it is when there is room: a later state answers the question as well.
    else if (result === null) {
      session.park(() => handleListLeases(session, request, { ...body, local: true, seen: zxidZero }));
    } else {
      const standing = { zxid: session.zxid, revision: result.revision };
      session.answer(okFrame(id, standing, { type: 'leases', ids: result.ids }));
    }
  };
  session.service.leases(options, contained(session, done));
}
