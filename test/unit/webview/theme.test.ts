import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('../../../webview/styles/console-theme.css', import.meta.url), 'utf8');
const [darkCss = '', lightCss = ''] = css.split('@media (prefers-color-scheme: light)');
const dark = colours(darkCss);
const light = new Map([...dark, ...colours(lightCss)]);

function colours(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/--vscode-([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

/** WCAG 2.2, relative luminance. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(first: string, second: string): number {
  const [lower = 0, higher = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (higher + 0.05) / (lower + 0.05);
}

/** Text colours and the backgrounds the page puts them on. */
const TEXT: Record<string, readonly string[]> = {
  foreground: [
    'editor-background',
    'sideBar-background',
    'editorWidget-background',
    'textCodeBlock-background',
    'list-hoverBackground',
    'inputValidation-errorBackground',
    'inputValidation-warningBackground',
  ],
  descriptionForeground: [
    'editor-background',
    'sideBar-background',
    'editorWidget-background',
    'input-background',
  ],
  errorForeground: ['sideBar-background', 'editorWidget-background'],
  'textLink-foreground': ['editor-background', 'sideBar-background', 'editorWidget-background'],
  'input-foreground': ['input-background'],
  'input-placeholderForeground': ['input-background'],
  'dropdown-foreground': ['dropdown-background', 'list-hoverBackground'],
  'button-foreground': ['button-background', 'button-hoverBackground'],
  'button-secondaryForeground': ['button-secondaryBackground', 'button-secondaryHoverBackground'],
  'list-activeSelectionForeground': ['list-activeSelectionBackground'],
  'debugTokenExpression-name': ['editorWidget-background'],
  'debugTokenExpression-string': ['editorWidget-background'],
  'debugTokenExpression-number': ['editorWidget-background'],
  'debugTokenExpression-boolean': ['editorWidget-background'],
};

/** Marks that carry meaning beside their word, and the edges that show where a control is. */
const MARKS: Record<string, readonly string[]> = {
  'charts-green': ['sideBar-background', 'editorWidget-background'],
  'charts-yellow': ['sideBar-background', 'inputValidation-warningBackground'],
  'charts-blue': ['sideBar-background', 'editorWidget-background'],
  focusBorder: ['editor-background', 'sideBar-background', 'input-background'],
  'checkbox-border': ['sideBar-background'],
};

describe.each([
  ['dark', dark],
  ['light', light],
])('the console’s %s colours', (_name, theme) => {
  const ratios = (pairs: Record<string, readonly string[]>): [string, number][] =>
    Object.entries(pairs).flatMap(([front, backs]) =>
      backs.map((back): [string, number] => {
        const [first, second] = [theme.get(front), theme.get(back)];
        if (first === undefined || second === undefined) throw new Error(`no colour for ${front} or ${back}`);
        return [`${front} on ${back}`, contrast(first, second)];
      }),
    );

  it('give text the contrast of WCAG AA', () => {
    expect(ratios(TEXT).filter(([, ratio]) => ratio < 4.5)).toEqual([]);
  });

  it('give marks and edges the contrast of WCAG AA', () => {
    expect(ratios(MARKS).filter(([, ratio]) => ratio < 3)).toEqual([]);
  });
});
