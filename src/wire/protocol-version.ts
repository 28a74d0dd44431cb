// The one number that names a version of everything between members. Raised by a change that an older member must not
// misread; new fields that it may skip need no new number.

/** In every handshake, in every peer frame and in every election datagram. */
export const protocolVersion = 1;
