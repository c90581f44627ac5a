import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { PlaygroundMessage } from '../gateway/contract/playground.ts';
import type { PlaygroundHost } from './playgroundHost.ts';

const VIEW_TYPE = 'toolgate.playground';

/** Makes the host that answers one page. */
type Connect = (post: (message: PlaygroundMessage) => void) => PlaygroundHost;

/** The playground's panel: at most one in a window, and back after the window was reloaded. */
export class PlaygroundPanel implements vscode.Disposable {
  readonly #extensionUri: vscode.Uri;
  readonly #connect: Connect;
  readonly #serializer: vscode.Disposable;
  #panel: vscode.WebviewPanel | undefined;

  constructor(extensionUri: vscode.Uri, connect: Connect) {
    this.#extensionUri = extensionUri;
    this.#connect = connect;
    this.#serializer = vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel) => {
        this.#adopt(panel);
      },
    });
  }

  show(): void {
    if (this.#panel !== undefined) {
      this.#panel.reveal();
      return;
    }
    const title = vscode.l10n.t('Toolgate Playground');
    // A run goes on while its tab is behind another; its page, and the conversation in it, must be there after.
    const options = { retainContextWhenHidden: true };
    this.#adopt(vscode.window.createWebviewPanel(VIEW_TYPE, title, vscode.ViewColumn.Active, options));
  }

  dispose(): void {
    this.#serializer.dispose();
    this.#panel?.dispose();
  }

  #adopt(panel: vscode.WebviewPanel): void {
    this.#panel = panel;
    const { webview } = panel;
    const root = vscode.Uri.joinPath(this.#extensionUri, 'dist', 'webview');
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    panel.iconPath = vscode.Uri.joinPath(this.#extensionUri, 'media', 'icon.png');
    const host = this.#connect((message) => {
      void webview.postMessage(message);
    });
    const subscription = webview.onDidReceiveMessage((message: unknown) => {
      void host.receive(message);
    });
    panel.onDidDispose(() => {
      vscode.Disposable.from(subscription, host).dispose();
      if (this.#panel === panel) this.#panel = undefined;
    });
    webview.html = page(webview, root, panel.title);
  }
}

/** Nothing but the two bundled files may be loaded, and no request leaves the page. */
function page(webview: vscode.Webview, root: vscode.Uri, title: string): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(root, name)).toString();
  const policy = [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data:`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta property="csp-nonce" content="${nonce}" nonce="${nonce}">
<link rel="stylesheet" href="${file('main.css')}">
<title>${title}</title>
</head>
<body>
<script type="module" nonce="${nonce}" src="${file('main.js')}"></script>
</body>
</html>`;
}
