import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The licences of the packages that are in the bundles, as one text; most of them ask to be passed on. */
export async function licences(metafiles) {
  const inputs = metafiles.flatMap(({ inputs }) => Object.keys(inputs));
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  const entries = await Promise.all([...new Set(folders)].sort().map(entry));
  return `Toolgate contains the following packages.\n\n${entries.join('\n')}`;
}

async function entry(folder) {
  const {
    name,
    version,
    license = 'see below',
  } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const files = (await readdir(folder)).filter((file) => /^(licen[sc]e|copying|notice)/i.test(file));
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return [`## ${name} ${version}: ${license}`, '', ...texts.map((text) => `${text.trim()}\n`)].join('\n');
}
