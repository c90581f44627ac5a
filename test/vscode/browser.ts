import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Frame, Page } from 'playwright-core';

/**
 * A window of the workbench. SecretStorage encrypts with a key that code-server's front server hands out; it is
 * answered here in its stead, so that secrets outlive a reload. Further pages of its context are windows that share them.
 */
export async function openWindow(browser: Browser): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1400, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await context.route(
    (url) => url.pathname.endsWith('/mint-key'),
    (route) => route.fulfill({ contentType: 'application/octet-stream', body: Buffer.alloc(32, 7) }),
  );
  return context.newPage();
}

/** The frame of the webview that holds the selector: a webview's document is two frames deep. */
export async function webviewFrame(page: Page, selector: string, timeoutMs = 30_000): Promise<Frame> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    for (const frame of page.frames()) {
      if (frame.url().includes('fake.html') && (await holds(frame, selector))) return frame;
    }
    await sleep(100);
  }
  throw new Error(`No webview holds ${selector}`);
}

/** A frame that is just being replaced holds nothing. */
async function holds(frame: Frame, selector: string): Promise<boolean> {
  try {
    return (await frame.$(selector)) !== null;
  } catch {
    return false;
  }
}
