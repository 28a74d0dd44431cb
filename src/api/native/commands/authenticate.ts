// Authenticate: from now on the connection's requests are made for this user. A failed attempt changes nothing.

import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { okFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleAuthenticate(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: Extract<NativeRequestBody, { type: 'authenticate' }>,
): void {
  const { id } = request;
  session.service.access.logIn(body.user, body.password, request.timeoutMs, (error, login) => {
    if (error !== null || login === null) {
      session.fail(id, error);
      return;
    }
    session.loggedIn(login);
    session.answer(okFrame(id, session));
  });
}
