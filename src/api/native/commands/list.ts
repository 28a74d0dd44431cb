// List: one page of a range, linearizable or local, now or at a revision.

import { compareBytes } from '../../../shared/bytes.js';
import { StoreError } from '../../../shared/errors.js';
import { zxidZero } from '../../../shared/ids.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { listPayload, okFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';
import { endsOf } from './key-range.js';

type ListBody = Extract<NativeRequestBody, { type: 'list' }>;

export function handleList(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: ListBody,
): void {
  const { id, timeoutMs } = request;
  const { from, to } = endsOf(body.range);
  if (body.page.length > 0 && compareBytes(body.page, from) < 0) {
    const error = new StoreError('INVALID_ARGUMENT', 'The page begins before the range');
    session.fail(id, error);
    return;
  }
  const range = {
    from: body.page.length > 0 ? body.page : from,
    to,
    at: body.revision === 0 ? undefined : body.revision,
    limit: body.limit,
    bytesMax: session.limits.rangeBytesMax,
    keysOnly: body.keysOnly,
  };
  const wanted = (): boolean => !session.crowded;
  const { actor } = session;
  const options = { local: body.local, seen: body.seen, timeoutMs, wanted, actor };
  session.service.range(range, options, (error, result) => {
    try {
      if (error !== null) session.fail(id, error);
      // Nothing was read; it is when there is room: a later state answers the question as well.
      else if (result === null) {
        session.park(() => handleList(session, request, { ...body, local: true, seen: zxidZero }));
      } else {
        const standing = { zxid: session.zxid, revision: result.revision };
        session.answer(okFrame(id, standing, listPayload(result.records, result.next)));
      }
    } catch (thrown) {
      session.broken(thrown);
    }
  });
}
