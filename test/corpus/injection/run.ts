import { measure, PARTS } from './measure.ts';

/** `npm run measure:injection`: how well prompt injection is told from other texts; `-- --list` names what is not. */
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const row = (cells: readonly (string | number)[]): string =>
  cells.map((cell) => String(cell).padStart(13)).join('');

console.log(row(['part', 'attacks', 'found', 'benign', 'false alarms', 'precision', 'recall']));
for (const part of PARTS) {
  const { attacks, found, benign, alarms, precision, recall, missed, alarmed } = measure(part);
  console.log(row([part, attacks, found, benign, alarms, percent(precision), percent(recall)]));
  if (!process.argv.includes('--list')) continue;
  for (const { kind, text } of missed) console.log(`  missed ${kind}: ${JSON.stringify(text)}`);
  for (const { kind, text } of alarmed) console.log(`  false alarm ${kind}: ${JSON.stringify(text)}`);
}
