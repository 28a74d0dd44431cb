// Which level of etcd's API is implemented, in the words of etcd's own versions, for clients that ask.

/** As a server says it. */
export const etcdServerVersion = '3.5.21';
/** As a cluster of such servers says it. */
export const etcdClusterVersion = '3.5.0';
