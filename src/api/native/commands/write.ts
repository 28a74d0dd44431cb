// Add, Set, Delete, Compact: the command goes to the ensemble as it came, the result back as it is.

import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { resultFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleWrite(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: Extract<NativeRequestBody, { type: 'write' }>,
): void {
  const { id } = request;
  session.service.write(body.envelope, request.timeoutMs, (result) => session.answer(resultFrame(id, result)));
}
