// Which inputs the property tests draw. `npm test` judges a commit, so the same commit draws the same inputs;
// SEED=random (or a number) explores others. A failure prints its seed and path, which make a regression test.

import fc from 'fast-check';

const given = process.env['SEED'];
const seed = given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given ?? 1);
if (!Number.isSafeInteger(seed)) throw new Error(`SEED is "random" or an integer, not ${JSON.stringify(given)}`);
fc.configureGlobal({ seed });
