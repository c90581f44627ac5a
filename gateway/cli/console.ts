import { linkAnswerSchema, LINKS_PATH } from '../contract/sign-in.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson } from './print.ts';

/** `toolgate console`: a one-time link that signs a browser in as whoever the token is. */
export async function consoleLink(options: ClientOptions & { readonly json?: boolean }): Promise<void> {
  const answer = linkAnswerSchema.parse(await ask(options, LINKS_PATH, {}));
  if (options.json === true) {
    printJson(answer);
    return;
  }
  const minutes = Math.max(1, Math.round((Date.parse(answer.expiresAt) - Date.now()) / 60_000));
  process.stdout.write(`${answer.link}\n`);
  process.stderr.write(`It works once, within ${minutes} minutes.\n`);
}
