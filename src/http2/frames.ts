// The numbers of HTTP/2 (RFC 9113): frame types, flags, error codes, settings and sizes. Nothing but names.

/** Length (3), type (1), flags (1), stream (4). */
export const frameHeadBytes = 9;
/** The largest frame that is taken and sent: what everybody has to take, and nobody is asked for more. */
export const frameBytesMax = 16_384;
export const windowBytesMax = 2 ** 31 - 1;
/** Every window before anybody says otherwise. */
export const initialWindowBytes = 65_535;
/** Of the memory of compressed headers, before anybody says otherwise. */
export const headerTableBytes = 4_096;

/** What a client's connection begins with, before its first frame. */
export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { acknowledged: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export type ErrorCode = (typeof errorCode)[keyof typeof errorCode];

export const settingId = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** What a client did that no client may do. The connection ends with it, or the stream that it names. */
export class Http2Error extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'Http2Error';
    this.code = code;
  }
}
