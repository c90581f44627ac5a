const PREFIX = '[tool failed] ';

/** A tool's failure as the model reads it in a tool message: marked, so that it cannot be taken for a result. */
export function failedToolText(reason: string): string {
  return PREFIX + reason;
}

/** The reason inside a text made by `failedToolText`; undefined for any other text. */
export function failureReason(text: string): string | undefined {
  return text.startsWith(PREFIX) ? text.slice(PREFIX.length) : undefined;
}
