import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { newToken } from '../gateway/contract/token.ts';

const OWNER_TOKEN_KEY = 'ownerToken';
const SECRET_PREFIX = 'secret:';
/** SecretStorage cannot be listed, so the names of the secrets are kept beside it. */
const NAMES_KEY = 'secretNames';
/** The gateway's own records, all in one: what people gave for servers, and tokens that come and go. */
const RECORDS_KEY = 'records';

/**
 * What the extension keeps in VS Code's SecretStorage: the owner's token and the values of `${secret:NAME}`
 * references. Nothing of it is written anywhere else.
 */
export class SecretVault implements vscode.Disposable {
  readonly #storage: vscode.SecretStorage;
  readonly #memento: vscode.Memento;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  #ownerToken: Promise<string> | undefined;
  #keeping: Promise<void> = Promise.resolve();

  /** Fires after a change, another window's included. */
  readonly onDidChange = this.#changed.event;

  constructor(storage: vscode.SecretStorage, memento: vscode.Memento, log: vscode.LogOutputChannel) {
    this.#storage = storage;
    this.#memento = memento;
    this.#log = log;
    this.#subscription = storage.onDidChange((event) => {
      if (event.key === OWNER_TOKEN_KEY) this.#ownerToken = undefined;
      this.#changed.fire();
    });
  }

  /** The token that makes its bearer the gateway's owner: made once, then the same for all windows. */
  ownerToken(): Promise<string> {
    this.#ownerToken ??= this.#readOrCreateToken();
    return this.#ownerToken;
  }

  names(): readonly string[] {
    return this.#memento.get<string[]>(NAMES_KEY, []);
  }

  /** Every secret's value by its name, the gateway's own records included; one whose value is gone is left out. */
  async values(): Promise<Record<string, string>> {
    const values: Record<string, string> = await this.#records();
    for (const name of this.names()) {
      const value = await this.#storage.get(SECRET_PREFIX + name);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  async set(name: string, value: string): Promise<void> {
    await this.#memento.update(NAMES_KEY, [...new Set([...this.names(), name])].sort());
    await this.#storage.store(SECRET_PREFIX + name, value);
  }

  async delete(name: string): Promise<void> {
    await this.#memento.update(
      NAMES_KEY,
      this.names().filter((other) => other !== name),
    );
    await this.#storage.delete(SECRET_PREFIX + name);
  }

  /** Keeps what the gateway asks for, be it a secret or a record of its own; null takes it away. */
  async keep(name: string, value: string | null): Promise<void> {
    if (!name.includes('/')) {
      await (value === null ? this.delete(name) : this.set(name, value));
      return;
    }
    // One after another, since all records are kept together.
    const kept = this.#keeping.then(async () => {
      const { [name]: _former, ...others } = await this.#records();
      const records = value === null ? others : { ...others, [name]: value };
      await this.#storage.store(RECORDS_KEY, JSON.stringify(records));
    });
    this.#keeping = kept.catch(() => undefined);
    await kept;
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }

  async #records(): Promise<Record<string, string>> {
    const text = await this.#storage.get(RECORDS_KEY);
    if (text === undefined) return {};
    return JSON.parse(text) as Record<string, string>;
  }

  async #readOrCreateToken(): Promise<string> {
    const stored = await this.#storage.get(OWNER_TOKEN_KEY);
    if (stored !== undefined) return stored;
    const token = newToken('pat', randomBytes(32));
    try {
      await this.#storage.store(OWNER_TOKEN_KEY, token);
    } catch (error) {
      // A system without a keyring: the gateway still works, with a token that ends with the window.
      this.#log.warn(vscode.l10n.t('The token could not be kept for the next session: {0}', String(error)));
    }
    return token;
  }
}
