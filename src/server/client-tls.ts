// TLS for clients, on the port that takes them without it, too: makes secure sockets of sockets whose first byte says so,
// and reads the certificates again when their files change. What is said inside is for whoever takes the secure socket.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ClientTlsConfig } from '../config/node-config.js';
import type { Log } from '../observability/log.js';
import { TlsFiles } from '../transport/tls-files.js';

export interface ClientTlsOptions {
  readonly config: ClientTlsConfig;
  readonly handshakeTimeoutMs: number;
  readonly log: Log;
  /** A handshake is done. `commonName`: of the client's certificate, verified; undefined without one. */
  readonly accept: (socket: TLSSocket, commonName: string | undefined) => void;
  /** Does the work, and lets what it throws cost this connection alone. */
  readonly contain: (socket: TLSSocket, work: () => void) => void;
}

export class ClientTls {
  private readonly options: ClientTlsOptions;
  private readonly server: Server;
  private readonly files: TlsFiles;

  /** Throws one clear error when the files cannot be used. */
  constructor(options: ClientTlsOptions) {
    this.options = options;
    const { config, handshakeTimeoutMs } = options;
    this.files = new TlsFiles('ClientTls', config);
    const asked = config.trustedCaFile !== undefined;
    this.server = createServer({
      ...this.files.read(),
      // In this order: whoever offers both wants a page, not a call, and gRPC alone is spoken over HTTP/2.
      ALPNProtocols: ['http/1.1', 'h2'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: asked,
      // Without a certificate a client may be welcome; with a bad one none is.
      rejectUnauthorized: asked && config.clientCertAuth,
    });
    this.server.on('secureConnection', (socket) => options.contain(socket, () => this.secured(socket)));
    // Whatever else happens to a handshake is its client's affair.
    this.server.on('tlsClientError', (_, socket) => socket.destroy());
    this.files.watch(() => this.reload());
  }

  /** Takes a connection from its first byte on; bytes that were read already are back in the socket. */
  accept(socket: Socket): void {
    this.server.emit('connection', socket);
  }

  close(): void {
    this.files.close();
  }

  private secured(socket: TLSSocket): void {
    const certificate = socket.getPeerCertificate();
    const given = Object.keys(certificate).length > 0;
    if (given && !socket.authorized) {
      socket.destroy();
      return;
    }
    const name: unknown = given ? certificate.subject.CN : undefined;
    this.options.accept(socket, typeof name === 'string' ? name : undefined);
  }

  private reload(): void {
    const { config, log } = this.options;
    try {
      this.server.setSecureContext({ ...this.files.read(), minVersion: 'TLSv1.2' });
      log.info("Clients' TLS goes on with changed files", { certFile: config.certFile });
    } catch (error) {
      log.warn("Clients' TLS goes on with the old files: the new ones cannot be used", { error });
    }
  }
}
