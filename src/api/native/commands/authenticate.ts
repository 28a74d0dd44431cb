// Authenticate: from now on the connection's requests are made for this user. A failed attempt changes nothing.

import type { Login } from '../../../service/access-service.js';
import type { StoreError } from '../../../shared/errors.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { contained } from '../../front-end-guard.js';
import { okFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleAuthenticate(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: Extract<NativeRequestBody, { type: 'authenticate' }>,
): void {
  const { id } = request;
  const done = contained(session, (error: StoreError | null, login: Login | null) => {
    if (error !== null || login === null) {
      session.fail(id, error);
      return;
    }
    session.loggedIn(login);
    session.answer(okFrame(id, session));
  });
  session.service.access.logIn(body.user, body.password, request.timeoutMs, done);
}
