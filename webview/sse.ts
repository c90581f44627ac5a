import { createParser } from 'eventsource-parser';

/** Reads a response's SSE events until it ends; rejects when the connection breaks or is aborted. */
export async function readEvents(
  response: Response,
  onEvent: (event: string, data: string) => void,
): Promise<void> {
  if (response.body === null) return;
  const parser = createParser({
    onEvent: ({ event, data }) => {
      onEvent(event ?? 'message', data);
    },
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
  }
}
