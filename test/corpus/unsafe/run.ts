import { measureUnsafe } from './measure.ts';

/** Prints what the guardrail `unsafe-content` finds in the corpus beside this file. */
const { scores, benign, alarms, missed } = measureUnsafe();
const percent = (share: number): string => `${Math.round(share * 100)} %`;
console.table(
  Object.fromEntries(
    Object.entries(scores).map(([category, { precision, recall, ...counts }]) => [
      category,
      { ...counts, precision: percent(precision), recall: percent(recall) },
    ]),
  ),
);
console.log(`${alarms.length} of ${benign} benign texts were taken for unsafe`);
for (const alarm of alarms) console.log(`  ${alarm}`);
console.log(`${missed.length} were missed`);
for (const one of missed) console.log(`  ${one}`);
