// Get: one key, linearizable or local.

import { zxidZero } from '../../../shared/ids.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { recordFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

type GetBody = Extract<NativeRequestBody, { type: 'get' }>;

export function handleGet(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: GetBody,
): void {
  const { id, timeoutMs } = request;
  const wanted = (): boolean => !session.crowded;
  const { actor } = session;
  session.service.get(body.key, { local: body.local, seen: body.seen, timeoutMs, wanted, actor }, (error, result) => {
    try {
      if (error !== null) session.fail(id, error);
      // Nothing was read; it is when there is room: a later state answers the question as well.
      else if (result === null) session.park(() => handleGet(session, request, againOf(body)));
      else session.answer(recordFrame(id, { zxid: session.zxid, revision: result.revision }, result.record));
    } catch (thrown) {
      session.broken(thrown);
    }
  });
}

/** The read point was found already, so the state that is applied is new enough. */
function againOf(body: GetBody): GetBody {
  return { ...body, local: true, seen: zxidZero };
}
