// Takes out of a complaint about a command line what may be a password in it. The complaint repeats arguments in single
// quotes; it is printed where others may read it.

/** An option that is not known, and what was given with it. */
const givenValue = / '(--?[\w-]+)=.*'/s;
/** An argument with an @: all of it that stands before the last one. Names of options stay. */
const beforeAt = / '(?!--?[\w-]+[ ,'=]).*@/s;

export function maskedArguments(complaint: string): string {
  return complaint.replace(givenValue, " '$1=…'").replace(beforeAt, " '…@");
}
