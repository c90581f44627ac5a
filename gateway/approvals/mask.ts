import type { JsonObject } from '../contract/json.ts';
import type { Redactor } from '../credentials/redactor.ts';

/** Masks the secrets that the gateway knows in arguments that are to be shown. */
export function createArgumentMask(redactor: Redactor): (args: JsonObject) => JsonObject {
  // A text of JSON that is masked is still JSON: values are known as JSON writes them, too.
  return (args) => JSON.parse(redactor.redact(JSON.stringify(args))) as JsonObject;
}
