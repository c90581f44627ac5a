import { merge, NOTHING, type Detector, type Finding } from './finding.ts';
import { addMatches } from './pattern.ts';
import { addAssigned } from './secrets-assigned.ts';
import { addRandom } from './secrets-random.ts';
import { PRIVATE_KEY, TOKENS, WITH_PASSWORD } from './secrets-known.ts';

export interface SecretOptions {
  /** Also long strings that look random, of which nothing else says that they are secrets. On unless `false`. */
  readonly entropy?: boolean | undefined;
}

/** Every known token holds such a run, so that a text without one needs no closer look. */
const LONG_RUN = /[A-Za-z0-9_\-+/=.]{16}/;

/**
 * Finds credentials: tokens by the form their issuers gave them, private keys, passwords in addresses and connection
 * strings, what is assigned to a name like `password`, and random strings.
 */
export function createSecretDetector(options: SecretOptions = {}): Detector {
  const tokens = TOKENS();
  const privateKey = PRIVATE_KEY();
  const withPassword = WITH_PASSWORD();
  const entropy = options.entropy !== false;

  return (text) => {
    const found: Finding[] = [];
    if (LONG_RUN.test(text)) {
      for (const token of tokens) addMatches(found, text, token);
      if (entropy) addRandom(found, text);
    }
    addMatches(found, text, privateKey);
    if (text.includes('://')) addMatches(found, text, withPassword);
    addAssigned(found, text);
    return found.length === 0 ? NOTHING : merge(found);
  };
}
