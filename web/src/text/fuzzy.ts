/**
 * How well something fits what a person typed, typos included. Used by the switcher and by searches for people.
 */

/** Letters without their marks, so that `rene` finds René. */
export function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
}

/** Typos forgiven in a query of so many letters. */
function typosMax(length: number): number {
  return length < 4 ? 0 : length < 6 ? 1 : 2;
}

/** Scores above 0 fit. The beginning of the name beats the beginning of a word, that beats what is inside, that beats a typo. */
export function fitScore(name: string, query: string): number {
  const title = fold(name);
  const wanted = fold(query.trim());
  if (wanted === "") return 1;
  if (title === wanted) return 200;
  if (title.startsWith(wanted)) return 100;
  const words = title.split(/[\s._-]+/).filter(Boolean);
  if (words.some((word) => word.startsWith(wanted))) return 60;
  // Several words of a name in any order: `lee an`.
  const parts = wanted.split(/[\s._-]+/).filter(Boolean);
  if (parts.length > 1 && parts.every((part) => words.some((word) => word.startsWith(part)))) return 50;
  // Initials: `dr` for design-review.
  if (words.length > 1 && words.map((word) => word[0]).join("").startsWith(wanted)) return 30;
  if (title.includes(wanted)) return 20;
  const max = typosMax(wanted.length);
  if (max === 0) return 0;
  const distance = Math.min(...[title, ...words].map((word) => prefixDistance(wanted, word, max)));
  return distance <= max ? 12 - 4 * distance : 0;
}

/**
 * Edits that turn the query into a beginning of the word: insertions, deletions, substitutions and swapped neighbours.
 * More than `max` is `max + 1`. The first letter may be wrong only when nothing else is.
 */
export function prefixDistance(query: string, word: string, max: number): number {
  const rows: number[][] = [Array.from({ length: word.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= query.length; i++) {
    const row = [i];
    for (let j = 1; j <= word.length; j++) {
      const same = query[i - 1] === word[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && query[i - 1] === word[j - 2] && query[i - 2] === word[j - 1]) best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    if (Math.min(...row) > max) return max + 1;
    rows.push(row);
  }
  // The rest of the word costs nothing: only a beginning of it was typed.
  const least = Math.min(...rows[query.length]!);
  return least > 1 && query[0] !== word[0] ? max + 1 : least;
}
