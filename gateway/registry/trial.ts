import { stringify } from 'yaml';
import { parseConfig } from '../config/load.ts';
import { resolveReferences, type ReferenceSource } from '../config/references.ts';
import type { ServerConfig } from '../config/schema.ts';
import type { TestedServer } from '../contract/config.ts';
import type { Redactor } from '../credentials/redactor.ts';
import { describeError } from '../upstream/errors.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { ChangeError, consentTo } from './configuration.ts';
import type { Consents } from './consents.ts';
import { launchOf } from './launches.ts';

export interface Trial {
  /** In the configuration's own keys. */
  readonly server: Readonly<Record<string, unknown>> & { readonly name: string };
  /** Values of secrets that are not stored. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly consents: readonly string[];
  /** The subject who tries it. */
  readonly by: string;
}

const AT_ONCE = 4;
const TIMEOUT_MS = 60_000;
const STDERR_LINES = 20;

/**
 * Tries a server that is not registered: connects, lists what it offers, and leaves no connection and no process.
 * Rejects with a `ChangeError` for a definition that is wrong or a command without consent; that the server cannot
 * be reached is an answer.
 */
export function createTrials(
  upstreams: Upstreams,
  references: ReferenceSource,
  consents: Consents,
  redactor: Pick<Redactor, 'watch'>,
): (trial: Trial, signal: AbortSignal) => Promise<TestedServer> {
  let running = 0;
  return async (trial, signal) => {
    const server = parseServer(trial.server);
    const launch = launchOf(server);
    if (running >= AT_ONCE)
      throw new ChangeError(409, `${AT_ONCE} servers are being tested already; try again soon`);
    running++;
    try {
      await consentTo(launch === undefined ? [] : [launch], trial, consents);
      return await tryOut(upstreams, server, resolverWith(references, trial.secrets, redactor), signal);
    } finally {
      running--;
    }
  };
}

async function tryOut(
  upstreams: Upstreams,
  server: ServerConfig,
  resolve: (text: string) => string,
  signal: AbortSignal,
): Promise<TestedServer> {
  const began = performance.now();
  const stderrTail: string[] = [];
  const onStderr = (line: string): void => {
    stderrTail.push(line);
    if (stderrTail.length > STDERR_LINES) stderrTail.shift();
  };
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { handshake, capabilities, problems } = await upstreams.probe(server, {
      resolve,
      onStderr,
      signal: AbortSignal.any([signal, timeout]),
    });
    return {
      ok: true,
      serverInfo: handshake.serverInfo,
      protocolVersion: handshake.protocolVersion,
      tools: capabilities.tools.map(({ name }) => name),
      resources: capabilities.resources.length + capabilities.templates.length,
      prompts: capabilities.prompts.length,
      problems: [...problems],
      durationMs: performance.now() - began,
    };
  } catch (error) {
    const words = timeout.aborted ? `did not answer within ${TIMEOUT_MS / 1000} s` : describeError(error);
    return { ok: false, error: words, stderrTail, durationMs: performance.now() - began };
  }
}

/** A server as the configuration would have it; its errors are told as the configuration's. */
function parseServer(written: Trial['server']): ServerConfig {
  const parsed = parseConfig(stringify({ version: 1, groups: [{ name: 'trial', servers: [written] }] }));
  if (!parsed.ok) {
    const [issue] = parsed.issues;
    const field = issue?.path.replace('groups[0].servers[0].', '') ?? '';
    throw new ChangeError(400, `${field}: ${issue?.message ?? 'is not valid'}`, { field });
  }
  const server = parsed.config.groups[0]?.servers[0];
  if (server === undefined || server.virtual !== undefined)
    throw new ChangeError(400, 'a virtual server has no connection to test', { field: 'virtual' });
  return server;
}

function resolverWith(
  references: ReferenceSource,
  secrets: Readonly<Record<string, string>>,
  redactor: Pick<Redactor, 'watch'>,
): (text: string) => string {
  const source = redactor.watch((kind, name) =>
    kind === 'secret' && Object.hasOwn(secrets, name) ? secrets[name] : references(kind, name),
  );
  return (text) => resolveReferences(text, source);
}
