const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/**
 * A text that holds a unified diff, as it is before or after the change. What belongs to no hunk, and what makes none
 * of a hunk that does not keep its promises, stands in both: whoever decides sees all that there is.
 */
export function sideOf(text: string, before: boolean): string {
  /** Lines of the hunk that are still to come, of the old text and of the new one. */
  let [old, next] = [0, 0];
  const side: string[] = [];
  for (const line of text.split('\n')) {
    const sign = line.charAt(0);
    if (old > 0 && sign === '-') {
      old -= 1;
      if (before) side.push(line.slice(1));
    } else if (next > 0 && sign === '+') {
      next -= 1;
      if (!before) side.push(line.slice(1));
    } else if (old > 0 && next > 0 && (sign === ' ' || line === '')) {
      old -= 1;
      next -= 1;
      side.push(line.slice(1));
    } else {
      side.push(line);
      if (sign === '\\') continue;
      const [hunk, oldLines = '1', newLines = '1'] = HUNK.exec(line) ?? [];
      [old, next] = hunk === undefined ? [0, 0] : [Number(oldLines), Number(newLines)];
    }
  }
  return side.join('\n');
}
