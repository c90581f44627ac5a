import * as vscode from 'vscode';
import { tokenListSchema, type TokenView } from '../gateway/contract/tokens.ts';
import type { GatewayClient } from './gatewayClient.ts';
import type { GatewayController } from './gatewayController.ts';
import { describeToken, tokenDetails } from './tokenWords.ts';
import { messageOf } from './words.ts';

const { t } = vscode.l10n;

/** The gateway's tokens as a list: never their values. */
export class TokensView implements vscode.TreeDataProvider<TokenView>, vscode.Disposable {
  readonly #client: () => GatewayClient | undefined;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #view: vscode.TreeView<TokenView>;
  readonly #subscription: vscode.Disposable;
  #tokens: readonly TokenView[] = [];

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(controller: Pick<GatewayController, 'client' | 'onDidChangeStatus'>) {
    this.#client = () => controller.client;
    this.#view = vscode.window.createTreeView('toolgate.tokens', { treeDataProvider: this });
    this.#subscription = vscode.Disposable.from(
      this.#view,
      controller.onDidChangeStatus(() => void this.refresh()),
      // Others make tokens too, and what was used last changes by itself.
      this.#view.onDidChangeVisibility(({ visible }) => visible && void this.refresh()),
    );
  }

  /** Reads the tokens again. Never rejects: what went wrong stands above the list. */
  async refresh(): Promise<void> {
    const client = this.#client();
    try {
      this.#tokens =
        client === undefined ? [] : tokenListSchema.parse(await client.json('GET', '/api/v1/tokens')).tokens;
      this.#view.message = client === undefined ? t('Tokens are listed while the gateway runs.') : '';
    } catch (error) {
      this.#view.message = t('The tokens could not be listed: {0}', messageOf(error));
    }
    this.#changed.fire();
  }

  getChildren(token?: TokenView): TokenView[] {
    return token === undefined ? [...this.#tokens] : [];
  }

  getTreeItem(token: TokenView): vscode.TreeItem {
    const item = new vscode.TreeItem(token.name);
    item.id = token.id;
    item.description = describeToken(token, new Date());
    item.tooltip = tokenDetails(token);
    item.contextValue = 'token';
    item.iconPath = token.expired
      ? new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'))
      : new vscode.ThemeIcon(token.kind === 'vat' ? 'server-process' : 'key');
    item.accessibilityInformation = { label: `${token.name}, ${item.description}` };
    return item;
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }
}
