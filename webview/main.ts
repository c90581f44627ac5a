import './settings.ts';
import './styles/main.css';
import { defineComponents } from './components.ts';
import { PlaygroundPage } from './elements/playground-page.ts';
import type { Host } from './host.ts';
import { HttpHost } from './http-host.ts';
import { Playground } from './playground.ts';
import { followColorScheme } from './theme.ts';
import { VsCodeHost } from './vscode-host.ts';
import type { VsCodeApi } from './vscode-host.ts';

declare global {
  /** VS Code's bridge; only in its webviews, and callable once. */
  var acquireVsCodeApi: (() => VsCodeApi) | undefined;
}

function chooseHost(): Host {
  if (globalThis.acquireVsCodeApi) return new VsCodeHost(globalThis.acquireVsCodeApi(), window);
  followColorScheme(window);
  return new HttpHost(window);
}

defineComponents();
const page = new PlaygroundPage();
page.playground = new Playground(chooseHost());
document.body.append(page);
