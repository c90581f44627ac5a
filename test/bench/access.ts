import { randomBytes } from 'node:crypto';
import { createDecide, type AccessRequest } from '../../gateway/access/decide.ts';
import { parseConfig } from '../../gateway/config/load.ts';
import { WHOLE_SCOPE, type TokenScope } from '../../gateway/identity/principal.ts';
import { createIdentity } from '../../gateway/identity/identity.ts';
import { createTokens } from '../../gateway/identity/tokens.ts';
import type { Verdict } from './report.ts';
import type { ConfigState, ConfigStore } from '../../gateway/storage/contracts.ts';

/**
 * What authentication and decision cost a call, with 1,000 tokens, 100 groups, 1,000 servers and 10,000 tools: half of the
 * tokens narrowed, a rule with a condition for every tool that is called.
 */
export interface AccessCost {
  readonly authenticateUs: number;
  readonly decideUs: number;
}

const BUDGET_US = 15;
const TOKENS = 1_000;
const GROUPS = 100;
const SERVERS_EACH = 10;
const TOOLS_EACH = 10;

export async function measureAccess(calls = 200_000): Promise<AccessCost> {
  const store = memoryStore();
  const key = randomBytes(32);
  const tokens = createTokens({ store, key, now: Date.now });
  const values: string[] = [];
  for (let at = 0; at < TOKENS; at++) {
    const scope: TokenScope =
      at % 2 === 0 ? WHOLE_SCOPE : { ...WHOLE_SCOPE, servers: everyServerOf(at % GROUPS) };
    const wanted = { name: `t${at}`, subject: `user:u${at}`, administrator: false, scope, expires: null };
    values.push((await tokens.create(wanted)).value);
  }
  const identity = createIdentity({ store, key, now: Date.now });
  const decide = createDecide(config());
  const pick = (at: number): AccessRequest => {
    const server = `g${at % GROUPS}:s${at % SERVERS_EACH}`;
    const call = { args: { database: 'sales', rows: at }, model: 'openai/gpt', at: 0 };
    return { action: 'use', serverId: server, tool: { name: `tool${at % TOOLS_EACH}` }, call };
  };
  const principals = values.map((value) => identity.authenticate(value));
  let allowed = 0;
  const decideAll = (count: number): void => {
    for (let at = 0; at < count; at++) {
      const principal = principals[at % TOKENS];
      if (principal && decide(principal, pick(at)).effect === 'allow') allowed++;
    }
  };
  const authenticateAll = (count: number): void => {
    for (let at = 0; at < count; at++) {
      const principal = identity.authenticate(values[at % TOKENS] ?? '');
      if (principal === undefined || !identity.holds(principal)) throw new Error('a token was refused');
    }
  };
  const cost = {
    authenticateUs: perCall(authenticateAll, calls),
    decideUs: perCall(decideAll, calls),
  };
  if (allowed === 0) throw new Error('nothing was allowed');
  return cost;
}

export function judgeAccess({ authenticateUs, decideUs }: AccessCost): Verdict {
  const total = authenticateUs + decideUs;
  return {
    budget: `authentication and decision under ${BUDGET_US} µs a call with 1,000 tokens, 100 groups, 1,000 servers, 10,000 tools`,
    measured: `${total.toFixed(1)} µs (${authenticateUs.toFixed(1)} + ${decideUs.toFixed(1)})`,
    met: total < BUDGET_US,
  };
}

function perCall(work: (count: number) => void, calls: number): number {
  work(calls / 10);
  const began = performance.now();
  work(calls);
  return ((performance.now() - began) * 1_000) / calls;
}

function everyServerOf(group: number): string[] {
  return Array.from({ length: SERVERS_EACH }, (_, at) => `g${group}:s${at}`);
}

function config(): Parameters<typeof createDecide>[0] {
  const tools = Array.from({ length: TOOLS_EACH }, (_, at) => ({
    match: `tool${at}`,
    effect: 'allow',
    when: 'args.database != "hr" || "hr" in principal.teams',
  }));
  const servers = Array.from({ length: SERVERS_EACH }, (_, at) => ({ name: `s${at}`, command: 'x', tools }));
  const groups = Array.from({ length: GROUPS }, (_, at) => ({
    name: `g${at}`,
    access: { use: [`team:t${at % 10}`, 'everyone'] },
    servers,
  }));
  const teams = Array.from({ length: 10 }, (_, at) => ({ name: `t${at}`, members: [`user:u${at}`] }));
  const parsed = parseConfig(JSON.stringify({ version: 1, subjects: { teams }, groups }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.config;
}

function memoryStore(): ConfigStore {
  let state: ConfigState = { version: 1, tokens: [], pins: [], consents: [] };
  return {
    current: () => state,
    catchUp: () => undefined,
    update: (change) => Promise.resolve((state = change(state))),
    onChange: () => () => undefined,
    close: () => Promise.resolve(),
  };
}
