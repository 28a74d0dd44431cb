// Add, Set, Delete, Compact: the command goes to the ensemble as it came, the result back as it is.

import { StoreError } from '../../../shared/errors.js';
import type { NativeRequestBody } from '../../../wire/native-messages.js';
import { outputBytes } from '../../../wire/output-codec.js';
import { answerBytesMax } from '../answer-bytes.js';
import { resultFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleWrite(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  body: Extract<NativeRequestBody, { type: 'write' }>,
): void {
  const { id } = request;
  const { actor } = session;
  const bytesMax = answerBytesMax(body.envelope.command, session.limits);
  session.expectAnswer(bytesMax);
  const envelope = actor === undefined ? body.envelope : { ...body.envelope, actor };
  session.service.write(envelope, request.timeoutMs, (result) => {
    try {
      session.expectAnswer(-bytesMax);
      if (bytesMax > 0 && !session.mayHold(outputBytes(result.output))) session.fail(id, givenUp());
      else session.answer(resultFrame(id, result));
    } catch (error) {
      session.broken(error);
    }
  });
}

function givenUp(): StoreError {
  return new StoreError(
    'OUTCOME_UNKNOWN',
    'The answer was given up: the server holds too many that clients do not read',
  );
}
