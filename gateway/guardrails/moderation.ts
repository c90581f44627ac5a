import * as z from 'zod';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import { PASS, type Subject, type Verdict } from './guard.ts';
import type { Outside } from './outside.ts';
import { gatherTexts } from './texts.ts';

type ModerationConfig = Extract<GuardrailConfig, { kind: 'moderation' }>;

/** OpenAI, `POST /v1/moderations`. */
const answerSchema = z.object({
  results: z
    .array(
      z.object({
        flagged: z.boolean(),
        categories: z.record(z.string(), z.boolean()),
        category_scores: z.record(z.string(), z.number()),
      }),
    )
    .min(1),
});

/** Characters that are sent at once. */
export const MODERATED_CHARS = 100_000;

/** Asks OpenAI's moderation service, or one that speaks its wire. */
export async function askModeration(
  { name, apiKey, baseUrl, model, thresholds, allowPrivateAddress }: ModerationConfig,
  { hook, value }: Subject,
  { fetchAnswer, resolve }: Outside,
): Promise<Verdict> {
  const input = gatherTexts(value, { numbers: 1, hook, onlyTools: false }).texts.join('\n');
  if (input.trim() === '') return PASS;
  if (input.length > MODERATED_CHARS) throw new Error(`the text is over ${MODERATED_CHARS} characters`);
  const headers = { authorization: `Bearer ${resolve(apiKey)}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ model, input });
  const url = `${baseUrl.replace(/\/$/, '')}/moderations`;
  const response = await fetchAnswer(url, { method: 'POST', headers, body }, allowPrivateAddress);
  if (!response.ok) throw new Error(`it answered HTTP ${response.status}`);
  const { results } = answerSchema.parse(await response.json());
  const categories = results.flatMap(({ flagged, categories: named, category_scores: scores }) =>
    Object.keys(thresholds).length === 0
      ? Object.keys(named).filter((category) => flagged && named[category] === true)
      : Object.entries(thresholds).flatMap(([category, least]) =>
          (scores[category] ?? 0) >= least ? [category] : [],
        ),
  );
  if (categories.length === 0) return PASS;
  return { is: 'block', words: `${name} found ${[...new Set(categories)].join(', ')}` };
}
