// Settings of an HTTP/2 connection as bytes, in both directions.

import { errorCode, frameBytesMax, Http2Error, settingId, windowBytesMax } from './frames.js';

const settingBytes = 6;

/** What the server asks of its clients. */
export interface ServerSettings {
  /** Streams that a client may have open at a time. */
  readonly streamsMax: number;
  /**
   * Unread bytes that a client may send on one stream, and on all streams of a connection. Never less than what clients
   * begin with: they may send that much before they have read this.
   */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Bytes of all headers of a request (RFC 9113, 10.5.1). */
  readonly headerListBytesMax: number;
}

/** What a client may ask for, as far as it concerns the server. */
export interface ClientSettings {
  /** One after another: it counts how small the table was meanwhile (RFC 7541, 4.2). */
  readonly headerTableBytes: number[];
  /** undefined: unchanged. */
  windowBytes?: number;
}

export function packSettings({ streamsMax, streamWindowBytes, headerListBytesMax }: ServerSettings): Uint8Array {
  const pairs = [
    [settingId.maxConcurrentStreams, streamsMax],
    [settingId.initialWindowSize, streamWindowBytes],
    [settingId.maxHeaderListSize, headerListBytesMax],
  ] as const;
  const payload = new Uint8Array(pairs.length * settingBytes);
  const view = new DataView(payload.buffer);
  for (const [place, [id, value]] of pairs.entries()) {
    view.setUint16(place * settingBytes, id);
    view.setUint32(place * settingBytes + 2, value);
  }
  return payload;
}

/** Throws Http2Error. */
export function readSettings(payload: Uint8Array): ClientSettings {
  if (payload.length % settingBytes !== 0) throw new Http2Error(errorCode.frameSize, 'SETTINGS of a wrong size');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const settings: ClientSettings = { headerTableBytes: [] };
  for (let at = 0; at < payload.length; at += settingBytes) {
    const value = view.getUint32(at + 2);
    switch (view.getUint16(at)) {
      case settingId.headerTableSize:
        settings.headerTableBytes.push(value);
        break;
      case settingId.enablePush:
        if (value > 1) throw new Http2Error(errorCode.protocol, 'ENABLE_PUSH is neither 0 nor 1');
        break;
      case settingId.initialWindowSize:
        if (value > windowBytesMax) throw new Http2Error(errorCode.flowControl, 'INITIAL_WINDOW_SIZE is too large');
        settings.windowBytes = value;
        break;
      case settingId.maxFrameSize:
        // It takes what is sent here, whatever it allows.
        if (value < frameBytesMax || value > 2 ** 24 - 1)
          throw new Http2Error(errorCode.protocol, 'MAX_FRAME_SIZE is out of its range');
        break;
    }
  }
  return settings;
}
