import type { CallFacts, Decide, Decision } from '../access/decide.ts';
import { createPeople } from '../access/people.ts';
import type { Config } from '../config/schema.ts';
import type { Explanation, explainRequestSchema } from '../contract/access.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { WHOLE_SCOPE, type Principal } from '../identity/principal.ts';
import type { ConfigStore } from '../storage/contracts.ts';
import type * as z from 'zod';
import type { Catalog } from './catalog.ts';
import type { CatalogTool, ServerEntry } from './entry.ts';
import { resolveServer } from './names.ts';
import { quarantineReason } from './pins.ts';
import { toSent } from './shape.ts';

export type ExplainQuestion = z.output<typeof explainRequestSchema>;
type Step = Explanation['steps'][number];

/** What is asked about does not exist; `field` is the input that names it. */
export class UnknownTargetError extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

export interface ExplainDeps {
  readonly catalog: Catalog;
  readonly decide: Decide;
  readonly config: () => Config;
  readonly configStore: Pick<ConfigStore, 'current'>;
  readonly now: () => number;
}

/** Answers why; it asks the same `decide()` that every call asks, from the outside inwards. */
export interface Explain {
  /** The group that a question is about; undefined when it is about more. Throws an `UnknownTargetError`. */
  groupOf(question: ExplainQuestion): string | undefined;
  /** `asker` is the principal when the question names none. Throws an `UnknownTargetError`. */
  answer(asker: Principal, question: ExplainQuestion): Explanation;
}

export function createExplain(deps: ExplainDeps): Explain {
  const find = ({ server }: ExplainQuestion): ServerEntry | undefined =>
    server === undefined ? undefined : serverNamed(deps, server);
  return {
    groupOf: (question) => find(question)?.group ?? question.group,
    answer: (asker, question) => {
      const principal = principalOf(deps, asker, question);
      const entry = find(question);
      const steps = untilDenied(
        entry === undefined ? outside(deps, principal, question) : inside(deps, principal, entry, question),
      );
      const last = steps.at(-1);
      if (last === undefined) throw new Error('a question without a check');
      const person = createPeople(deps.config().subjects)(principal);
      const teams = [...person.names].flatMap((name) => (name.startsWith('team:') ? [name.slice(5)] : []));
      return {
        effect: last.effect,
        rule: last.rule,
        reason: last.reason,
        principal: { subject: principal.subject, teams, administrator: person.administrator },
        target: targetOf(deps.config(), entry, question),
        steps,
      };
    },
  };
}

function serverNamed({ catalog, config }: ExplainDeps, name: string): ServerEntry {
  const { tenant } = config();
  const [found, ...more] = resolveServer(name, catalog.entries(), [tenant.name, ...tenant.aliases]);
  if (found !== undefined && more.length === 0) return found;
  throw new UnknownTargetError('server', `there is no one server "${name}"; write group:server`);
}

function principalOf({ configStore }: ExplainDeps, asker: Principal, question: ExplainQuestion): Principal {
  const { subject, token, teams } = question;
  if (token !== undefined) {
    const record = configStore.current().tokens.find(({ id }) => id === token);
    if (record === undefined)
      throw new UnknownTargetError('token', `there is no token with the id "${token}"`);
    const { administrator, scope } = record;
    return { subject: record.subject, tokenId: token, administrator, claims: { teams }, scope };
  }
  if (subject === undefined) return asker;
  return { subject, tokenId: '', administrator: true, claims: { teams }, scope: WHOLE_SCOPE };
}

/** Checks that are about no server. */
function* outside(
  { decide, config }: ExplainDeps,
  principal: Principal,
  question: ExplainQuestion,
): Generator<Step> {
  const { group, manage, model } = question;
  if (group !== undefined && !config().groups.some(({ name }) => name === group))
    throw new UnknownTargetError('group', `there is no group "${group}"`);
  if (manage) {
    const asked = decide(principal, { action: 'manage', ...(group !== undefined && { group }) });
    yield step(group === undefined ? 'gateway' : 'group', asked);
  } else if (group !== undefined) yield step('group', decide(principal, { action: 'enter', group }));
  if (model !== undefined)
    yield step('model', decide(principal, { action: 'model', model: modelNamed(config(), model) }));
}

function* inside(
  { decide, catalog, config, now }: ExplainDeps,
  principal: Principal,
  entry: ServerEntry,
  question: ExplainQuestion,
): Generator<Step> {
  const { id: serverId } = entry;
  yield step('group', decide(principal, { action: 'enter', group: entry.group }));
  yield step('server', decide(principal, { action: 'see', serverId }));
  if (question.tool === undefined) return;
  const known = entry.tools.get(question.tool) ?? entry.quarantined.tools.get(question.tool);
  // A tool that was never listed can be asked about: rules go by names too.
  const tool = known ?? { name: question.tool };
  yield step('tool', decide(principal, { action: 'use', serverId, tool }));
  const model = question.model === undefined ? '' : modelNamed(config(), question.model);
  if (question.arguments !== undefined || model !== '') {
    const call: CallFacts = { args: sentArguments(serverId, known, question.arguments), model, at: now() };
    yield step('call', decide(principal, { action: 'use', serverId, tool, call }));
  }
  if (!entry.quarantined.tools.has(question.tool)) return;
  const reason = quarantineReason(
    catalog.entry(serverId) ?? { fqn: serverId },
    'tool',
    question.tool,
    known?.own.name,
  );
  yield { check: 'review', effect: 'deny', rule: 'pins', reason };
}

/** What the server would get of these arguments, which is what conditions are asked of. */
function sentArguments(serverId: string, tool: CatalogTool | undefined, given: unknown): JsonObject {
  const args = isJsonObject(given) ? given : {};
  const sent = tool && toSent(serverId, tool, args);
  return sent === undefined || 'taken' in sent ? args : sent.arguments;
}

function modelNamed({ models }: Config, name: string): string {
  return Object.hasOwn(models.aliases, name) ? (models.aliases[name] ?? name) : name;
}

function step(check: Step['check'], { effect, rule, reason }: Decision): Step {
  return { check, effect, rule, reason };
}

function untilDenied(steps: Iterable<Step>): Step[] {
  const asked: Step[] = [];
  for (const one of steps) {
    asked.push(one);
    if (one.effect === 'deny') break;
  }
  return asked;
}

function targetOf({ tenant }: Config, entry: ServerEntry | undefined, question: ExplainQuestion): string {
  if (entry !== undefined) return question.tool === undefined ? entry.fqn : `${entry.fqn}:${question.tool}`;
  return question.group ?? question.model ?? tenant.name;
}
