import { measureUnsafe, PARTS } from './measure.ts';

/** `npm run measure:unsafe`: what the guardrail `unsafe-content` finds in the corpus; `-- --list` names what it does not. */
const percent = (share: number): string => `${Math.round(share * 100)} %`;
for (const part of PARTS) {
  const { scores, benign, alarms, missed } = measureUnsafe(part);
  console.log(`${part}:`);
  console.table(
    Object.fromEntries(
      Object.entries(scores).map(([category, { precision, recall, ...counts }]) => [
        category,
        { ...counts, precision: percent(precision), recall: percent(recall) },
      ]),
    ),
  );
  console.log(
    `${alarms.length} of ${benign} benign texts were taken for unsafe; ${missed.length} were missed`,
  );
  if (!process.argv.includes('--list')) continue;
  for (const alarm of alarms) console.log(`  false alarm ${alarm}`);
  for (const one of missed) console.log(`  missed ${one}`);
}
