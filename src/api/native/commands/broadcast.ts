// Broadcast and the subscription to broadcasts: ephemeral messages to whoever listens anywhere.

import type { StoreError } from '../../../shared/errors.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { contained } from '../../front-end-guard.js';
import { okFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleBroadcast(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: Extract<NativeRequestBody, { type: 'broadcast' }>,
): void {
  const { id } = request;
  const done = contained(session, (error: StoreError | null) => {
    if (error === null) session.answer(okFrame(id, session));
    else session.fail(id, error);
  });
  session.service.broadcast(body.payload, request.timeoutMs, done);
}

export function handleBroadcastSubscription(
  session: NativeSession,
  request: { readonly id: number },
  wanted: boolean,
): void {
  session.listenToBroadcasts(wanted);
  session.answer(okFrame(request.id, session));
}
