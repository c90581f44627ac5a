import * as vscode from 'vscode';
import {
  configChangedSchema,
  configViewSchema,
  testedServerSchema,
  type ConfigView,
  type TestedServer,
} from '../gateway/contract/config.ts';
import type { GatewayClient, Method } from './gatewayClient.ts';
import { GatewayRequestError } from './gatewayClient.ts';
import { confirm } from './steps.ts';

const { t } = vscode.l10n;

/** A server in the configuration's own keys. */
export type WrittenServer = Readonly<Record<string, unknown>> & { readonly name: string };

/** What may be changed in the registry of the running gateway. False: the user did not consent to run a command. */
export class RegistryChanges {
  readonly #client: () => GatewayClient;

  constructor(client: () => GatewayClient) {
    this.#client = client;
  }

  addGroup(group: WrittenServer): Promise<boolean> {
    return this.#change('POST', '/api/v1/groups', { group });
  }

  editGroup(name: string, changes: object): Promise<boolean> {
    return this.#change('PATCH', groupPath(name), { changes });
  }

  removeGroup(name: string): Promise<boolean> {
    return this.#change('DELETE', groupPath(name), { servers: true });
  }

  addServer(group: string, server: WrittenServer): Promise<boolean> {
    return this.#change('POST', `${groupPath(group)}/servers`, { server });
  }

  editServer(at: ServerAt, changes: object): Promise<boolean> {
    return this.#change('PATCH', serverPath(at), { changes });
  }

  removeServer(at: ServerAt): Promise<boolean> {
    return this.#change('DELETE', serverPath(at), {});
  }

  moveServer(at: ServerAt, group: string): Promise<boolean> {
    return this.#change('POST', `${serverPath(at)}/move`, { group });
  }

  promoteServer(at: ServerAt, group: string, changes: object): Promise<boolean> {
    return this.#change('POST', `${serverPath(at)}/promote`, { group, changes });
  }

  /** Denies one tool to everybody, or takes that back. */
  setToolDenied(at: ServerAt, tool: string, denied: boolean): Promise<boolean> {
    const path = `${serverPath(at)}/tools/${encodeURIComponent(tool)}`;
    return this.#change('PUT', path, { effect: denied ? 'deny' : null });
  }

  /** Says what holds for one tool by its name; null takes that back. */
  ruleTool(
    at: ServerAt,
    tool: string,
    rule: { effect: 'allow' | 'deny'; when?: string } | null,
  ): Promise<boolean> {
    const path = `${serverPath(at)}/tools/${encodeURIComponent(tool)}`;
    return this.#change('PUT', path, rule ?? { effect: null });
  }

  async configuration(): Promise<ConfigView> {
    return configViewSchema.parse(await this.#client().json('GET', '/api/v1/config'));
  }

  /** Undefined: the user did not consent to run the command. */
  async test(
    server: WrittenServer,
    secrets: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<TestedServer | undefined> {
    const send = (consents: readonly string[]): Promise<unknown> =>
      this.#client().json('POST', '/api/v1/servers/test', { server, secrets, consents }, signal);
    const answer = await this.#withConsent(send);
    return answer === undefined ? undefined : testedServerSchema.parse(answer);
  }

  async #change(method: Method, path: string, body: object): Promise<boolean> {
    const answer = await this.#withConsent((consents) =>
      this.#client().json(method, path, { ...body, consents }),
    );
    if (answer === undefined) return false;
    configChangedSchema.parse(answer);
    return true;
  }

  /** Sends; where commands want consent, shows exactly what would run and sends again. */
  async #withConsent(send: (consents: readonly string[]) => Promise<unknown>): Promise<unknown> {
    try {
      return await send([]);
    } catch (error) {
      const launches = error instanceof GatewayRequestError ? error.problem?.launches : undefined;
      if (launches === undefined) throw error;
      const detail = launches
        .map(({ command, args, cwd, env }) =>
          [
            [command, ...args].map(quoted).join(' '),
            ...(cwd === null ? [] : [t('in {0}', cwd)]),
            ...(env.length === 0 ? [] : [t('with {0} set', env.join(', '))]),
          ].join('\n'),
        )
        .join('\n\n');
      if (!(await confirm(t('Run this command on this machine?'), t('Run'), detail))) return undefined;
      return send(launches.map(({ consent }) => consent));
    }
  }
}

/** Where a server is. */
export interface ServerAt {
  readonly group: string;
  readonly name: string;
}

function groupPath(name: string): string {
  return `/api/v1/groups/${encodeURIComponent(name)}`;
}

function serverPath({ group, name }: ServerAt): string {
  return `${groupPath(group)}/servers/${encodeURIComponent(name)}`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);
}
