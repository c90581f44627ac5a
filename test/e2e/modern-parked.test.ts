import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURE, startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { toolgate } from '../support/cli.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask, connectModern, send, type Caller, type Message } from '../support/modern.ts';
import { processesWith } from '../support/processes.ts';

/** Tells the fixture's processes of this run apart. */
const MARK = `parked-${process.pid}`;
const WITH_FORMS = { capabilities: { elicitation: {} } };
const WHO = { name: 'test_elicitation', arguments: { message: 'Who?' } };
/** Asks, and gives a state out in both eras. */
const CONFIRM = { name: 'test_input_required_result_request_state', arguments: {} };
const ADA = { action: 'accept', content: { username: 'ada', email: 'ada@example.com', ok: 'yes' } };

let fixture: RunningFixture;
let gateway: RunningGateway;

beforeAll(async () => {
  fixture = await startFixture();
  const stdio = `command: node, args: ["${FIXTURE}"], env: { MARK: "${MARK}" }`;
  gateway = await startGateway({
    config: configOf({
      common: [
        `{ name: legacy, ${stdio}, protocol: legacy }`,
        `{ name: modern, ${stdio}, protocol: modern }`,
        `{ name: http, url: "${fixture.url}", allowPrivateAddress: true, protocol: legacy }`,
        `{ name: hasty, ${stdio}, protocol: legacy, timeouts: { call: 2s } }`,
      ],
      other: [`{ name: legacy, ${stdio}, protocol: legacy }`],
    }),
  });
  await ask(gateway, '/mcp', 'tools/list');
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
});

async function tokenOf(name: string): Promise<Caller & { readonly id: string }> {
  const where = ['--config', gateway.configFile, '--data', gateway.dataDir];
  const { stdout, stderr, code } = await toolgate(['token', 'create', ...where, '--name', name, '--json']);
  expect(code, stderr).toBe(0);
  return { ...(JSON.parse(stdout) as { id: string; token: string }), address: gateway.address };
}

interface Parked {
  readonly requestState: string;
  readonly key: string;
}

/** Calls a tool that asks, and gives what its retry needs. */
async function park(caller: Caller, path: string, params: Record<string, unknown> = WHO): Promise<Parked> {
  const { result } = await ask(caller, path, 'tools/call', params, WITH_FORMS);
  expect(result).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) as string });
  expect(result).not.toHaveProperty('ttlMs');
  const [key] = Object.keys(result?.['inputRequests'] as object);
  return { requestState: result?.['requestState'] as string, key: key! };
}

const retry = (
  caller: Caller,
  path: string,
  { requestState, key }: Parked,
  params: Record<string, unknown> = WHO,
  answer: unknown = ADA,
): Promise<Message & { status: number }> =>
  ask(
    caller,
    path,
    'tools/call',
    { ...params, inputResponses: { [key]: answer }, requestState },
    { ...WITH_FORMS, id: 2 },
  );
const REFUSED = { status: 200, error: { code: -32602 } };
const DONE = { result: { resultType: 'complete', content: [{ type: 'text' }] } };

describe.each(['legacy', 'modern'])('a call of a %s server that waits for its client', (server) => {
  const path = `/mcp/common/${server}`;

  it('goes on with the retry, which may write its parameters in another order', async () => {
    const parked = await park(gateway, path, CONFIRM);
    const { arguments: args, name } = CONFIRM;
    expect(await retry(gateway, path, parked, { arguments: args, name })).toMatchObject(DONE);
  });

  it('does not go on with a state that was altered', async () => {
    const parked = await park(gateway, path, CONFIRM);
    for (const requestState of [
      `${parked.requestState}A`,
      `${parked.requestState}=`,
      parked.requestState.slice(1),
      parked.requestState.slice(0, -2),
      parked.requestState.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
    ])
      expect(await retry(gateway, path, { ...parked, requestState }, CONFIRM)).toMatchObject(REFUSED);
    expect(await retry(gateway, path, parked, CONFIRM)).toMatchObject(DONE);
  });

  it('does not go on for another caller, at another address or with other parameters', async () => {
    const mallory = await tokenOf(`mallory-${server}`);
    const parked = await park(gateway, path, CONFIRM);
    expect(await retry(mallory, path, parked, CONFIRM)).toMatchObject(REFUSED);
    expect(await retry(gateway, '/mcp/other/legacy', parked, CONFIRM)).toMatchObject(REFUSED);
    expect(await retry(gateway, path, parked, { ...CONFIRM, arguments: { more: 1 } })).toMatchObject(REFUSED);
    const other = { name: 'test_elicitation_sep1034_defaults', arguments: {} };
    expect(await retry(gateway, path, parked, other)).toMatchObject(REFUSED);
    expect(await retry(gateway, path, parked, CONFIRM)).toMatchObject(DONE);
  });

  it('does not go on once the token is revoked', async () => {
    const carol = await tokenOf(`carol-${server}`);
    const parked = await park(carol, path, CONFIRM);
    const where = ['--config', gateway.configFile, '--data', gateway.dataDir];
    await toolgate(['token', 'revoke', carol.id, ...where]);
    await expect
      .poll(async () => (await ask(carol, path, 'tools/list')).status, { timeout: 20_000 })
      .toBe(401);
    expect(await retry(carol, path, parked, CONFIRM)).toMatchObject({ status: 401 });
  });
});

describe('a parked call', () => {
  const path = '/mcp/common/legacy';

  it('is asked again for what is missing, and takes each state once', async () => {
    const first = await park(gateway, path);
    const again = await ask(
      gateway,
      path,
      'tools/call',
      { ...WHO, inputResponses: { other: ADA }, requestState: first.requestState },
      WITH_FORMS,
    );
    expect(again.result).toMatchObject({ resultType: 'input_required' });
    const second = { key: first.key, requestState: again.result?.['requestState'] as string };
    expect(second.requestState).not.toBe(first.requestState);
    expect(await retry(gateway, path, first)).toMatchObject(REFUSED);
    expect(await retry(gateway, path, second)).toMatchObject(DONE);
    expect(await retry(gateway, path, second)).toMatchObject(REFUSED);
  });

  it('refuses an answer that is none, and still waits', async () => {
    const parked = await park(gateway, path);
    for (const answer of [1, null, { content: {} }, { action: 'perhaps' }])
      expect(await retry(gateway, path, parked, WHO, answer)).toMatchObject(REFUSED);
    expect(await retry(gateway, path, parked, WHO, { action: 'decline' })).toMatchObject(DONE);
  });

  it('has all the time of its person, whatever the limit of the server', async () => {
    const parked = await park(gateway, '/mcp/common/hasty');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await retry(gateway, '/mcp/common/hasty', parked)).toMatchObject(DONE);
  });

  it('is one of 32 at most', async () => {
    const dave = await tokenOf('dave');
    for (let count = 0; count < 32; count++) await park(dave, '/mcp/common/http');
    const { result, error } = await ask(dave, '/mcp/common/http', 'tools/call', WHO, WITH_FORMS);
    expect(JSON.stringify(result ?? error)).toContain('32 calls of yours wait for answers');
    // It is nobody else's limit.
    await park(gateway, '/mcp/common/http');
  });

  it('is not asked for in aggregates, where servers are told that nobody can be asked', async () => {
    const params = { name: 'legacy__test_elicitation', arguments: { message: 'Who?' } };
    const { result, error } = await ask(gateway, '/mcp/other', 'tools/call', params, WITH_FORMS);
    expect(result?.['resultType']).not.toBe('input_required');
    expect(result ?? error).toBeDefined();
    const modern = { ...CONFIRM, name: `modern__${CONFIRM.name}` };
    const parked = await park(gateway, '/mcp/common', modern);
    expect(await retry(gateway, '/mcp/common', parked, modern)).toMatchObject(DONE);
  });
});

it.each(['legacy', 'modern'])('closing the response cancels the call at a %s server', async (server) => {
  const path = `/mcp/common/${server}`;
  let count = 0;
  // Nobody sees when a call has begun at its server: one that was closed too early is tried again.
  const closeOne = async (): Promise<boolean> => {
    const mark = `closed-${server}-${count++}`;
    const closing = new AbortController();
    const params = { name: 'test_slow', arguments: { mark } };
    const sent = send(gateway, path, 'tools/call', params, { signal: closing.signal });
    setTimeout(() => closing.abort(), 300);
    await expect(sent).rejects.toThrow();
    const { result } = await ask(gateway, path, 'tools/call', { name: 'test_cancelled', arguments: {} });
    return JSON.stringify(result).includes(mark);
  };
  await expect.poll(closeOne, { timeout: 20_000 }).toBe(true);
});

it('a client that can be asked has processes of its own, which end with the gateway', async () => {
  const client = await connectModern(gateway, '/mcp/common/legacy', { elicitation: {} });
  client.setRequestHandler('elicitation/create', () => ADA as never);
  await client.callTool(WHO);
  await client.close();
  // Four servers, and a few for calls that overlapped: never one for each call.
  expect(processesWith(MARK).length).toBeGreaterThan(4);
  expect(processesWith(MARK).length).toBeLessThan(4 + 16 + 8);
});
