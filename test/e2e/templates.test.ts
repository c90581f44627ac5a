import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { Service } from 'kubernetes-models/v1';
import { afterEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { toolgate, type CliResult } from '../support/cli.ts';
import { configOf } from '../support/configs.ts';
import { PROGRAM, ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

const PATIENCE = { timeout: 20_000 };
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function run(command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'ignore' });
  closing.push(() => child.kill());
  return child;
}

async function answers(address: string): Promise<void> {
  await expect
    .poll(
      () =>
        fetch(address).then(
          ({ status }) => status,
          () => 0,
        ),
      PATIENCE,
    )
    .toBe(200);
}

const MANIFESTS = readdirSync(join(ROOT, 'deploy/kubernetes'));
const KINDS = { Deployment, Service, NetworkPolicy } as const;

describe('P149–P153 the manifests', () => {
  it.each(MANIFESTS)('%s is what Kubernetes takes, and fits together', (file) => {
    const text = read(`deploy/kubernetes/${file}`);
    const documents = parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>);
    expect(documents.map(({ kind }) => kind)).toEqual(['Deployment', 'Service', 'NetworkPolicy']);
    for (const document of documents) {
      const Kind = KINDS[document['kind'] as keyof typeof KINDS];
      expect(() => new Kind(document).validate()).not.toThrow();
    }
    const deployment = new Deployment(documents[0]);
    const service = new Service(documents[1]);
    const name = deployment.metadata?.name;
    const pod = deployment.spec?.template;
    const [container] = pod?.spec?.containers ?? [];
    expect(service.spec?.selector).toEqual(deployment.spec?.selector.matchLabels);
    expect(pod?.metadata?.labels).toMatchObject(service.spec?.selector ?? {});
    expect(new NetworkPolicy(documents[2]).spec?.podSelector?.matchLabels).toEqual(service.spec?.selector);

    expect(container?.image).toMatch(/^[\w.-]+\/[\w.-]+:\d+\.\d+\.\d+$/);
    expect(container?.ports).toEqual([{ name: 'http', containerPort: 8000 }]);
    expect(service.spec?.ports).toEqual([{ name: 'http', port: 8000, targetPort: 'http' }]);
    for (const probe of [container?.startupProbe, container?.readinessProbe, container?.livenessProbe])
      expect(probe?.httpGet).toMatchObject({ path: '/healthz', port: 'http' });
    expect(container?.resources?.limits).toHaveProperty('memory');
    expect(container?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod?.spec?.securityContext).toMatchObject({ runAsNonRoot: true });

    const secrets = (container?.env ?? []).flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
    expect(secrets.map(({ name: secret }) => secret)).toEqual(secrets.map(() => name));
    expect(secrets[0]?.key).toBe('api-key');
    const comment = text.slice(0, text.indexOf('apiVersion'));
    for (const { key } of secrets) expect(comment).toContain(key);
  });

  it('refuse what Kubernetes would refuse', () => {
    const wrong = read('deploy/kubernetes/notion.yaml').replace('replicas: 1', 'replicas: one');
    const document = parseAllDocuments(wrong)[0]?.toJS() as Record<string, unknown>;
    expect(() => new Deployment(document).validate()).toThrow(/replicas/);
  });
});

/** The words of a Dockerfile's last instruction of a kind. */
function instruction(dockerfile: string, kind: string): string[] {
  const line = read(dockerfile)
    .split('\n')
    .findLast((text) => text.startsWith(`${kind} [`));
  return line === undefined ? [] : (JSON.parse(line.slice(kind.length)) as string[]);
}

async function toolsAt(address: string, key: string): Promise<string[]> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { 'x-api-key': key } };
  await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit }));
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

describe('P148 P170 an image', () => {
  it.each([
    ['deploy/images/node.Dockerfile', 'read_graph'],
    ['examples/own-server/python/Dockerfile', 'explain_term'],
  ])('%s starts what serves the server over HTTP, with a key', async (dockerfile, tool) => {
    const port = String(await freePort());
    const words = [...instruction(dockerfile, 'ENTRYPOINT'), ...instruction(dockerfile, 'CMD')].map((word) =>
      word
        .replace('/opt/toolgate/gateway.js', PROGRAM)
        .replace('/srv/glossary/server.py', join(ROOT, 'examples/own-server/python/server.py'))
        .replace(/^8000$/, port)
        .replace('0.0.0.0', '127.0.0.1'),
    );
    expect(words).toEqual(expect.arrayContaining(['wrap', '--server', 'stream']));
    const path = `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`;
    run(process.execPath, words.slice(1), { MCP_PROXY_API_KEY: 'the-key', PATH: path });
    await answers(`http://127.0.0.1:${port}/healthz`);
    expect(await toolsAt(`http://127.0.0.1:${port}/mcp`, 'the-key')).toContain(tool);
    await expect(toolsAt(`http://127.0.0.1:${port}/mcp`, 'another')).rejects.toThrow();
  });

  it('of every manifest runs the command of the package it is built from', () => {
    const command = (file: string): string | undefined =>
      /args: \[(.*)\]/.exec(read(`deploy/kubernetes/${file}`))?.[1];
    expect(command('node-server.yaml')).toBe(instruction('deploy/images/node.Dockerfile', 'CMD')[0]);
    expect(command('python-server.yaml')).toBe(instruction('deploy/images/python.Dockerfile', 'CMD')[0]);
  });
});

describe('P170–P174 the path of a server of your own', () => {
  it('dev without auth, a key, prod: the commands of its page, one after another', async () => {
    const gateway = await startGateway({
      config: configOf({}).replace('groups:', 'groups: []'),
      env: { INCIDENTS_KEY: 'a-long-random-key', INCIDENTS_PROD_KEY: 'a-long-random-key' },
    });
    closing.push(gateway.stop);
    const port = String(await freePort());
    const sections = read('examples/own-server/README.md').split(/^## /m).slice(1);
    let server: ChildProcess | undefined;
    for (const section of sections) {
      const lines = [...section.matchAll(/```sh\n([^`]*)```/g)].flatMap(([, block = '']) =>
        block.trim().split('\n'),
      );
      for (const line of lines) {
        const words = wordsOf(line.replaceAll('8701', port).replace('8000', '0'));
        if (words.some((word) => word.endsWith('server.ts'))) {
          server?.kill();
          const env = Object.fromEntries(
            words.filter((word) => /^[A-Z_]+=/.test(word)).map((word) => word.split('=')),
          );
          server = run(
            process.execPath,
            [join(ROOT, 'examples/own-server/typescript/server.ts')],
            env as Record<string, string>,
          );
          const { pid } = server;
          await answers(`http://127.0.0.1:${port}/healthz`);
          expect(pid).toBeDefined();
        } else if (words[1] !== 'wrap') await succeed(gateway, words.slice(1));
      }
    }
    const client = new Client({ name: 'test', version: '1' });
    const requestInit = { headers: { authorization: `Bearer ${gateway.token}` } };
    const address = new URL(`${gateway.address}/mcp/prod-tools/incidents`);
    await client.connect(new StreamableHTTPClientTransport(address, { requestInit }));
    const { content } = await client.callTool({ name: 'list_incidents' });
    expect(JSON.stringify(content)).toContain('Ada');
    await client.close();
  }, 120_000);
});

/** A command may come before the server it is for has started. */
async function succeed(gateway: RunningGateway, args: readonly string[]): Promise<void> {
  const absolute = args.map((word) => (word.startsWith('examples/') ? join(ROOT, word) : word));
  const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: gateway.token };
  let last: CliResult | undefined;
  await expect
    .poll(async () => (last = await toolgate(absolute, env)).code, PATIENCE)
    .toBe(0)
    .catch((error: unknown) => {
      throw new Error(`${args.join(' ')}: ${last?.stdout ?? ''}${last?.stderr ?? ''}`, { cause: error });
    });
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? '',
  );
}
