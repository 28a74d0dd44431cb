// TLS for clients, on the port that takes them without it, too: makes secure sockets of sockets whose first byte says so,
// and reads the certificates again when their files change. What is said inside is for whoever takes the secure socket.

import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import type { ClientTlsConfig } from '../config/node-config.js';
import type { Log } from '../observability/log.js';

/** The type of a record of TLS that begins a connection. */
export const tlsFirstByte = 0x16;

/** How often files are looked at. */
const fileCheckMs = 2_000;

export interface ClientTlsOptions {
  readonly config: ClientTlsConfig;
  readonly handshakeTimeoutMs: number;
  readonly log: Log;
  /** A handshake is done. `commonName`: of the client's certificate, verified; undefined without one. */
  readonly accept: (socket: TLSSocket, commonName: string | undefined) => void;
}

interface Credentials {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

export class ClientTls {
  private readonly options: ClientTlsOptions;
  private readonly server: Server;
  private readonly changed = (): void => this.reload();

  /** Throws one clear error when the files cannot be used. */
  constructor(options: ClientTlsOptions) {
    this.options = options;
    const { config, handshakeTimeoutMs } = options;
    const asked = config.trustedCaFile !== undefined;
    this.server = createServer({
      ...readCredentials(config),
      // In this order: whoever offers both wants a page, not a call, and gRPC alone is spoken over HTTP/2.
      ALPNProtocols: ['http/1.1', 'h2'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: asked,
      // Without a certificate a client may be welcome; with a bad one none is.
      rejectUnauthorized: asked && config.clientCertAuth,
    });
    this.server.on('secureConnection', (socket) => this.secured(socket));
    // Whatever else happens to a handshake is its client's affair.
    this.server.on('tlsClientError', (_, socket) => socket.destroy());
    for (const file of filesOf(config)) {
      watchFile(file, { interval: fileCheckMs, persistent: false }, this.changed);
    }
  }

  /** Takes a connection from its first byte on; bytes that were read already are back in the socket. */
  accept(socket: Socket): void {
    this.server.emit('connection', socket);
  }

  close(): void {
    for (const file of filesOf(this.options.config)) unwatchFile(file, this.changed);
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
      this.server.setSecureContext({ ...readCredentials(config), minVersion: 'TLSv1.2' });
      log.info("Clients' TLS goes on with changed files", { certFile: config.certFile });
    } catch (error) {
      log.warn("Clients' TLS goes on with the old files: the new ones cannot be used", { error });
    }
  }
}

function filesOf({ certFile, keyFile, trustedCaFile }: ClientTlsConfig): string[] {
  return trustedCaFile === undefined ? [certFile, keyFile] : [certFile, keyFile, trustedCaFile];
}

function readCredentials(config: ClientTlsConfig): Credentials {
  const { trustedCaFile } = config;
  const credentials = {
    cert: readPem('CertFile', config.certFile),
    key: readPem('KeyFile', config.keyFile),
    ...(trustedCaFile === undefined ? {} : { ca: readPem('TrustedCaFile', trustedCaFile) }),
  };
  try {
    createSecureContext(credentials);
  } catch (error) {
    throw new Error(`Cannot use the files of ClientTls: ${reasonOf(error)}`, { cause: error });
  }
  return credentials;
}

function readPem(key: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`Cannot read ClientTls.${key} "${file}": ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
