import { homedir } from 'node:os';
import { createDecide, type Decide } from './access/decide.ts';
import { createAgent } from './agent/agent.ts';
import { resolveReferences, type ReferenceSource } from './config/references.ts';
import type { Config, ProviderConfig } from './config/schema.ts';
import { secretUses } from './config/unresolved.ts';
import type { ExportBundle } from './contract/admin.ts';
import { createAdminApp } from './http/admin.ts';
import { createAgentRoutes } from './http/agent.ts';
import { createConsole } from './http/console.ts';
import { createCookie } from './http/cookies.ts';
import { createEntrance } from './http/entrance.ts';
import { createMcpSurface } from './http/mcp-surface.ts';
import { createModelRoutes } from './http/models.ts';
import { createConsentDesk } from './credentials/consent-desk.ts';
import { createOauth } from './credentials/oauth/oauth.ts';
import { createPersonalCredentials, serverGivenFor } from './credentials/personal.ts';
import { createRedactor } from './credentials/redactor.ts';
import type { SecretVault } from './credentials/vault.ts';
import { consentPath, createOauthRoutes, describeClient } from './http/oauth.ts';
import { createListingSearch } from './guardrails/listing-search.ts';
import { createTextWorkers } from './guardrails/workers.ts';
import { createRegistryApi } from './http/registry-api.ts';
import { createCertificate } from './http/certificate.ts';
import { guardsOf } from './http/guards.ts';
import { createOwnAddress } from './http/own-address.ts';
import { createHeldBodies } from './http/held-bodies.ts';
import { createHttpServer } from './http/server.ts';
import type { Sharing } from './identity/sharing.ts';
import { createTokens } from './identity/tokens.ts';
import { createContextCost, type CountTokens } from './mcp/context-cost.ts';
import { createModels, type Models, type ProviderOptions } from './models/models.ts';
import { createPolicing } from './policing.ts';
import { createCatalog, type Catalog } from './registry/catalog.ts';
import { createPins, registrationsGone } from './registry/pins.ts';
import type { ManagedLists } from './registry/managed.ts';
import { createConsents } from './registry/consents.ts';
import { createConfiguration } from './registry/configuration.ts';
import { createExplain } from './registry/explain.ts';
import { createSearch } from './registry/search.ts';
import { createTrials } from './registry/trial.ts';
import type {
  ActivityStore,
  ApprovalStore,
  CatalogStore,
  ConfigSource,
  ConfigStore,
  ConfigText,
  RunStore,
  SharedState,
} from './storage/contracts.ts';
import type { Log } from './telemetry/log.ts';
import { createDispatchers } from './upstream/dispatcher.ts';
import { describeError } from './upstream/errors.ts';
import { readLoginPath } from './upstream/login-path.ts';
import { startReaper } from './upstream/reaper.ts';
import { createUpstreams } from './upstream/upstreams.ts';

export interface GatewayDeps {
  readonly config: Config;
  /** The text that `config` was read from, and where it is kept. */
  readonly configText: ConfigText;
  readonly configSource: ConfigSource;
  /** The configuration file's folder: what relative paths in it are relative to. */
  readonly folder: string;
  readonly configStore: ConfigStore;
  readonly activity: ActivityStore;
  readonly catalogStore: CatalogStore;
  readonly approvalStore: ApprovalStore;
  readonly runStore: RunStore;
  readonly sharedState: SharedState;
  /** The key of the token hashes. */
  readonly tokenKey: Buffer;
  /** A token that makes its bearer the owner while this gateway lives. */
  readonly ownerToken?: string | undefined;
  /** Lets the gateways of other windows know this one; none when it is headless. */
  readonly sharing?: Sharing | undefined;
  /** What an organisation allows this machine's servers to be. */
  readonly managed: ManagedLists;
  readonly vault: SecretVault;
  /** Values of references. */
  readonly references: ReferenceSource;
  /** What servers inherit from, in the part that is safe to hand on. */
  readonly env: NodeJS.ProcessEnv;
  /** Ask the user's login shell for its `PATH`, for commands that are not found without it. */
  readonly loginPath?: boolean | undefined;
  /** The Node that stands in for a missing `node`. */
  readonly execPath: string;
  /** The folder of the built web console. */
  readonly consoleFolder: string;
  readonly version: string;
  readonly exportBundle: (current: { readonly text: string; readonly config: Config }) => ExportBundle;
  readonly log: Log;
  readonly now: () => number;
}

export interface Gateway {
  readonly catalog: Catalog;
  /** A one-time link to the console for the bearer of a gateway token; undefined when it does not hold. */
  consoleLink(token: string): string | undefined;
  /** Starts the servers, listens, and resolves with the base address. Rejects when the port is taken. */
  listen(port: number): Promise<string>;
  /** Answers what is under way for a moment, then ends every connection and every process. Leaves the stores open. */
  close(): Promise<void>;
}

const PURGE_EVERY_MS = 60 * 60_000;
/** Nothing that a gateway which has just started should wait for. */
const FIRST_PURGE_MS = 60_000;

/** Puts a gateway together. The one place that knows all parts; several gateways may run in one process. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { log, now, activity, version } = deps;
  let config = deps.config;
  let judge = createDecide(config);
  const redactor = createRedactor();
  const references = redactor.watch(deps.references);
  const resolve = (text: string): string => resolveReferences(text, references);

  const decide: Decide = (principal, request) => judge(principal, request);
  const dispatchers = createDispatchers();
  const reaper = startReaper();
  const launch = {
    folder: deps.folder,
    env: deps.env,
    execPath: deps.execPath,
    resolve,
    loginPath: deps.loginPath === true ? readLoginPath(deps.env, reaper) : undefined,
  };
  // A thread of its own: no list keeps guardrails from what calls say.
  const searchers = createTextWorkers();
  const listings = createListingSearch(searchers);
  const pins = createPins({
    store: deps.configStore,
    now,
    listings,
    onQuarantined: (server, names) =>
      log.warn({ server, names }, 'new or changed definitions are hidden until somebody accepts them'),
  });
  const personal = createPersonalCredentials(deps.vault, (value, name) =>
    redactor.add(value, `credential ${name}`),
  );
  const description = (): ReturnType<typeof describeClient> => describeClient(address.base());
  const oauth = createOauth({
    ...{ vault: deps.vault, dispatchers, resolve, description, now },
    onSecret: (value) => redactor.add(value, 'token'),
  });
  const upstreams = createUpstreams({
    config,
    launch,
    dispatchers,
    reaper,
    gatewayVersion: version,
    catalogStore: deps.catalogStore,
    ...{ pins, listings },
    managed: deps.managed,
    personal,
    oauth,
    redact: redactor.redact,
    log,
  });
  const catalog = createCatalog({ config: () => config, upstreams, pins, listings, decide, resolve });
  const port = (): number => http.port();
  const address = createOwnAddress(config.listen, port);
  const entrance = createEntrance({
    config,
    configStore: deps.configStore,
    tokenKey: deps.tokenKey,
    ownerToken: deps.ownerToken,
    ...{ decide, dispatchers, address, port, resolve, log, now },
  });
  const { identity, perimeter } = entrance;

  const consentDesk = createConsentDesk({
    oauth,
    decide,
    addressOf: (id) => address.base() + consentPath(id),
  });
  const policing = createPolicing({
    ...{ config, activity, catalog, identity, decide, upstreams, dispatchers, redactor, resolve, log, now },
    ...{ approvalStore: deps.approvalStore, sharedState: deps.sharedState },
    requestConsent: consentDesk.request,
    goesOn: (session) => agent.goesOn(session) || mcp.hasSession(session),
    base: address.base,
  });
  const { pipeline, modelPipeline } = policing;

  const modelsOf = ({ providers, aliases }: Config['models']): Models =>
    createModels({
      providers: providers.map((provider) => resolveProvider(provider, resolve)),
      aliases,
      dispatcherFor: (allowPrivateAddress) => dispatchers.for(allowPrivateAddress),
    });
  let configured = modelsOf(config.models);
  const models: Models = {
    resolve: (name, may) => configured.resolve(name, may),
    list: (signal, may) => configured.list(signal, may),
  };
  const agent = createAgent({
    models,
    decide,
    holds: identity.holds,
    directory: catalog,
    pipeline,
    modelPipeline,
    ...{ kept: policing.kept, paging: policing.paging },
    runStore: deps.runStore,
    resume: identity.resume,
    onRunOver: policing.approvals.endSession,
    log,
    now,
  });

  const search = createSearch(catalog);
  const { holds } = identity;
  const mcp = createMcpSurface({
    ...{ catalog, upstreams, pipeline, search, holds, now },
    ...{ kept: policing.kept, paging: policing.paging, lookAside: policing.lookAside },
    secret: deps.tokenKey,
    onSessionEnd: policing.approvals.endSession,
    version,
  });
  const agentRoutes = createAgentRoutes({ agent });
  const modelRoutes = createModelRoutes({ models, decide });
  const apply = (next: Config): void => {
    const nextJudge = createDecide(next);
    const nextModels = modelsOf(next.models);
    const applyPolicing = policing.prepare(next);
    const gone = registrationsGone(config, next);
    config = next;
    judge = nextJudge;
    applyPolicing();
    configured = nextModels;
    entrance.apply(next);
    upstreams.apply(next);
    pins.forget(gone).catch((error: unknown) => log.error({ err: error }, 'pins could not be forgotten'));
  };
  // The same configuration now means something else: connections made with another value of a secret are made anew.
  const stopWatching = deps.vault.onChange((changed) => {
    const uses = secretUses(config);
    if (changed.some((name) => uses.has(name))) apply({ ...config });
    // A server is listed with what the first person gave; nothing else depends on what people give.
    const given = new Set(changed.flatMap((name) => serverGivenFor(name) ?? []));
    if (given.size > 0) upstreams.apply(config, given);
    // What was answered to other credentials is not what these would get.
    for (const id of given) policing.cache.forget(id);
  });
  oauth.onChange(() => {
    upstreams.apply(config);
    policing.cache.forget(undefined);
  });
  const consents = createConsents(deps.configStore, now);
  const configuration = createConfiguration({
    source: deps.configSource,
    consents,
    initial: { ...deps.configText, config },
    apply,
    onFollowed: (problems) => {
      if (problems.length === 0) log.info('the configuration has changed and is in force');
      else
        log.error({ problems }, 'the configuration has changed and is wrong; the one before stays in force');
    },
  });
  const bodies = createHeldBodies();
  const admin = createAdminApp({
    bodies,
    perimeter,
    address,
    decide,
    catalog,
    explain: createExplain({ catalog, decide, config: () => config, configStore: deps.configStore, now }),
    search,
    vault: deps.vault,
    personal,
    oauth,
    consentDesk,
    policing,
    resolve,
    identity,
    references: deps.references,
    contextCost: createContextCost(mcp.views, loadTokenizer),
    pipeline,
    upstreams,
    dispatchers,
    pins,
    tokens: createTokens({ store: deps.configStore, key: deps.tokenKey, now }),
    now,
    activity,
    configStore: deps.configStore,
    config: () => config,
    gatewayVersion: version,
    home: homedir(),
    env: deps.env,
    configuration,
    tryServer: createTrials(upstreams, deps.references, consents, redactor),
    exportBundle: () => deps.exportBundle(configuration.current()),
    onError: (error) => log.error({ err: error }, 'a control-plane request failed'),
  });
  const { sharing } = deps;
  const { tls } = config.listen;
  const certificate =
    tls === undefined || tls === 'terminated-upstream' ? undefined : createCertificate(tls, deps.folder, log);
  const http = createHttpServer({
    bodies,
    perimeter,
    certificate,
    sharing: sharing && ((nonce) => sharing.answer(nonce, port())),
    dataPlane: [
      { prefix: '/mcp', handle: mcp.handle },
      { prefix: '/sse', handle: mcp.handleSse },
      { prefix: '/api/llm/', handle: agentRoutes.handle },
      { prefix: '/api/llm/', handle: modelRoutes.handle },
      { prefix: '/v1/', handle: modelRoutes.handle },
    ],
    protectedResource: entrance.protectedResource,
    signIn: entrance.signIn,
    registryApi: createRegistryApi({ perimeter, address, catalog, config: () => config, now }),
    oauth: createOauthRoutes({
      consents: oauth.consents,
      cookie: createCookie('consent', 'Lax', address, port),
      ...{ entrance, description, log },
    }),
    console: createConsole(deps.consoleFolder),
    admin,
    log,
  });

  const purge = (): void => {
    activity
      .purge(now() - config.telemetry.retention)
      .then(() => deps.approvalStore.purge(now() - config.telemetry.retention))
      .catch((error: unknown) => log.error({ err: error }, 'the activity record could not be purged'));
  };
  const purging = [setTimeout(purge, FIRST_PURGE_MS).unref(), setInterval(purge, PURGE_EVERY_MS).unref()];

  return {
    catalog,
    consoleLink: entrance.link,
    listen: async (wanted) => {
      await http.listen(config.listen.host, wanted);
      upstreams.start();
      agent.restore().catch((error: unknown) => log.error({ err: error }, 'paused runs could not be read'));
      const guards = guardsOf(config, address).map(({ name, active, detail }) => [
        name,
        active ? `on: ${detail}` : detail,
      ]);
      log.info({ guards: Object.fromEntries(guards) as object }, 'guards');
      return address.base();
    },
    close: async () => {
      for (const timer of purging) clearTimeout(timer);
      configuration.close();
      stopWatching();
      mcp.close();
      agent.close();
      oauth.close();
      http.close();
      searchers.close();
      await policing.close();
      await upstreams.close();
      entrance.close();
      reaper.close();
      await dispatchers.close();
      await activity.flush();
    },
  };
}

/** A chunk of its own in the built program: its tables take memory that only who asks should spend. */
async function loadTokenizer(): Promise<CountTokens> {
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  return countTokens;
}

/** A provider whose key does not resolve is kept, and refuses with the reason, so that the others work. */
function resolveProvider(provider: ProviderConfig, resolve: (text: string) => string): ProviderOptions {
  const { apiKey, ...rest } = provider;
  if (apiKey === undefined) return rest;
  try {
    return { ...rest, apiKey: resolve(apiKey) };
  } catch (error) {
    return { ...rest, problem: describeError(error) };
  }
}
