import { SENSITIVITIES } from '../../../gateway/contract/unsafe.ts';
import { createUnsafeDetector } from '../../../gateway/guardrails/detect/unsafe.ts';
import { measureUnsafe, PARTS } from './measure.ts';
import { measureHateCheck, measureModerated, type Count } from './public.ts';

/**
 * `npm run measure:unsafe`: what the guardrail `unsafe-content` finds in the corpus, at each sensitivity; `-- --list`
 * names what it does not. `-- --moderation FILE` and `-- --hatecheck FILE` measure it on public sets, see `public.ts`.
 */
const percent = (share: number): string => `${Math.round(share * 100)} %`;
const fileOf = (option: string): string | undefined => {
  const at = process.argv.indexOf(option);
  return at === -1 ? undefined : process.argv[at + 1];
};
const [moderation, hateCheck] = [fileOf('--moderation'), fileOf('--hatecheck')];

for (const part of PARTS)
  for (const sensitivity of SENSITIVITIES) {
    const { scores, benign, alarms, missed } = measureUnsafe(part, sensitivity);
    console.log(`${part}, sensitivity ${sensitivity}:`);
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
    if (!process.argv.includes('--list') || sensitivity !== 'normal') continue;
    for (const alarm of alarms) console.log(`  false alarm ${alarm}`);
    for (const one of missed) console.log(`  missed ${one}`);
  }

for (const sensitivity of SENSITIVITIES) {
  const detect = createUnsafeDetector({ sensitivity });
  if (moderation !== undefined) show('OpenAI moderation, half', measureModerated(moderation, detect));
  if (hateCheck !== undefined) show('HateCheck', { all: measureHateCheck(hateCheck, detect) });

  function show(name: string, counts: Readonly<Record<string, Count>>): void {
    console.log(`${name}, sensitivity ${sensitivity}:`);
    console.table(
      Object.fromEntries(
        Object.entries(counts).map(([category, { texts, found, benign, wrong }]) => [
          category,
          {
            texts,
            found,
            benign,
            wrong,
            precision: percent(found / (found + wrong)),
            recall: percent(found / texts),
          },
        ]),
      ),
    );
  }
}
