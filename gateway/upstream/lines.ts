/** The longest line, in bytes, that a server may print: a result of 128 MB. */
const LINE_LIMIT = 128 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines of UTF-8 text. It searches only new bytes, so a long line costs no more than its
 * length. After a line over the limit it calls `onOverflow` once and ignores the rest.
 */
export class LineReader {
  private chunks: Buffer[] = [];
  private size = 0;
  private overflown = false;
  private readonly onLine: (line: string) => void;
  private readonly onOverflow: (reason: string) => void;

  constructor(onLine: (line: string) => void, onOverflow: (reason: string) => void) {
    this.onLine = onLine;
    this.onOverflow = onOverflow;
  }

  push(chunk: Buffer): void {
    if (this.overflown) return;
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      this.emit(chunk.subarray(from, end));
      from = end + 1;
    }
    const rest = chunk.subarray(from);
    if (rest.length === 0) return;
    this.chunks.push(rest);
    this.size += rest.length;
    if (this.size <= LINE_LIMIT) return;
    this.overflown = true;
    this.chunks = [];
    this.onOverflow(`the server printed a line of over ${LINE_LIMIT / 1024 / 1024} MB`);
  }

  private emit(end: Buffer): void {
    const line = this.chunks.length === 0 ? end : Buffer.concat([...this.chunks, end]);
    this.chunks = [];
    this.size = 0;
    const text = line.toString('utf8').trim();
    if (text !== '') this.onLine(text);
  }
}
