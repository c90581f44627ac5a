import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P144 Rules about arguments hold for those that overrides add, also where somebody else's virtual server does. */
let database: CountingServer;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  database = await startCountingServer();
  const adds = (values: string): string => `, tools: [{ match: "*", ${values} }]`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: data
    access: { use: [everyone] }
    servers:
      - ${database.entry('cel')}
      - ${database.entry('schema', adds('defaults: { database: prod }'))}
      - ${database.entry('sql')}
  - name: team
    access: { use: [everyone], manage: ["user:mona"] }
    servers:
      - { name: cel, virtual: [{ server: "data:cel", tools: ["@all"] }]${adds('fixed: { database: prod }')} }
      - { name: sql, virtual: [{ server: "data:sql", tools: ["@all"] }]${adds('defaults: { echo: "DROP TABLE x" }')} }
policies:
  guardrails:
    - { name: cel, kind: cel, when: { servers: ["data:cel"] }, hooks: [toolArguments], deny: 'has(args.database) && args.database == "prod"' }
    - { name: schema, kind: schema, when: { servers: ["data:schema"] }, hooks: [toolArguments], schema: { properties: { database: { not: { const: prod } } } } }
    - { name: sql, kind: sql, when: { servers: ["data:sql"] }, hooks: [toolArguments], dialect: postgresql, arguments: [echo] }
`,
  });
  people = await createPeople(gateway, ['dev']);
});
afterAll(async () => {
  await gateway.stop();
  await database.close();
});
beforeEach(() => database.clear());

const call = (server: string, args: object): Promise<ApiAnswer> =>
  people.api('dev', 'POST', '/calls', { server, tool: 'listCollections', arguments: args });

it.each([
  ['cel', 'team:cel', {}, 'data:cel', { database: 'copy' }],
  ['schema', 'data:schema', {}, 'data:schema', { database: 'copy' }],
  ['sql', 'team:sql', {}, 'team:sql', { echo: 'select 1' }],
])('a rule of kind %s', async (rule, server, args, other, harmless) => {
  expect(await call(server, args)).toMatchObject({ status: 422, body: { rule } });
  expect(database.seen).toEqual([]);
  expect((await call(other, harmless)).status).toBe(200);
});
