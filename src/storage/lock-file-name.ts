// The names of lock files, by which a data directory knows them from files that are not its own.

/** `lock-<process id>-<random>`. */
export const lockFilePattern = /^lock-([0-9]{1,10})-[0-9a-f]{16}$/;
