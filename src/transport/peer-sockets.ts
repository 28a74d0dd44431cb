// What members speak over: a TCP connection as it is, or TLS inside of it. Whoever is at the other end of TLS is judged here
// by its certificate, before anything is said; what is said then is for others to judge.

import { constants } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  createServer,
  type PeerCertificate,
  type SecureContext,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { assert } from '../shared/assert.js';
import { reasonOf } from './listen-address.js';
import type { PeerTlsOptions, TransportLog } from './network-options.js';
import { type TlsCredentials, TlsFiles, tlsFirstByte } from './tls-files.js';

export interface PeerSocket {
  readonly socket: Socket;
  /** Is the certificate of the other side one for this host? Undefined without TLS. */
  readonly certifies: ((host: string) => boolean) | undefined;
  /** Why nobody is spoken to over it. To be told to the other side, and nothing else. */
  readonly objection: string | undefined;
}

/** One of the two, at most once. A connection that ends before says so by its own events. */
export interface PeerSocketOutcome {
  ready(made: PeerSocket): void;
  failed(reason: string): void;
}

export interface PeerSockets {
  /** Throws one clear error when it cannot be; more than once does nothing. */
  open(): void;
  /** Of a connection that came, before its first byte was read. */
  accept(socket: Socket, outcome: PeerSocketOutcome): void;
  /** Of a connection that was made to this host. */
  connect(socket: Socket, host: string, outcome: PeerSocketOutcome): void;
  close(): void;
}

export class PlainPeerSockets implements PeerSockets {
  open(): void {
    // Nothing is needed.
  }

  accept(socket: Socket, { ready }: PeerSocketOutcome): void {
    ready({ socket, certifies: undefined, objection: undefined });
  }

  connect(socket: Socket, _host: string, { ready }: PeerSocketOutcome): void {
    ready({ socket, certifies: undefined, objection: undefined });
  }

  close(): void {
    // Nothing is held.
  }
}

/** Both sides show a certificate and ask for one, each with the same files. */
export class TlsPeerSockets implements PeerSockets {
  readonly #options: PeerTlsOptions;
  readonly #log: TransportLog;
  readonly #files: TlsFiles;
  #opened: { readonly server: Server; context: SecureContext } | undefined;
  /** Accepted ones in their TLS handshake, by both addresses. */
  readonly #handshaking = new Map<string, PeerSocketOutcome>();

  /** `fileCheckMs`: how often the files are looked at. */
  constructor(options: PeerTlsOptions, log: TransportLog, fileCheckMs?: number) {
    this.#options = options;
    this.#log = log;
    this.#files = new TlsFiles('PeerTls', options, fileCheckMs);
  }

  open(): void {
    if (this.#opened !== undefined) return;
    const settings = settingsOf(this.#files.read());
    // Nobody is turned away by it without a word: all are judged by `objectionTo`, and told.
    const server = createServer({ ...settings, requestCert: true, rejectUnauthorized: false });
    server.on('secureConnection', (socket) => this.#secured(socket));
    server.on('tlsClientError', (error, socket) => {
      this.#take(socket)?.failed(tlsReasonOf(error));
      socket.destroy();
    });
    this.#opened = { server, context: createSecureContext(settings) };
    this.#files.watch(() => this.#reload());
  }

  accept(socket: Socket, outcome: PeerSocketOutcome): void {
    socket.once('data', (first: Buffer) => {
      if (first[0] !== tlsFirstByte) {
        const objection = 'the connector does not speak TLS, which PeerTls asks for here';
        outcome.ready({ socket, certifies: undefined, objection });
        return;
      }
      socket.pause();
      socket.unshift(first);
      const place = placeOf(socket);
      this.#handshaking.set(place, outcome);
      socket.once('close', () => {
        if (this.#handshaking.get(place) === outcome) this.#handshaking.delete(place);
      });
      this.#use().server.emit('connection', socket);
    });
  }

  connect(tcp: Socket, host: string, outcome: PeerSocketOutcome): void {
    const socket = connect({
      socket: tcp,
      // An address is no name to ask for.
      servername: isIP(host) === 0 ? host : '',
      secureContext: this.#use().context,
      // As for those that are accepted: judged below, and told.
      rejectUnauthorized: false,
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
    });
    socket.on('error', (error) => outcome.failed(tlsReasonOf(error)));
    socket.once('secureConnect', () => outcome.ready(this.#judged(socket, 'acceptor', host)));
  }

  close(): void {
    this.#files.close();
    this.#handshaking.clear();
  }

  #use(): { readonly server: Server; context: SecureContext } {
    assert(this.#opened !== undefined, 'The certificates of this member are not open');
    return this.#opened;
  }

  #secured(socket: TLSSocket): void {
    const outcome = this.#take(socket);
    if (outcome === undefined) {
      socket.destroy();
      return;
    }
    socket.on('error', (error) => outcome.failed(tlsReasonOf(error)));
    outcome.ready(this.#judged(socket, 'connector', undefined));
  }

  #take(socket: Socket): PeerSocketOutcome | undefined {
    const place = placeOf(socket);
    const outcome = this.#handshaking.get(place);
    this.#handshaking.delete(place);
    return outcome;
  }

  #judged(socket: TLSSocket, side: 'connector' | 'acceptor', host: string | undefined): PeerSocket {
    const certificate = socket.getPeerCertificate();
    return {
      socket,
      certifies: (wanted) => checkServerIdentity(wanted, certificate) === undefined,
      objection: this.#objectionTo(certificate, socket, side, host),
    };
  }

  #objectionTo(
    certificate: PeerCertificate,
    socket: TLSSocket,
    side: 'connector' | 'acceptor',
    host: string | undefined,
  ): string | undefined {
    // What a connection without one gives.
    if (Object.keys(certificate).length === 0) return `the ${side} has no certificate`;
    if (!socket.authorized) {
      const code = String(socket.authorizationError);
      return `the certificate of the ${side} ${problemOf(code, host)}`;
    }
    const { allowedCommonName, allowedHostname } = this.#options;
    if (allowedCommonName !== undefined && certificate.subject.CN !== allowedCommonName)
      return `the certificate of the ${side} has another common name than PeerTls.AllowedCommonName`;
    if (allowedHostname !== undefined && checkServerIdentity(allowedHostname, certificate) !== undefined)
      return `the certificate of the ${side} is not for PeerTls.AllowedHostname`;
    return undefined;
  }

  #reload(): void {
    const { certFile } = this.#options;
    try {
      const settings = settingsOf(this.#files.read());
      const opened = this.#use();
      opened.server.setSecureContext(settings);
      opened.context = createSecureContext(settings);
      this.#log.info("Members' TLS goes on with changed files", { certFile });
    } catch (error) {
      this.#log.warn("Members' TLS goes on with the old files: the new ones cannot be used", { error });
    }
  }
}

function settingsOf(credentials: TlsCredentials): TlsCredentials & {
  readonly minVersion: 'TLSv1.2';
  readonly secureOptions: number;
} {
  // No session is taken up again: every connection's certificates are looked at.
  return { ...credentials, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET };
}

/** Of one connection at a time; TLS gives no other way from what it secured back to what it was given. */
function placeOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

function problemOf(code: string, host: string | undefined): string {
  if (code === 'CERT_HAS_EXPIRED') return 'has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'is not valid yet';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `is not for ${host}`;
  return `is not vouched for by PeerTls.TrustedCaFile (${code})`;
}

function tlsReasonOf(error: Error): string {
  if ('code' in error && error.code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return 'the other side does not speak TLS, which PeerTls asks for here';
  // The message of OpenSSL names its source files.
  return 'reason' in error && typeof error.reason === 'string' ? `TLS: ${error.reason}` : reasonOf(error);
}
