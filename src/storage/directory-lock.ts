// Keeps a second process out of a data directory. Whoever is in it listens on a Unix socket file of its own in the
// directory; a newcomer publishes its socket first and then connects to all others it finds. Never deletes a live one.
//
// Why a socket: Node has no flock. A listening socket dies with its process (kill -9 included), so no lock is ever stale;
// the kernel answers the connection, so a busy or stopped holder still counts; and it is found by the file and not by a
// process id, so reused ids and containers with separate process or network namespaces on one volume cannot fool it.
// Publishing before looking means that of two newcomers at least one sees the other. Both may, and then both try again.
// It does not reach across machines: a directory on a network file system is for one machine at a time.

import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { DataDirectoryError } from './data-directory-error.js';
import { errorCodeOf, toError } from './durable-files.js';
import { lockFilePattern } from './lock-file-name.js';
import type { DirectoryLock } from './storage-runtime.js';

/** A socket's path has to fit into 104 bytes on some systems. */
const socketPathBytesMax = 100;
const attempts = 4;
/** Pause after seeing another process, milliseconds, drawn anew each time. */
const pauseMs = { from: 20, to: 120 };

/** Throws DataDirectoryError when another process (or this one) has the directory open. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  for (let attempt = 1; ; attempt++) {
    const claim = await Claim.publish(directory);
    let rival: string | undefined;
    try {
      rival = await findRival(claim);
      // Somebody may have taken this socket for a dead one while it was being set up, and removed its file.
      if (rival === undefined && (await isAlive(claim.address(claim.name)))) return claim;
    } catch (error) {
      await claim.release();
      throw new DataDirectoryError(directory, `it cannot be locked: ${toError(error).message}`, { cause: error });
    }
    await claim.release();
    if (attempt === attempts) {
      const pid = rival === undefined ? undefined : lockFilePattern.exec(rival)?.[1];
      throw new DataDirectoryError(directory, `another process${pid === undefined ? '' : ` (${pid})`} is using it`);
    }
    await new Promise((resolve) => setTimeout(resolve, randomInt(pauseMs.from, pauseMs.to)));
  }
}

/** Name of another process's live lock file. Those of dead processes are removed. */
async function findRival(claim: Claim): Promise<string | undefined> {
  for (const name of await readdir(claim.directory)) {
    if (name === claim.name || !lockFilePattern.test(name)) continue;
    if (await isAlive(claim.address(name))) return name;
    await rm(path.join(claim.directory, name), { force: true });
  }
  return undefined;
}

function isAlive(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: address });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = errorCodeOf(error);
      // Anything but "nobody listens" (no permission, queue full) means that somebody may.
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK');
    });
  });
}

class Claim implements DirectoryLock {
  readonly directory: string;
  readonly name: string;
  private readonly server: net.Server;
  /** Open on the directory where its path is too long for a socket's. */
  private readonly directoryFd: number | null;

  static async publish(directory: string): Promise<Claim> {
    const name = `lock-${process.pid}-${randomBytes(8).toString('hex')}`;
    const long = Buffer.byteLength(path.join(directory, name)) > socketPathBytesMax;
    const directoryFd = long ? openSync(directory, 'r') : null;
    const server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.destroy();
    });
    const claim = new Claim(directory, name, server, directoryFd);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ path: claim.address(name), exclusive: true }, resolve);
      });
    } catch (error) {
      if (directoryFd !== null) closeSync(directoryFd);
      throw new DataDirectoryError(directory, `no lock can be made in it: ${toError(error).message}`, { cause: error });
    }
    server.unref();
    return claim;
  }

  private constructor(directory: string, name: string, server: net.Server, directoryFd: number | null) {
    this.directory = directory;
    this.name = name;
    this.server = server;
    this.directoryFd = directoryFd;
  }

  address(name: string): string {
    return this.directoryFd === null ? path.join(this.directory, name) : `/proc/self/fd/${this.directoryFd}/${name}`;
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await rm(path.join(this.directory, this.name), { force: true });
    if (this.directoryFd !== null) closeSync(this.directoryFd);
  }
}
