/**
 * Gives the console's page the marks a VS Code webview has for its theme, and keeps them with the system's colour
 * scheme: the stylesheet and the toolkit, which copies the colours whenever these change, both go by them.
 */
export function followColorScheme(window: Window): void {
  const { body, documentElement } = window.document;
  documentElement.classList.add('console');
  const light = window.matchMedia('(prefers-color-scheme: light)');
  const contrast = window.matchMedia('(prefers-contrast: more)');
  const apply = (): void => {
    const kind = light.matches ? 'vscode-light' : 'vscode-dark';
    body.classList.remove('vscode-light', 'vscode-dark', 'more-contrast');
    body.classList.add(kind, ...(contrast.matches ? ['more-contrast'] : []));
    body.dataset['vscodeThemeKind'] = kind;
  };
  light.addEventListener('change', apply);
  contrast.addEventListener('change', apply);
  apply();
}
