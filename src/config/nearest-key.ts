// Finds the known word that a misspelt one probably means. Used for keys of configuration files and for commands.

/** Edit distance (insert, delete, substitute, swap of neighbours), case differences counted as nothing. */
export function editDistance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(rows, i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(rows, i - 2, j - 2) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return at(rows, a.length, b.length);
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}

/** The known word nearest to `word`, or undefined when none is near enough to be a guess. */
export function nearestKey(word: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const mistakesMax = mistakesMaxOf(word, candidate);
    // Comparing costs the product of both lengths: what cannot be near is not compared.
    if (Math.abs(word.length - candidate.length) > mistakesMax) continue;
    const distance = editDistance(word, candidate);
    if (distance > mistakesMax || distance >= nearestDistance) continue;
    nearest = candidate;
    nearestDistance = distance;
  }
  return nearest;
}

/** Letters that one word must have at least to be taken as the beginning of another, and the least part of it. */
const beginningLeast = { letters: 3, share: 1 / 3 };

/** A third of the letters may be wrong, as with more almost any word is near some other; a beginning may lack its end. */
function mistakesMaxOf(left: string, right: string): number {
  const [short = '', long = ''] = [left.toLowerCase(), right.toLowerCase()].sort((a, b) => a.length - b.length);
  const isBeginning =
    short.length >= Math.max(beginningLeast.letters, beginningLeast.share * long.length) && long.startsWith(short);
  return isBeginning ? long.length - short.length : Math.floor(long.length / 3);
}
