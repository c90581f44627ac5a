import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { copyProgramFiles, programOptions } from '../../esbuild.mjs';
import { ROOT } from './gateway.ts';

const ONION = join(ROOT, 'gateway/pipeline/onion.ts');

/** A stage's line in a pipeline. */
export interface StageLine {
  /** The function that makes it, or the name of what was made before. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The lines of all stages, as the source has them. */
export async function stageLines(): Promise<readonly StageLine[]> {
  const source = ts.createSourceFile(ONION, await readFile(ONION, 'utf8'), ts.ScriptTarget.Latest, true);
  const lines: StageLine[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^create(?:Model)?Pipeline$/.test(node.expression.getText())) {
      const [list] = node.arguments;
      if (list !== undefined && ts.isArrayLiteralExpression(list))
        for (const one of list.elements) {
          const name = (ts.isCallExpression(one) ? one.expression : one).getText();
          lines.push({ name, start: one.getStart(), end: one.end });
        }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

/** Builds the program with a stage's line taken out of its pipeline; gives the built file. */
export async function buildWithout(line: StageLine | undefined, folder: string): Promise<string> {
  await build({
    ...programOptions('0.0.0'),
    outdir: folder,
    absWorkingDir: ROOT,
    plugins: [
      {
        name: 'without-stage',
        setup: ({ onLoad }) =>
          onLoad({ filter: /pipeline[/\\]onion\.ts$/ }, async ({ path }) => {
            const text = await readFile(path, 'utf8');
            if (line === undefined) return { contents: text, loader: 'ts' };
            const rest = text.slice(line.end).replace(/^,/, '');
            return { contents: text.slice(0, line.start) + rest, loader: 'ts' };
          }),
      },
    ],
  });
  await copyProgramFiles(folder);
  return join(folder, 'gateway.js');
}
